"""Two steps of making a batch or a segment: `prepare` what its input is built of, `run` its job in Personalize to its end."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any, Literal

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from lambdas.aws.ensure import result_of, step_output
from lambdas.aws.observability import logger
from lambdas.batch.run_batch_job.inputs import prepare
from lambdas.batch.run_batch_job.jobs import ensure_job
from lambdas.batch.runs import Making
from lambdas.config.packed import packed_config


class StepRequest(BaseModel):
    step: Literal["prepare", "run"]
    making: Making
    run_started: datetime
    erased: str = ""
    waited_seconds: int = 0


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request, config = StepRequest.model_validate(event), packed_config()
    if request.step == "prepare":
        return prepare(config, request.making, request.run_started, request.erased)
    result = result_of({"name": request.making.name}, partial(ensure_job, config, request.making))
    return step_output([result], request.waited_seconds)
