"""Publishes what is deployed: one SSM document that whoever serves reads. Then tidies up what it replaces."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from lambdas.aws import clients
from lambdas.aws.ensure import step_output
from lambdas.aws.observability import logger
from lambdas.config import Config, environment
from lambdas.config.names import dataset_group_arn
from lambdas.config.packed import packed_config
from lambdas.stores.deployment import Deployment, NotDeployed, publish, read_deployment
from lambdas.training.publish_deployment.tidy import GRACE_SECONDS, delete_filters, find_leftovers, names, prune, retag


class Prepared(BaseModel):
    """A part of the answer of `prepare_resources`: the tracker or a filter."""

    kind: str
    status: str
    arn: str = ""
    name: str = ""
    tracking_id: str = ""


class Deployed(BaseModel):
    """A part of the answer of `deploy_campaigns`."""

    name: str
    status: str
    arn: str = ""


class PublishRequest(BaseModel):
    """The parts of the steps before; those that failed are left out by `merge`."""

    run_id: str
    resources: list[Prepared]
    campaigns: list[Deployed]
    waited_seconds: int = 0


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request, config = PublishRequest.model_validate(event), packed_config()
    deployment = merge(config, _previous(), request)
    if request.waited_seconds == 0:
        publish(deployment)
        retag(config, deployment)
    leftovers = find_leftovers(config, deployment)
    if leftovers.filters and request.waited_seconds >= GRACE_SECONDS:
        delete_filters(leftovers)
        leftovers = replace(leftovers, filters=[])
    if config.prune:
        prune(leftovers)
    done = not leftovers.filters and not (config.prune and names(leftovers))
    waiting = [{"status": "ACTIVE" if done else "PENDING"}]
    return step_output(waiting, request.waited_seconds, deployment=deployment.model_dump(), leftover=names(leftovers))


def _previous() -> Deployment | None:
    """What is deployed now, None before the first run."""
    try:
        return read_deployment(clients.ssm(), environment.current().deployment_parameter)
    except NotDeployed:
        return None


def merge(config: Config, before: Deployment | None, request: PublishRequest) -> Deployment:
    """What this run deployed, over what earlier runs did: a part that failed now goes on as it was."""
    campaigns = {name: arn for name, arn in (before.campaigns if before else {}).items() if name in config.solutions}
    filters = {name: arn for name, arn in (before.filters if before else {}).items() if name in config.filters}
    tracking_id = before.tracking_id if before else ""
    for resource in request.resources:
        if resource.status != "ACTIVE":
            continue
        if resource.kind == "filter":
            filters[resource.name] = resource.arn
        else:
            tracking_id = resource.tracking_id
    return Deployment(
        run_id=request.run_id,
        dataset_group_arn=dataset_group_arn(config),
        tracking_id=tracking_id,
        campaigns=campaigns | {c.name: c.arn for c in request.campaigns if c.status == "ACTIVE"},
        filters=filters,
        catalogue=config.datasets.items is not None,  # the run has loaded it, or it would not have come so far
    )
