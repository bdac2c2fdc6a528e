"""Decides which versions go live: by numbers (the gate), and by a person where the config asks for one.

The state machine calls it, to judge and to ask; what the person decides comes through the function of the page, approval_page.
"""

from __future__ import annotations

from typing import Any, Literal

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from lambdas.aws.observability import logger
from lambdas.config.packed import packed_config
from lambdas.training.approve_versions import approvals
from lambdas.training.approve_versions.gate import Verdict
from lambdas.training.approve_versions.versions import judge_versions


class JudgeRequest(BaseModel):
    """`trained` are the parts of the training step's answer."""

    step: Literal["judge"]
    trained: list[dict[str, Any]]


class AskRequest(BaseModel):
    step: Literal["ask"]
    verdict: Verdict
    run_id: str
    task_token: str


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    if event.get("step") == "ask":
        request = AskRequest.model_validate(event)
        return approvals.ask(request.verdict, request.run_id, request.task_token)
    trained = JudgeRequest.model_validate(event).trained
    return [verdict.model_dump(mode="json") for verdict in judge_versions(packed_config(), trained)]
