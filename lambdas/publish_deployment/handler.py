"""Publishes what is deployed: one SSM document that whoever serves reads."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, ConfigDict

from lambdas.shared.config import packed_config
from lambdas.shared.deployment import Deployment, publish
from lambdas.shared.names import dataset_group_arn
from lambdas.shared.observability import logger


class Prepared(BaseModel):
    """An answer of `prepare_resources` for a tracker or a filter."""

    model_config = ConfigDict(extra="ignore")

    kind: str
    arn: str
    name: str = ""
    tracking_id: str = ""


class Deployed(BaseModel):
    """An answer of `deploy_campaign`."""

    model_config = ConfigDict(extra="ignore")

    name: str
    arn: str


class PublishRequest(BaseModel):
    model_config = ConfigDict(extra="ignore")

    run_id: str
    resources: list[Prepared]
    campaigns: list[Deployed]


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request = PublishRequest.model_validate(event)
    deployment = Deployment(
        run_id=request.run_id,
        dataset_group_arn=dataset_group_arn(packed_config()),
        tracking_id=next((r.tracking_id for r in request.resources if r.kind == "event_tracker"), ""),
        campaigns={campaign.name: campaign.arn for campaign in request.campaigns},
        filters={resource.name: resource.arn for resource in request.resources if resource.kind == "filter"},
    )
    publish(deployment)
    return deployment.model_dump()
