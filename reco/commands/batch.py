"""`reco batch` and `reco segment`."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated, Any

import typer

from lambdas.stores.reports import of_what
from reco.commands.runs import followed
from reco.console import progress, results, say, say_step, show_json, show_table
from reco.deployment import batch as runs
from reco.deployment.train import require_success
from reco.errors import RecoError
from reco.options import DEFAULT_CONFIG, AwsOption, ConfigOption, JsonOption, config_of, target_of
from reco.target import Target

#: Users of each query that are shown to people.
_SHOWN = 10


def batch(
    name: Annotated[list[str] | None, typer.Argument(help="Only these batches and segments; all by default.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the run to its end.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    aws: AwsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make the lists of all users and the segments: Spark builds the input, Personalize infers, DynamoDB keeps them."""
    found = config_of(config)
    known = [*found.batch, *found.segments]
    unknown = [each for each in name or [] if each not in known]
    if unknown:
        raise RecoError(f"There is no batch or segment {unknown[0]} (there are: {', '.join(known) or 'none'}).")
    target = target_of(config, aws)
    execution = runs.start(target, name)
    outcome = followed(execution, lambda tell: runs.follow(target, execution, tell), wait, as_json)
    if outcome is not None:
        report = require_success(outcome, "batch")
        show_table(f"Made in {outcome.seconds:.0f} s", *_made_rows(report["made"]))
        results.print(of_what(report), markup=False)
        for sentence in _gaps(report["made"]):
            results.print(sentence, markup=False)


def _made_rows(made: list[dict[str, Any]]) -> tuple[list[str], list[list[Any]]]:
    """What a run made as the columns and rows of a table."""
    rows = [
        [each["kind"], each["name"], *(each[count] for count in ("lines", "written", "rejected", "missing"))] for each in made
    ]
    return ["", "name", "asked for", "written", "rejected", "missing"], rows


def _gaps(made: list[dict[str, Any]]) -> list[str]:
    """What was published without some of its lines, a sentence each."""
    found = [
        f"{each['kind']} {each['name']}: {unmade['query']} was not made: {unmade['reason']}"
        for each in made
        for unmade in each["not_made"]
    ]
    found += [
        f"{each['kind']} {each['name']}: not used for it: {count:,}: {reason}"
        for each in made
        for reason, count in each["rows_dropped"].items()
    ]
    return found + [
        f"{each['kind']} {each['name']}: the rejected lines and their reasons are in {each['rejected_lines']}"
        for each in made
        if each["rejected_lines"]
    ]


def segment(
    name: Annotated[str, typer.Argument(help="A segment of the config.")],
    output: Annotated[Path | None, typer.Option("--output", help="Write all users to this CSV.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    aws: AwsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show the users of a segment, likeliest first."""
    known = config_of(config).segments
    if name not in known:
        raise RecoError(f"There is no segment {name} (there are: {', '.join(known) or 'none'}).")
    version, users = runs.segment(target_of(config, aws), name)
    if output is not None:
        with output.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["query", "rank", "user_id"])
            writer.writerows([query, rank, user] for query, found in users.items() for rank, user in enumerate(found, 1))
        say(f"{sum(map(len, users.values()))} users written to {output}.")
    if as_json:
        show_json({"segment": name, "version": version, "users": users})
    elif output is None:
        rows = [
            [query, len(found), ", ".join(found[:_SHOWN]) + (", …" if len(found) > _SHOWN else "")]
            for query, found in users.items()
        ]
        show_table(f"Segment {name}, version {version}", ["query", "users", "likeliest first"], rows)


def load_archive(target: Target, as_json: bool) -> None:
    """Make the Interactions CSVs from the events of the archive."""
    with progress.status("Reading the archive"):
        report = runs.rebuild_interactions(target, say_step)
    show_json(report) if as_json else show_table("Interactions from the archive", ["", "events"], list(report.items()))
