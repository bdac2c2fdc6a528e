"""Ensures a solution and its trained version, and fetches the version's metrics."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, ConfigDict

from lambdas.shared.config import packed_config
from lambdas.shared.observability import logger
from lambdas.train_solution.solutions import ensure_solution, ensure_version, metrics


class TrainRequest(BaseModel):
    """`name` is that of a solution in the config; `run_started` tells this run's versions from earlier ones."""

    model_config = ConfigDict(extra="ignore")

    name: str
    run_started: datetime
    retrain: bool = False


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request = TrainRequest.model_validate(event)
    config = packed_config()
    answer = {"name": request.name, "recipe": config.solutions[request.name].recipe}
    step = ensure_solution(config, request.name)
    if step.status == "ACTIVE":
        step = ensure_version(config, request.name, request.run_started, request.retrain)
    if step.status == "ACTIVE":
        answer["metrics"] = metrics(step.arn)  # type: ignore[assignment]
    return step.answer(**answer)
