"""Publishes what is deployed: one SSM document that whoever serves reads."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, ConfigDict

from lambdas.shared.config import Config, packed_config
from lambdas.shared.deployment import Deployment, NotDeployed, publish, read_deployment
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
    deployment = merge(packed_config(), previous(), request)
    publish(deployment)
    return deployment.model_dump()


def previous() -> Deployment | None:
    """What is deployed now, None before the first run."""
    try:
        return read_deployment()
    except NotDeployed:
        return None


def merge(config: Config, before: Deployment | None, request: PublishRequest) -> Deployment:
    """What this run deployed, over what earlier runs did: a part that failed now goes on as it was."""
    campaigns = {name: arn for name, arn in (before.campaigns if before else {}).items() if name in config.solutions}
    filters = {name: arn for name, arn in (before.filters if before else {}).items() if name in config.filters}
    tracking_id = before.tracking_id if before else ""
    for resource in request.resources:
        if resource.kind == "filter":
            filters[resource.name] = resource.arn
        else:
            tracking_id = resource.tracking_id
    return Deployment(
        run_id=request.run_id,
        dataset_group_arn=dataset_group_arn(config),
        tracking_id=tracking_id,
        campaigns=campaigns | {campaign.name: campaign.arn for campaign in request.campaigns},
        filters=filters,
    )
