"""Ensures the dataset group, the event tracker or one filter."""

from __future__ import annotations

from typing import Any, Literal

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, ConfigDict

from lambdas.prepare_resources.resources import ensure_dataset_group, ensure_event_tracker, ensure_filter
from lambdas.shared.config import packed_config
from lambdas.shared.observability import logger


class PrepareRequest(BaseModel):
    """`name` is that of a filter in the config."""

    model_config = ConfigDict(extra="ignore")

    kind: Literal["dataset_group", "event_tracker", "filter"]
    name: str = ""


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request = PrepareRequest.model_validate(event)
    config = packed_config()
    if request.kind == "dataset_group":
        return ensure_dataset_group(config).answer()
    if request.kind == "event_tracker":
        step, tracking_id = ensure_event_tracker(config)
        return step.answer(kind=request.kind, tracking_id=tracking_id)
    return ensure_filter(config, request.name).answer(kind=request.kind, name=request.name)
