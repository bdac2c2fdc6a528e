"""`reco verify`: whether a deployment in an account does what the same templates do here."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.progress import Progress, SpinnerColumn, TextColumn

from reco.account import trial
from reco.account.grants import Grants
from reco.account.journey import Journey, Step
from reco.account.simulation import Simulated, simulate
from reco.commands.preflight import UNKNOWN, who
from reco.console import progress, results, say, show_json, show_table
from reco.local.attach import connect
from reco.local.synth import synthesize
from reco.options import DEFAULT_CONFIG, AwsOption, ConfigOption, JsonOption, YesOption, config_of
from reco.target import Target

DIFFERS = 1
#: By which waits are divided in the local AWS environment, whose functions answer at once and whose clock is faster.
_PATIENCE_HERE = 10.0


def verify(
    config: ConfigOption = DEFAULT_CONFIG,
    with_import: Annotated[
        bool, typer.Option("--with-import", help="Before all else, train on a tiny data set, and delete it at the end. Costs.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="The file with what was found; default: verify-NAME.json.")] = None,
    aws: AwsOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Compare a deployment with this machine: permissions by IAM's simulation, an event, an item, a list, a dead-letter message.

    Exit code 0: no difference. 1: differences, all in the file. 3: no difference, but IAM could not be asked.
    """
    deployment = config_of(config)
    target = connect(deployment.name, aws)
    account, region = who(target)
    patience = _PATIENCE_HERE if target.local else 1.0
    made = trial.Trial(target, deployment) if with_import else None
    if made is not None:
        made.require_new()
        say(made.price())
        if not yes:
            typer.confirm("Train on a tiny data set, and delete it again?", abort=True, err=True)
    steps: list[Step] = []
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), console=progress, transient=True) as bar:
        task = bar.add_task("verifying")

        def tell(what: str) -> None:
            bar.update(task, description=what)

        with tempfile.TemporaryDirectory() as folder:
            assembly = synthesize(config, Path(folder) / "cdk.out", validate=False)
            grants = Grants(assembly, account, region)
        simulated, refused = _simulated(target, grants, account, region, deployment.kms_key, tell)
        try:
            if made is not None:
                steps += made.run(tell)
            for step in Journey(target, deployment, patience).steps():
                tell(step.check)
                steps.append(step)
        finally:
            if made is not None:
                made.delete(tell)
    report = report_of(deployment.name, region, simulated, refused, steps)
    file = out or Path(f"verify-{deployment.name}.json")
    file.write_text(without_account(json.dumps(report, indent=2), account) + "\n")
    if as_json:
        show_json(json.loads(file.read_text()))
    else:
        show(deployment.name, region, report, file)
    raise typer.Exit(code_of(report))


def _simulated(
    target: Target, grants: Grants, account: str, region: str, key: str | None, tell: Callable[[str], None]
) -> tuple[Simulated | None, str]:
    """What IAM said, or why it could not be asked."""
    try:
        return simulate(target, grants, account, region, key, lambda role: tell(f"permissions of {role}")), ""
    except (ClientError, BotoCoreError) as error:
        said = f"{error.operation_name}: {error.response['Error']['Code']}" if isinstance(error, ClientError) else str(error)
        return None, said


def report_of(name: str, region: str, simulated: Simulated | None, refused: str, steps: list[Step]) -> dict[str, Any]:
    """What the file holds."""
    differences: list[dict[str, Any]] = [
        {"check": f"{one.role}: {one.action}", "expected": "allowed", "found": one.decision, "resource": one.resource}
        for one in (simulated.denied if simulated else [])
    ]
    differences += [{"check": step.check, "expected": step.expected, "found": step.found} for step in steps if not step.same]
    asked = (
        {"roles": simulated.roles, "calls": simulated.calls, "unlisted": simulated.unlisted}
        if simulated
        else {"refused": refused}
    )
    return {
        "deployment": name,
        "region": region,
        "recostack": version("recostack"),
        "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%MZ}",
        "permissions": asked,
        "steps": [asdict(step) for step in steps],
        "differences": differences,
    }


def without_account(text: str, account: str) -> str:
    """The text without account numbers: any twelve digits that stand alone."""
    return re.sub(r"(?<!\d)\d{12}(?!\d)", "ACCOUNT", text.replace(account, "ACCOUNT"))


def code_of(report: dict[str, Any]) -> int:
    if report["differences"]:
        return DIFFERS
    return UNKNOWN if "refused" in report["permissions"] else 0


def show(name: str, region: str, report: dict[str, Any], file: Path) -> None:
    """A table, a sentence for each difference, and where all of it stands."""
    asked = report["permissions"]
    if "refused" in asked:
        results.print(f"IAM could not be asked ({asked['refused']}): allow your credentials iam:SimulatePrincipalPolicy.")
    else:
        denied = sum("resource" in difference for difference in report["differences"])
        results.print(f"{asked['calls']} calls of {asked['roles']} roles: {denied} denied.")
    rows = [
        [step["check"], "as here" if step["expected"] == step["found"] else "differs", f"{step['seconds']:.0f}"]
        for step in report["steps"]
    ]
    show_table(f"{name} in {region}", ["step", "result", "seconds"], rows)
    for difference in report["differences"]:
        where = f" on {difference['resource']}" if "resource" in difference else ""
        results.print(f"{difference['check']}{where}: {difference['found']}, here it is {difference['expected']}.", markup=False)
    count = len(report["differences"])
    results.print(f"{'No difference' if not count else f'{count} differences'} from what happens here: {file} has all of it.")
