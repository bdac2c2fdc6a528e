"""Brings the deployment up on this machine: synthesize, start the embedded AWS, deploy the same templates into it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localaws.environment import Environment, launch
from reco.console import progress, say
from reco.errors import RecoError
from reco.synth import synthesize
from reco.target import environment_here


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


def start_local(config: Path, data: Path, *, detach: bool, speed: float, ports: dict[str, Any]) -> tuple[Environment, Seconds]:
    """A running environment with the config's stacks deployed, and how long that took.

    Raises RecoError (also when one runs already) and LocalAwsError.
    """
    running = Environment.attach(data)
    if running is not None:
        raise RecoError(
            f"An embedded AWS is running already, at {running.aws_endpoint}: use it, deploy a changed config into it with "
            "`reco deploy`, or stop it with `reco down`."
        )
    found = kept_state(data)
    if found:
        say(found)
    seconds = Seconds()
    with step("Synthesize the CDK app") as clock:
        assembly = synthesize(config, data / "cdk.out", validate=False)
        seconds.synth = clock()
    with step("Start the embedded AWS") as clock:
        environment = launch(None, data, speed=speed, detach=detach, **ports)
        seconds.start = clock()
    try:
        with step("Deploy the stacks") as clock:
            environment.deploy(assembly)
            seconds.deploy = clock()
    except BaseException:
        environment.stop()
        raise
    return environment, seconds


def deploy_local(config: Path, data: Path) -> Environment:
    """The environment that runs, with the config's stacks deployed anew. Raises RecoError and LocalAwsError."""
    environment = environment_here(data)
    with step("Synthesize the CDK app"):
        assembly = synthesize(config, data / "cdk.out", validate=False)
    with step("Deploy the stacks"):
        environment.deploy(assembly)
    return environment


def kept_state(data: Path) -> str:
    """A sentence about what an earlier run left, "" when there is nothing."""
    if not any((data / "personalize").glob("*")):
        return ""
    return (
        f"Personalize still holds what it had when it was last stopped (in {data}/personalize; delete the folder to start "
        "afresh). S3 and the tables begin empty: load the data and train again; what has not changed is not trained anew."
    )


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
