"""Ensures that a solution's campaign serves one solution version."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, ConfigDict

from lambdas.deploy_campaign.campaigns import ensure_campaign
from lambdas.shared.config import packed_config
from lambdas.shared.observability import logger


class DeployRequest(BaseModel):
    """`name` is that of a solution in the config."""

    model_config = ConfigDict(extra="ignore")

    name: str
    solution_version_arn: str


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request = DeployRequest.model_validate(event)
    return ensure_campaign(packed_config(), request.name, request.solution_version_arn).answer(name=request.name)
