"""One Spark for all jobs, which are called as Glue calls them: with arguments, in a process where a session may be there already."""

from __future__ import annotations

import importlib
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from localaws.glue import classes
from localaws.glue.java import java_home, spark_environ
from personalize_rules.imports import Finding, Reader
from personalize_rules.schemas import Schema

Job = Callable[..., dict[str, Any]]
#: Of the interactions.
SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "Interactions",
    "version": "1.0",
    "fields": [
        {"name": "USER_ID", "type": "string"},
        {"name": "ITEM_ID", "type": "string"},
        {"name": "TIMESTAMP", "type": "long"},
        {"name": "EVENT_TYPE", "type": "string"},
        {"name": "EVENT_VALUE", "type": ["null", "float"]},
        {"name": "DEVICE", "type": ["null", "string"], "categorical": True},
        {"name": "PRICE_PAID", "type": ["float", "null"]},
    ],
}


def imported(schema: Schema, files: dict[str, bytes]) -> tuple[list[dict[str, str]], list[Finding]]:
    """The cells that an import reads, by column, and what it notes."""
    notes, found = list[Finding](), list[dict[str, str]]()
    reader = Reader(schema, notes.append)
    for name, content in files.items():
        for chunk in reader.read(name, io.BytesIO(content)):
            found += [dict(zip(chunk.cells, cells, strict=True)) for cells in zip(*chunk.cells.values(), strict=True)]
    return found, notes


@pytest.fixture(scope="session")
def run_job(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Job]:
    """Runs a job by the name of its script, with `--name value` for each argument; returns its report."""
    folder = tmp_path_factory.mktemp("reports")
    patch = pytest.MonkeyPatch()
    home = java_home()
    for variable, value in spark_environ(home, classes.options(home)).items():
        patch.setenv(variable, value)

    def run(name: str, **arguments: object) -> dict[str, Any]:
        report = folder / "report.json"
        given = {**arguments, "report": report, "JOB_NAME": "added-by-glue"}
        texts = {key: f"file://{value}" if isinstance(value, Path) else str(value) for key, value in given.items()}
        importlib.import_module(name).main([part for key, text in texts.items() for part in (f"--{key}", text)])
        found: dict[str, Any] = json.loads(report.read_text())
        return found

    yield run
    patch.undo()
