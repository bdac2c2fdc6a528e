"""Ensures that the campaigns serve what was decided: a new version where it may go live, else the one that served before."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, Field

from lambdas.aws.ensure import result_of, step_output
from lambdas.aws.observability import logger
from lambdas.config import Config
from lambdas.config.packed import packed_config
from lambdas.stores.runs import Decision
from lambdas.training.deploy_campaigns.campaigns import ensure_campaign
from lambdas.training.deploy_campaigns.snapshots import ensure_snapshot


class Judged(BaseModel):
    """A verdict of `approve_versions`, as far as deploying needs it."""

    name: str
    arn: str
    decision: Decision
    deployed_arn: str | None = None


class Answer(BaseModel):
    """What a person answered, or that nobody did in time."""

    name: str
    approved: bool


class Trained(BaseModel):
    """A part of the answer of `train_solutions`."""

    name: str
    status: str
    arn: str = ""


class DeployRequest(BaseModel):
    """`run_started` tells this run's updates from earlier ones."""

    run_started: datetime
    verdicts: list[Judged]
    answers: list[Answer]
    trained: list[Trained] = Field(default_factory=list)
    waited_seconds: int = 0


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request, config = DeployRequest.model_validate(event), packed_config()
    approved = {answer.name for answer in request.answers if answer.approved}
    parts = []
    for verdict in (each for each in request.verdicts if config.solutions[each.name].campaign is not None):
        goes_live = verdict.decision in ("deploy", "keep") or (verdict.decision == "ask" and verdict.name in approved)
        version = verdict.arn if goes_live else verdict.deployed_arn
        if version is not None:
            label = {"name": verdict.name, "version_arn": version, "goes_live": goes_live}
            moves = goes_live and verdict.decision != "keep"
            parts.append(
                result_of(label, partial(ensure_campaign, config, verdict.name, version, request.run_started, moves=moves))
            )
    parts += [snapshot for snapshot in snapshots(config, request) if snapshot["status"] != "ACTIVE"]
    return step_output(parts, request.waited_seconds)


def snapshots(config: Config, request: DeployRequest) -> list[dict[str, Any]]:
    """A part for the snapshot of each popularity count that has a version."""
    versions = {made.name: made.arn for made in request.trained if made.status == "ACTIVE" and config.has_snapshot(made.name)}
    return [
        result_of({"kind": "snapshot", "name": name}, partial(ensure_snapshot, config, name, version, request.run_started))
        for name, version in versions.items()
    ]
