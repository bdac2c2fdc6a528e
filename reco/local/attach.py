"""Attaches a command to what it works in: the local AWS environment that runs here, or an AWS account."""

from __future__ import annotations

from pathlib import Path

from localaws.environment import Environment
from localaws.errors import LocalAwsError, sentence
from reco.errors import RecoError
from reco.target import DATA, Target

__all__ = ["LocalAwsError", "connect", "environment_here", "sentence"]


def connect(deployment: str, aws: bool, data: Path = DATA) -> Target:
    """The account of the credentials with `aws`, else the environment that runs here. Raises RecoError if none does."""
    if aws:
        return Target(deployment, None)
    return Target(deployment, environment_here(data, ", or add --aws to work in an AWS account"))


def environment_here(data: Path, otherwise: str = "") -> Environment:
    """The local AWS environment that runs here. Raises RecoError if none does; `otherwise` is what else the caller can do."""
    local = Environment.attach(data)
    if local is None:
        raise RecoError(f"No local AWS environment is running here: start one with `reco up`{otherwise}.")
    return local
