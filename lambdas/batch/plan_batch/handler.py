"""First state of a batch run: take the lock, say which batches and segments are made."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from lambdas.aws.observability import logger
from lambdas.batch.runs import Making, version_of
from lambdas.config import Config
from lambdas.config.packed import packed_config
from lambdas.stores.runs import take_lock


class PlanRequest(BaseModel):
    """`wanted` limits the run to these batches and segments; all by default."""

    execution_arn: str
    run_started: datetime
    wanted: list[str] | None = None


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request = PlanRequest.model_validate(event)
    running = take_lock(request.execution_arn, "batch")
    if running is not None:
        return {"already_running": running}
    return {"making": [making.model_dump() for making in plan(packed_config(), request)]}


def plan(config: Config, request: PlanRequest) -> list[Making]:
    """What the run makes. Raises ValueError for a name that the config does not have."""
    version = version_of(request.run_started)
    there = [Making(kind="batch", name=name, version=version) for name in config.batch]
    there += [Making(kind="segment", name=name, version=version) for name in config.segments]
    names = {making.name for making in there}
    unknown = [name for name in request.wanted or [] if name not in names]
    if unknown:
        listed = ", ".join(sorted(names)) or "none"
        raise ValueError(f"input.wanted: there is no batch or segment '{unknown[0]}' (there are: {listed})")
    return [making for making in there if request.wanted is None or making.name in request.wanted]
