"""`reco report`: the page that a train run wrote."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated, Any

import typer

from lambdas.stores import prefixes
from reco.console import results, show_json, show_table
from reco.errors import RecoError
from reco.options import DEFAULT_CONFIG, AwsOption, ConfigOption, JsonOption, target_of
from reco.target import DATA, Target

_SHOWN = 10


def report(
    run: Annotated[str | None, typer.Argument(help="The run's id; without it the latest, with --list none.")] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Show the page in a browser.")] = False,
    listed: Annotated[bool, typer.Option("--list", help="List the runs that have a report.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    aws: AwsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Fetch the report of a train run as a page: figures, verdicts, problems, all versions over time."""
    target = target_of(config, aws)
    found = _reports(target)
    if listed and not as_json:
        rows = [[one["run"], f"{one['written']:%Y-%m-%d %H:%M} UTC"] for one in found[:_SHOWN]]
        show_table("Reports, the latest first", ["run", "written"], rows) if rows else results.print("No run has ended yet.")
        return
    if listed:
        show_json([{"run": one["run"], "written": one["written"].isoformat()} for one in found])
        return
    file = fetch(target, _chosen(found, run))
    if as_json:
        show_json({"run": run or found[0]["run"], "page": str(file)})
    else:
        results.print(f"The report is in {file}.", markup=False)
    if open_page and not webbrowser.open(file.resolve().as_uri()):
        results.print("No browser could be started here: open the file in one.")


def _reports(target: Target) -> list[dict[str, Any]]:
    """The runs that have a page, the latest first."""
    pages = target.client("s3").get_paginator("list_objects_v2").paginate(
        Bucket=target.output("storage", "DataBucket"), Prefix=prefixes.REPORTS
    )  # fmt: skip
    found = [
        {"run": entry["Key"].split("/")[1], "key": entry["Key"], "written": entry["LastModified"]}
        for page in pages
        for entry in page.get("Contents", [])
        if entry["Key"].endswith("/report.html")
    ]
    return sorted(found, key=lambda one: one["written"], reverse=True)


def _chosen(found: list[dict[str, Any]], run: str | None) -> dict[str, Any]:
    """Raises RecoError where there is none."""
    if not found:
        raise RecoError("No train run has written a report yet: `reco train --wait` makes one.")
    chosen = next((one for one in found if run is None or one["run"] == run), None)
    if chosen is None:
        raise RecoError(f"There is no report of the run {run}: `reco report --list` lists those that there are.")
    return chosen


def fetch(target: Target, one: dict[str, Any]) -> Path:
    """The page as a file on this machine."""
    file = DATA / "reports" / f"{target.deployment}-{one['run']}.html"
    file.parent.mkdir(parents=True, exist_ok=True)
    target.client("s3").download_file(target.output("storage", "DataBucket"), one["key"], str(file))
    return file
