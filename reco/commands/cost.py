"""`reco cost`: reads, computes, shows. It asks the deployment where one is there, and needs none."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from lambdas.config import Config
from reco.console import progress
from reco.cost import answers, measured, report
from reco.cost import estimate as arithmetic
from reco.cost.inputs import TRAFFIC, load_prices, load_traffic
from reco.data import load
from reco.errors import RecoError
from reco.local.attach import connect
from reco.options import DEFAULT_CONFIG, AwsOption, ConfigOption, config_of
from reco.plotting import require_plotting
from reco.target import Target


def cost(
    config: ConfigOption = DEFAULT_CONFIG,
    traffic: Annotated[Path, typer.Option(help="What goes on in the shop: users, events, requests by the hour.")] = TRAFFIC,
    prices: Annotated[Path | None, typer.Option(help="A file with prices that differ from those that come along.")] = None,
    data: Annotated[Path | None, typer.Option(help="Count users, items and events in this folder of CSVs.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the estimate to this file.")] = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw the estimate to this .svg or .png file.")] = None,
    aws: AwsOption = False,
) -> None:
    """What the deployment will cost a month: as it is, all in real time, all by batch; with the source of each number."""
    if plot is not None:
        require_plotting(plot)
    deployment, expected, known = config_of(config), load_traffic(traffic), load_prices(prices)
    expected.check_names(traffic, deployment.placements, deployment.solutions)
    numbers, notes = measured.sources(expected, traffic), list[str]()
    target = _running(deployment, aws)
    with progress.status("Counting"):
        counted = _counted(config, data, target) if traffic == TRAFFIC or data is not None else {}
        hours: dict[str, list[float]] = {}
        if target is not None and traffic == TRAFFIC:
            hours, note = measured.calls(target, deployment, expected)
            notes.append(note[:1].upper() + note[1:] + ".")
            counted |= measured.answers(target, deployment)
    numbers |= counted
    if traffic == TRAFFIC and len(hours) < len(deployment.placements):
        notes.append(
            "Requests a second are an EXAMPLE, not your shop's: copy config/traffic.yaml, write yours, and pass --traffic FILE."
        )
    own = measured.with_numbers(expected, counted, hours)
    estimate = arithmetic.estimate(deployment, own, known)
    sources = {name: counted[name].source for name in (measured.TIME, measured.READS) if name in counted}
    bill = arithmetic.Bill(deployment, own, known)
    million = answers.million(bill, sources.get(measured.TIME, ""), sources.get(measured.READS, ""))
    report.show(estimate, deployment, known, list(numbers.values()), notes)
    report.show_answers(million)
    if json_file is not None:
        answer = report.as_json(estimate, deployment, known, list(numbers.values()), notes)
        answer["million_answers"] = report.answers_as_json(million)
        json_file.write_text(json.dumps(answer, indent=2) + "\n")
    if plot is not None:
        report.draw(estimate, deployment, known, plot)


def _running(deployment: Config, aws: bool) -> Target | None:
    """The deployment, if it is there: an estimate needs none."""
    try:
        target = connect(deployment.name, aws)
        target.output("storage", "DataBucket")
    except RecoError:
        if aws:
            raise
        return None
    return target


def _counted(config: Path, data: Path | None, target: Target | None) -> dict[str, measured.Number]:
    """From the folder that is named, else from what is loaded, else from the CSVs beside the config; nothing without any."""
    beside = config.parent / "data"
    if data is None and target is not None:
        with tempfile.TemporaryDirectory() as folder:
            files = load.download(target, Path(folder))
            if files:
                return measured.count(files, "the CSVs that are loaded, without events that came by the API")
    folder_of_csvs = data or (beside if (beside / "interactions.csv").exists() else None)
    return measured.count(load.find_csvs(folder_of_csvs), str(folder_of_csvs)) if folder_of_csvs else {}
