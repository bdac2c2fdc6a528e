"""`reco evaluate`: says what it will cost, asks, evaluates, shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import typer

from lambdas.aws.ensure import short
from lambdas.config import Config
from reco.console import progress, results, say, say_step, show_json, show_table
from reco.data import load
from reco.deployment.teardown import Owner, Teardown
from reco.evaluation.cost import Item, estimate
from reco.evaluation.evaluate import METRICS, Evaluation, evaluate, plan
from reco.evaluation.plot import draw
from reco.plotting import require_plotting
from reco.target import Target


def run(target: Target, config: Config, *, data: Path | None, users: int, plot: Path | None, yes: bool, as_json: bool) -> None:
    """The whole command. Raises RecoError, and typer.Abort when the operator declines."""
    if plot is not None:
        require_plotting(plot)
    teardown, owner = Teardown(target.client("personalize"), say_step), Owner.evaluation(config)
    with TemporaryDirectory() as folder:
        with progress.status("splitting the interactions by time"):
            files = load.find_csvs(data) if data else load.download(target, Path(folder))
            planned = plan(config, files, Path(folder), users)
            costs, left_over = estimate(target, config, planned), teardown.find(owner)
        _show_costs(costs)
        if left_over:
            names = ", ".join(short(arn) for arns in left_over.values() for arn in arns)
            say(f"An earlier evaluation was killed or still runs. Its resources will be deleted first: {names}")
        if not yes:
            typer.confirm("Go on?", abort=True, err=True)
        with progress.status("evaluating"):
            teardown.remove(owner)
            evaluation = evaluate(target, config, planned, say_step)
    if plot is not None:
        draw(evaluation, plot)
    show_json(asdict(evaluation)) if as_json else show(evaluation)


def _show_costs(costs: Sequence[Item]) -> None:
    """To stderr: the results are not there yet."""
    for item in costs:
        dollars = "by the service's price list" if item.dollars is None else f"about ${item.dollars:.2f}"
        say(f"  {item.what}: {item.quantity}, {dollars}")
    known = sum(item.dollars or 0 for item in costs)
    more = " and what is billed by the price list" if any(item.dollars is None for item in costs) else ""
    say(f"Amazon Personalize bills about ${known:.2f}{more} for this (nothing on this machine).")


def show(evaluation: Evaluation) -> None:
    heads = [f"{name}\n{evaluation.recipes[name].removeprefix('aws-')}" for name in evaluation.metrics]
    rows = [[head, *(values.get(metric, "") for values in evaluation.metrics.values())] for metric, head in METRICS.items()]
    events = evaluation.training_events + evaluation.held_events
    show_table(f"{evaluation.users} users, {evaluation.held_events} of {events} events held out", ["metric", *heads], rows)
    for name, reason in evaluation.left_out.items():
        results.print(f"{name} was skipped: {reason}.")
