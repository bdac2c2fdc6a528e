"""Ensures the dataset group, or the event tracker and the filters."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from lambdas.aws.ensure import StepResult, result_of, step_output
from lambdas.aws.observability import logger
from lambdas.config import Config
from lambdas.config.packed import packed_config
from lambdas.training.prepare_resources.resources import ensure_dataset_group, ensure_event_tracker, ensure_filter


class Resource(BaseModel):
    """`name` is that of a filter in the config."""

    kind: Literal["dataset_group", "event_tracker", "filter"]
    name: str = ""


class PrepareRequest(BaseModel):
    resources: list[Resource]
    waited_seconds: int = 0


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request, config = PrepareRequest.model_validate(event), packed_config()
    return step_output((result_of(r.model_dump(), partial(ensure, config, r)) for r in request.resources), request.waited_seconds)


def ensure(config: Config, resource: Resource) -> StepResult:
    if resource.kind == "dataset_group":
        return ensure_dataset_group(config)
    if resource.kind == "event_tracker":
        return ensure_event_tracker(config)
    return ensure_filter(config, resource.name)
