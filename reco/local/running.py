"""Brings the deployment up on this machine: synthesize, start the local AWS environment, deploy the same templates into it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lambdas.config import Config
from lambdas.stores import keys
from lambdas.stores.runs import APPROVAL, LOCK
from localaws.environment import Environment, launch
from localaws.state import locked
from reco.console import progress, say
from reco.errors import RecoError
from reco.local.attach import environment_here
from reco.local.synth import synthesize
from reco.target import Target


@dataclass
class Seconds:
    """How long each step took."""

    synth: float = 0.0
    start: float = 0.0
    deploy: float = 0.0


@contextmanager
def step(title: str) -> Iterator[Callable[[], float]]:
    """Show a step while it goes on, and its seconds when it is done; yields a clock."""
    began = time.monotonic()
    with progress.status(title):
        yield lambda: time.monotonic() - began
    say(f"[green]✓[/green] {title} [dim]({time.monotonic() - began:.1f} s)[/dim]")


def start_local(
    config: Config, file: Path, data: Path, *, detach: bool, speed: float, ports: dict[str, Any], fresh: bool = False
) -> tuple[Environment, Seconds]:
    """A running environment with the stacks of the config in `file` deployed, and how long that took.

    What the deployment held when it was last stopped is there again, unless `fresh`. Raises RecoError (also when one runs
    already) and LocalAwsError.
    """
    with _alone(data):
        running = Environment.attach(data)
        if running is not None:
            raise RecoError(
                f"A local AWS environment is running already, at {running.aws_endpoint}. Use it, deploy a changed config with "
                "`reco deploy`, or stop it with `reco down`."
            )
        seconds, state = Seconds(), data / "deployments" / config.name
        is_known = state.exists() and not fresh
        with step("Synthesize the CDK app") as clock:
            assembly = synthesize(file, data / "cdk.out", validate=False)
            seconds.synth = clock()
        with step(f"Start the local AWS environment{' with what it held' if is_known else ''}") as clock:
            environment = launch(None, data, speed=speed, detach=detach, state=state, fresh=fresh, **ports)
            seconds.start = clock()
        try:
            with step("Deploy the stacks") as clock:
                environment.deploy(assembly)
                seconds.deploy = clock()
            if is_known:
                for name in _end_interrupted_runs(Target(config.name, environment)):
                    say(f"The run {name} was aborted when the local AWS environment was stopped: start it again.")
        except BaseException:
            environment.stop()
            raise
        return environment, seconds


def _end_interrupted_runs(target: Target) -> list[str]:
    """Clear the locks of runs that ended with the process that ran them, and the approvals that they waited for; their names."""
    dynamodb, table = target.client("dynamodb"), target.output("training", "RunsTable")
    found = []
    for page in dynamodb.get_paginator("scan").paginate(TableName=table):
        for row in page["Items"]:
            kind = keys.partition_of(row, keys.RUNS)
            if kind == LOCK or kind.startswith(APPROVAL):
                dynamodb.delete_item(TableName=table, Key={name: row[name] for name in keys.RUNS})
            if kind == LOCK:
                found.append(row["holder"]["S"].rsplit(":", 1)[-1])
    return found


def deploy_local(file: Path, data: Path) -> Environment:
    """The environment that runs, with the config's stacks deployed anew. Raises RecoError and LocalAwsError."""
    environment = environment_here(data)
    with _alone(data):
        with step("Synthesize the CDK app"):
            assembly = synthesize(file, data / "cdk.out", validate=False)
        with step("Deploy the stacks"):
            environment.deploy(assembly)
    return environment


def _alone(data: Path) -> AbstractContextManager[None]:
    """For what uses the folder's assembly: one command at a time."""
    in_use = "Another command (process {holder}) is starting or deploying in {folder}: wait until it is done."
    return locked(data, "command.lock", in_use)


def wait_until_stopped(data: Path) -> None:
    """Return when `reco down` elsewhere, or anything else, has ended the environment of `data`."""
    while Environment.attach(data) is not None:
        time.sleep(1)


def stop_local(data: Path) -> bool:
    """Stop the environment of `data`; whether there was one."""
    environment = Environment.attach(data)
    if environment is not None:
        environment.stop()
    return environment is not None
