"""`reco load DIR`: a folder's CSVs into the bucket of a deployment, after the checks of its next train run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lambdas.config import Config
from reco.commands.batch import load_archive
from reco.commands.check import bytes_shown, tell
from reco.console import progress, show_json, show_table
from reco.data import csv_folder, load, movielens
from reco.errors import RecoError
from reco.options import DEFAULT_CONFIG, AwsOption, ConfigOption, JsonOption, config_of, target_of
from reco.target import Target


def load_command(
    what: Annotated[
        str,
        typer.Argument(help="`movielens`, `archive` (from the events), or a folder with interactions.csv, items.csv, users.csv."),
    ],
    unchecked: Annotated[bool, typer.Option("--unchecked", help="Upload without a look at the content.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    aws: AwsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Upload CSVs for the next train run. Reports what an import would refuse, and then uploads nothing."""
    target = target_of(config, aws)
    if what == "archive":
        load_archive(target, as_json)
        return
    folder = Path(what)
    if what == "movielens":
        folder = Path(".cache/movielens/csv")
        movielens.write_csvs(movielens.fetch(folder.parent / "raw"), folder)
    load_folder(target, config_of(config), folder, unchecked, as_json)


def load_folder(target: Target, config: Config, folder: Path, unchecked: bool, as_json: bool) -> None:
    """Raises RecoError for a folder that can't be used, and for CSVs that an import or a training would refuse."""
    looked = csv_folder.look_into(folder, config)
    files = [path for paths in looked.files.values() for path in paths]
    if not unchecked:
        with bytes_shown("checking", files) as read:
            csv_folder.check(looked, config, whole=False, kinds=list(looked.files), on_bytes=read)
    tell(looked.findings, progress)
    if looked.findings.errors:
        raise RecoError("Nothing was uploaded.")
    for kind in config.datasets.present():
        if kind not in looked.files and load.keys_of(target, kind):
            progress.print(f"{folder} has no {kind}: the next run takes those that were loaded before.", markup=False)
    with bytes_shown("uploading", files) as sent:
        sizes = load.upload(target, looked.files, sent)
    if as_json:
        show_json(sizes)
    else:
        show_table("Uploaded", ["dataset", "bytes"], list(sizes.items()))
