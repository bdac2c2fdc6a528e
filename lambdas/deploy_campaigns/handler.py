"""Ensures that the campaigns serve what was decided: a new version where it may go live, else the one that served before."""

from __future__ import annotations

from functools import partial
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, ConfigDict

from lambdas.deploy_campaigns.campaigns import ensure_campaign
from lambdas.shared.config import packed_config
from lambdas.shared.ensure import answer, part
from lambdas.shared.observability import logger
from lambdas.shared.runs import Decision


class Judged(BaseModel):
    """A verdict of `approve_versions`, as far as deploying needs it."""

    model_config = ConfigDict(extra="ignore")

    name: str
    arn: str
    decision: Decision
    deployed_arn: str | None = None


class Answer(BaseModel):
    """What a person answered, or that nobody did in time."""

    model_config = ConfigDict(extra="ignore")

    name: str
    approved: bool


class DeployRequest(BaseModel):
    model_config = ConfigDict(extra="ignore")

    verdicts: list[Judged]
    answers: list[Answer]
    waited_seconds: int = 0


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request, config = DeployRequest.model_validate(event), packed_config()
    approved = {answer.name for answer in request.answers if answer.approved}
    parts = []
    for verdict in request.verdicts:
        goes_live = verdict.decision in ("deploy", "keep") or (verdict.decision == "ask" and verdict.name in approved)
        version = verdict.arn if goes_live else verdict.deployed_arn
        if version is not None:
            label = {"name": verdict.name, "version_arn": version, "goes_live": goes_live}
            parts.append(part(label, partial(ensure_campaign, config, verdict.name, version)))
    return answer(parts, request.waited_seconds)
