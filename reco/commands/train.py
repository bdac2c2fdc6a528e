"""`reco train`, `approve`, `rollback`: versions, from the CSVs to campaigns and back."""

from __future__ import annotations

from typing import Annotated

import typer

from reco.console import progress, results, show_json, show_table, states_shown
from reco.deployment import approvals, train
from reco.deployment import rollback as rolling_back
from reco.deployment.metrics import metrics_rows, reasons
from reco.options import DEFAULT_CONFIG, AwsOption, ConfigOption, JsonOption, target_of


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
    if not wait:
        show_json({"execution": execution}) if as_json else results.print(f"Started {execution}")
        return
    with states_shown("train run started") as entered:
        outcome = train.follow(target, execution, entered)
    if as_json:
        show_json({"execution": execution, "status": outcome.status, "seconds": outcome.seconds, "report": outcome.report})
        if train.problems(outcome):
            raise typer.Exit(1)
    else:
        report = train.require_success(outcome)
        show_table(f"Trained in {outcome.seconds:.0f} s", *metrics_rows(report["solutions"]))
        for noticed in [*reasons(report["solutions"]), *report.get("warnings", ())]:
            results.print(noticed)
        if report["items_removed"]:
            results.print(f"{report['items_removed']:,} items left the catalogue: the CSVs lack them, and nobody put them since.")
        results.print(f"Report: {report['page']}")


def approve(
    solution: Annotated[
        str | None, typer.Argument(help="The solution whose new version waits; none lists all that wait.")
    ] = None,
    reject: Annotated[bool, typer.Option("--reject", help="Turn the version down.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    aws: AwsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Let a new version go live, or turn it down."""
    target = target_of(config, aws)
    if solution is not None:
        approvals.decide(target, solution, not reject)
        results.print(f"The new version of {solution} {'was rejected' if reject else 'goes live'}.")
        return
    found = [{name: row[name] for name in ("solution", "run_id", "verdict")} for row in approvals.waiting(target)]
    if as_json:
        show_json(found)
    else:
        show_table("Waiting for approval", ["solution", "run"], [[row["solution"], row["run_id"]] for row in found])


def rollback(
    campaign: Annotated[str, typer.Argument(help="The solution whose campaign goes back to the version before.")],
    config: ConfigOption = DEFAULT_CONFIG,
    aws: AwsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take a campaign back to the version that served before; later runs do not deploy the other one again."""
    with progress.status(f"Waiting until the campaign of {campaign} serves the version before"):
        left, taken = rolling_back.rollback(target_of(config, aws), campaign)
    if as_json:
        show_json({"campaign": campaign, "from": left, "to": taken})
    else:
        results.print(f"The campaign of {campaign} serves {taken} again; {left} is marked as rolled back.")
