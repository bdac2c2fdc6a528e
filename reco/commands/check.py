"""`reco check`: CSVs before any upload, by the code of a train run's plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from lambdas.training.findings import Findings, described
from personalize_rules.imports import Finding
from reco.console import progress, results, show_json
from reco.data import csv_folder
from reco.options import DEFAULT_CONFIG, ConfigOption, JsonOption, config_of, problems_of


def check(
    folder: Annotated[Path, typer.Argument(help="A folder with interactions.csv, items.csv, users.csv.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Check CSVs before any upload: what an import or a training would refuse, by file, line and column."""
    if as_json and (problems := problems_of(config)):
        in_config = [Finding(str(config), 0, "", problem) for problem in problems]
        show_json({"findings": [described(finding) | {"count": 1} for finding in in_config]})
        raise typer.Exit(1)
    found = config_of(config)
    looked = csv_folder.look_into(folder, found)
    findings = looked.findings
    if looked.files:
        with bytes_shown("checking", [path for paths in looked.files.values() for path in paths]) as read:
            findings = csv_folder.check(looked, found, whole=True, on_bytes=read)
    if as_json:
        show_json({"findings": findings.as_json()})
    else:
        tell(findings)
        if not findings.errors:
            results.print(f"{folder} can be loaded: {', '.join(looked.files)}.", markup=False)
    if findings.errors:
        raise typer.Exit(1)


def tell(findings: Findings, console: Console = results) -> None:
    """Errors first, each group in a sentence."""
    for severity in ("error", "warning"):
        for sentence in findings.sentences(severity):
            console.print(f"{severity}: {sentence}", markup=False, highlight=False)


@contextmanager
def bytes_shown(doing: str, files: list[Path]) -> Iterator[Callable[[int], None]]:
    """While files are gone through: yields what is to be told of each piece."""
    columns = (TextColumn(doing), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=progress, transient=True) as bar:
        task = bar.add_task(doing, total=sum(path.stat().st_size for path in files))
        yield lambda count: bar.advance(task, count)
