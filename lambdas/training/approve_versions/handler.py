"""Decides which versions go live: by numbers (the gate), and by a person where the config asks for one.

The state machine calls it, to judge, to make the sample lists that the person looks at, and to ask; what the person decides comes
through the function of the page, approval_page.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from lambdas.aws.observability import logger
from lambdas.config.packed import packed_config
from lambdas.stores import sample_lists
from lambdas.stores.sample_lists import Made
from lambdas.training.approve_versions import approvals
from lambdas.training.approve_versions.gate import Verdict
from lambdas.training.approve_versions.samples import SamplesRequest, make_samples
from lambdas.training.approve_versions.versions import judge_versions


class JudgeRequest(BaseModel):
    """`trained` are the parts of the training step's answer."""

    step: Literal["judge"]
    trained: list[dict[str, Any]]


class AskRequest(BaseModel):
    step: Literal["ask"]
    verdict: Verdict
    run_id: str
    run_started: datetime | None = None
    samples: Made = Made()
    task_token: str


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    if event.get("step") == "ask":
        request = AskRequest.model_validate(event)
        samples = sample_lists.kept(request.samples)
        return approvals.ask(request.verdict, request.run_id, request.run_started, request.task_token, samples)
    if event.get("step") == "samples":
        return make_samples(packed_config(), SamplesRequest.model_validate(event))
    trained = JudgeRequest.model_validate(event).trained
    return [verdict.model_dump(mode="json") for verdict in judge_versions(packed_config(), trained)]
