"""Ensures the solutions and their trained versions, and fetches the versions' metrics."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from lambdas.aws.ensure import StepResult, active, result_of, step_output
from lambdas.aws.observability import logger
from lambdas.config import Config
from lambdas.config.packed import packed_config
from lambdas.training.train_solutions.solutions import ensure_solution, ensure_version
from lambdas.training.version_metrics import version_metrics


class TrainRequest(BaseModel):
    """`solutions` are names of the config; `run_started` tells this run's versions from earlier ones."""

    solutions: list[str]
    run_started: datetime
    retrain: bool = False
    waited_seconds: int = 0


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request, config = TrainRequest.model_validate(event), packed_config()
    parts = [
        result_of({"name": name, "recipe": config.solutions[name].recipe}, partial(ensure, config, name, request))
        for name in request.solutions
    ]
    return step_output(parts, request.waited_seconds)


def ensure(config: Config, name: str, request: TrainRequest) -> StepResult:
    """The solution, then its version, then what the service measured."""
    seen = ensure_solution(config, name, request.run_started)
    if seen.active:
        seen = ensure_version(config, name, request.run_started, request.retrain)
        if seen.active:
            return active(seen.arn, metrics=version_metrics(seen.arn))
    return seen
