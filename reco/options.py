"""What many commands ask for alike, and what becomes of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from lambdas.config import Config, ConfigError
from lambdas.config.file import load_config
from reco.console import progress
from reco.errors import RecoError
from reco.local.attach import connect
from reco.local.synth import ENVIRONMENT
from reco.remembered import DEMO, recall
from reco.target import Target


def _chosen(context: typer.Context, given: Path) -> Path:
    """The config that was named; else the remembered one, and a line that says which."""
    source = context.get_parameter_source("config")
    if context.resilient_parsing or source is None or source.name != "DEFAULT":
        return given
    found = recall()
    if found.environment and not os.environ.get(ENVIRONMENT):
        os.environ[ENVIRONMENT] = found.environment
    environment = os.environ.get(ENVIRONMENT)
    shown = f"{found.config}{f', environment {environment}' if environment else ''}"
    progress.print(f"Config: {shown} ({found.chosen_by}; -c names another)", style="dim", markup=False)
    return found.config


ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", callback=_chosen, show_default=False, help="The config; else the one last used here.")
]
_EnvironmentOption = Annotated[
    str | None, typer.Option("--env", envvar=ENVIRONMENT, help="One of the config's environments, such as prod.")
]
AwsOption = Annotated[bool, typer.Option("--aws", help="Work in the AWS account of your credentials, not on this machine.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]
DEFAULT_CONFIG = DEMO


def choose_environment(environment: _EnvironmentOption = None) -> None:
    """For this command and all that it starts."""
    if environment:
        os.environ[ENVIRONMENT] = environment


def config_of(path: Path) -> Config:
    """The config in the chosen environment, or RecoError with every problem."""
    try:
        return load(path)
    except ConfigError as error:
        # What is shown below a problem, the place in a filter, is set apart from the next problem.
        raise RecoError("\n".join(f"{path}: {problem}".replace("\n", "\n    ") for problem in error.problems)) from None


def load(path: Path) -> Config:
    """The config in the chosen environment. Raises ConfigError."""
    return load_config(path, os.environ.get(ENVIRONMENT) or None)


def problems_of(path: Path) -> list[str]:
    """All that is wrong with a config, each with its path."""
    try:
        load(path)
    except ConfigError as error:
        return error.problems
    return []


def target_of(path: Path, aws: bool) -> Target:
    return connect(config_of(path).name, aws)
