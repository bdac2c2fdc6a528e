"""`reco preflight`: what an account lacks before the first deployment, and what to ask for."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.progress import Progress, SpinnerColumn, TextColumn

from reco.account.needs import needs_of
from reco.account.preflight import QUALIFIER, Finding, Preflight
from reco.console import progress, results, show_json, show_table
from reco.errors import RecoError
from reco.local.attach import connect
from reco.local.synth import synthesize
from reco.options import DEFAULT_CONFIG, AwsOption, ConfigOption, JsonOption, config_of
from reco.target import Target

#: Exit codes beside 0.
LACKS, UNKNOWN = 1, 3


def preflight(
    config: ConfigOption = DEFAULT_CONFIG,
    aws: AwsOption = False,
    qualifier: Annotated[str, typer.Option(help="Of `cdk bootstrap`, if it has one of its own.")] = QUALIFIER,
    as_json: JsonOption = False,
) -> None:
    """Read quotas, services, bootstrap, stacks and names, and say what to ask for; nothing is changed.

    Exit code 0: deploy. 1: something is to be done first. 3: nothing is known to be missing, but a check could not be made.
    """
    deployment = config_of(config)
    target = connect(deployment.name, aws)
    account, region = who(target)
    with tempfile.TemporaryDirectory() as folder:
        needs = needs_of(synthesize(config, Path(folder) / "cdk.out", validate=False), account, region)
    found: list[Finding] = []
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), console=progress, transient=True) as bar:
        task = bar.add_task("looking at the account")
        for finding in Preflight(target.client, deployment, needs, region, qualifier).findings():
            bar.update(task, description=finding.check)
            found.append(finding)
    if as_json:
        show_json(
            {
                "deployment": deployment.name,
                "region": region,
                "ready": code_of(found) == 0,
                "findings": [asdict(f) for f in found],
            }
        )
    else:
        show(deployment.name, region, found)
    raise typer.Exit(code_of(found))


def who(target: Target) -> tuple[str, str]:
    """Account and region of the credentials. Raises RecoError when there are none, or they are not valid."""
    try:
        client = target.client("sts")
        return client.get_caller_identity()["Account"], client.meta.region_name
    except (ClientError, BotoCoreError) as error:
        raise RecoError(f"AWS does not take your credentials ({error}): `aws sts get-caller-identity` must work first.") from None


def code_of(found: list[Finding]) -> int:
    states = {finding.state for finding in found}
    return LACKS if states & {"ask", "mend"} else UNKNOWN if "unknown" in states else 0


def show(name: str, region: str, found: list[Finding]) -> None:
    """A table, and a sentence for each thing to do."""
    rows = [[f.check, f.state, f.found, f.needed] for f in found]
    show_table(f"{name} in {region}", ["check", "state", "found", "needed"], rows)
    for finding in found:
        if finding.remedy:
            results.print(f"{finding.check}: {finding.found}. {finding.remedy}", markup=False)
    sentences = {
        0: f"{name} can be deployed: make deploy.",
        LACKS: f"Do what is said above, then run this again; {name} was not touched.",
        UNKNOWN: "Nothing is known to be missing, but not everything could be read.",
    }
    results.print(sentences[code_of(found)])
