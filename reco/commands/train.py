"""`reco train`, `approve`, `rollback`: versions, from the CSVs to campaigns and back."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from lambdas.stores.reports import of_what
from lambdas.stores.sample_lists import SampleLists, side_by_side
from lambdas.training.metric_labels import metric_label
from reco.commands.runs import followed
from reco.console import progress, results, show_json, show_table
from reco.deployment import approvals, train
from reco.deployment import rollback as rolling_back
from reco.deployment.metrics import metrics_rows, reasons, recipes
from reco.options import DEFAULT_CONFIG, AwsOption, ConfigOption, JsonOption, target_of

#: What `reco approve --json` has of a question.
_TOLD = ("solution", "run_id", "deployment", "started", "seconds", "verdict", "samples")


def train_command(
    config: ConfigOption = DEFAULT_CONFIG,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the run to its end.")] = False,
    retrain: Annotated[bool, typer.Option("--retrain", help="Train even when no data is new.")] = False,
    solution: Annotated[
        list[str] | None, typer.Option("--solution", help="Only this solution (may be given more than once).")
    ] = None,
    aws: AwsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Start a train run: from the CSVs in S3 to deployed campaigns."""
    target = target_of(config, aws)
    execution = train.start(target, retrain=retrain, solutions=solution)
    outcome = followed(execution, lambda tell: train.follow(target, execution, tell), wait, as_json)
    if outcome is None:
        return
    if outcome.report is not None and outcome.report.get("solutions"):
        _show(outcome.report, outcome.seconds)
    train.require_success(outcome)


def _show(report: dict[str, Any], seconds: float) -> None:
    """The figures, why versions were not deployed, and where all of it stands; what failed is said last."""
    show_table(f"Trained in {seconds:.0f} s", *metrics_rows(report["solutions"]))
    for noticed in [recipes(report["solutions"]), *reasons(report["solutions"]), *report.get("warnings", ())]:
        results.print(noticed, markup=False)
    if report.get("items_removed"):
        results.print(
            f"{report['items_removed']:,} items were removed from the catalogue: the CSVs lack them, and nobody put them since."
        )
    if report.get("page"):
        results.print(f"Report: {report['page']} (`reco report --open` shows it)", markup=False)


def approve(
    solution: Annotated[
        str | None, typer.Argument(help="The solution whose new version waits; without it, all that wait are shown.")
    ] = None,
    reject: Annotated[bool, typer.Option("--reject", help="Don't deploy the new version.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    aws: AwsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show new versions that wait for an approval beside those that serve; name one to deploy it."""
    target = target_of(config, aws)
    waiting = approvals.waiting(target)
    if solution is not None:
        for row in waiting:
            if row["solution"] == solution and not as_json:
                _show_versions(row)
        approvals.decide(target, solution, not reject)
        results.print(f"The new version of {solution} {'was rejected: the old version stays' if reject else 'goes live'}.")
    elif as_json:
        show_json([{name: row[name] for name in _TOLD if name in row} for row in waiting])
    elif not waiting:
        results.print("No version waits for an approval.")
    else:
        for row in waiting:
            _show_versions(row)
        results.print("`reco approve SOLUTION` deploys a new version; `reco approve SOLUTION --reject` keeps the old one.")


def _show_versions(row: dict[str, Any]) -> None:
    """The figures of the new version and of the one that serves, and how long the run waits."""
    verdict, until = row["verdict"], datetime.fromtimestamp(int(row["expires"])).astimezone()
    now = {name: float(value) for name, value in (verdict.get("deployed_metrics") or {}).items()}
    rows = []
    for name, value in sorted(verdict["metrics"].items()):
        new, old = float(value), now.get(name)
        rows.append([metric_label(name), new, old, None if old is None else f"{new - old:+.4f}"])
    show_table(
        f"{row['solution']}, trained by run {row['run_id']}; the run waits until {until:%Y-%m-%d %H:%M}",
        ["metric", "new", "serving now", "difference"],
        rows,
    )
    if told := of_what(row):
        results.print(told, markup=False)
    _show_samples(SampleLists.model_validate(row.get("samples") or {}))


def _show_samples(lists: SampleLists) -> None:
    """What a few users would get of either version, side by side."""
    for number, user in enumerate(lists.users, 1):
        places = [
            [place, line.serving, f"+ {line.new}" if line.is_new else line.new]
            for place, line in enumerate(side_by_side(user), 1)
        ]
        show_table(f"User {number}, {user.events:,} events in the CSVs", ["#", "serving now", "new"], places)
    if lists.users:
        results.print("What these users would get, before filters and business rules. Marked with +: new in the list.")
    if lists.note:
        results.print(lists.note, markup=False)


def rollback(
    campaign: Annotated[str, typer.Argument(help="The solution whose campaign goes back to its previous version.")],
    config: ConfigOption = DEFAULT_CONFIG,
    aws: AwsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take a campaign back to its previous version; later runs won't deploy the version that you rolled back."""
    with progress.status(f"Waiting until the campaign of {campaign} serves its previous version"):
        left, taken = rolling_back.rollback(target_of(config, aws), campaign)
    if as_json:
        show_json({"campaign": campaign, "from": left, "to": taken})
    else:
        results.print(f"The campaign of {campaign} serves {taken} again; {left} is marked as rolled back.")
