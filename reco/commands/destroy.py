"""`reco destroy`: shows what is there, asks, deletes, says what was kept."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from lambdas.config import Config
from reco.console import progress, results, say_step, show_json
from reco.deployment.destroy import Deleted, Destruction
from reco.local.attach import connect
from reco.options import DEFAULT_CONFIG, AwsOption, ConfigOption, JsonOption, YesOption, config_of
from reco.target import Target


def destroy_command(
    config: ConfigOption = DEFAULT_CONFIG,
    keep_stacks: Annotated[bool, typer.Option("--keep-stacks", help="Delete what runs made, keep the stacks.")] = False,
    yes: YesOption = False,
    aws: AwsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Delete the deployment: its resources in Amazon Personalize, then its stacks. Buckets that hold data are kept."""
    found = config_of(config)
    run(connect(found.name, aws), found, keep_stacks=keep_stacks, yes=yes, as_json=as_json)


def run(target: Target, config: Config, *, keep_stacks: bool, yes: bool, as_json: bool) -> None:
    """The whole command. Raises RecoError, and typer.Abort when the operator declines."""
    destruction = Destruction(target, config, keep_stacks=keep_stacks, tell=say_step)
    with progress.status("looking for what is there"):
        deletion = destruction.look()
    if not deletion.empty and not yes:
        for line in deletion.lines():
            say_step(line)
        typer.confirm(f"Delete all of this for good, {len(deletion.lines())} in number?", abort=True, err=True)
    with progress.status("deleting"):
        done = destruction.carry_out(deletion)
    if as_json:
        show_json(asdict(done))
    elif deletion.empty:
        results.print(f"Nothing of {config.name} is there.")
    else:
        show(done)


def show(done: Deleted) -> None:
    results.print(f"{len(done.resources)} Personalize resources and {len(done.stacks)} stacks deleted.")
    for bucket in done.kept_buckets:
        results.print(
            f"The bucket {bucket} was kept with what it holds. When you no longer need it: empty it in the S3 console (it keeps "
            f"old versions, which `aws s3 rm` does not delete), then `aws s3 rb s3://{bucket}`."
        )
