"""Decides which versions go live: by numbers (the gate), and by a person where the config asks for one.

Called by the state machine to judge and to ask, and by the API when the person follows the link.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import parse_qs

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, ConfigDict

from lambdas.aws.observability import correlate, logger
from lambdas.config import packed_config
from lambdas.training.approve_versions import approvals, page
from lambdas.training.approve_versions.gate import Verdict
from lambdas.training.approve_versions.versions import judge_versions

app = APIGatewayRestResolver()


class JudgeRequest(BaseModel):
    """`trained` are the parts of the training step's answer."""

    model_config = ConfigDict(extra="ignore")

    step: Literal["judge"]
    trained: list[dict[str, Any]]


class AskRequest(BaseModel):
    model_config = ConfigDict(extra="ignore")

    step: Literal["ask"]
    verdict: Verdict
    run_id: str
    task_token: str


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    if "httpMethod" in event:
        correlate([event["requestContext"]["requestId"]])
        return app.resolve(event, context)
    if event.get("step") == "ask":
        request = AskRequest.model_validate(event)
        return approvals.ask(request.verdict, request.run_id, request.task_token)
    trained = JudgeRequest.model_validate(event).trained
    return [verdict.model_dump(mode="json") for verdict in judge_versions(packed_config(), trained)]


@app.get("/approvals/<approval_id>")
def show(approval_id: str) -> Response[str]:
    """The page; a mail scanner that opens the link decides nothing."""
    approval = approvals.find(approval_id)
    return html(HTTPStatus.OK, page.question(approval)) if approval else html(HTTPStatus.NOT_FOUND, page.gone())


@app.post("/approvals/<approval_id>")
def decide(approval_id: str) -> Response[str]:
    decision = parse_qs(app.current_event.decoded_body or "").get("decision", [""])[0]
    if decision not in ("approve", "reject"):
        return html(HTTPStatus.BAD_REQUEST, page.document("Not understood", "<p>decision must be approve or reject.</p>"))
    approval = approvals.decide(approval_id, decision == "approve")
    if approval is None:
        return html(HTTPStatus.NOT_FOUND, page.gone())
    logger.info("a person decided", extra={"solution": approval.solution, "run": approval.run_id, "decision": decision})
    return html(HTTPStatus.OK, page.decided(approval, decision == "approve"))


@app.not_found
def no_such_page(error: Exception) -> Response[str]:
    return html(HTTPStatus.NOT_FOUND, page.gone())


def html(status: HTTPStatus, body: str) -> Response[str]:
    headers: dict[str, str | list[str]] = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"
    return Response(status, "text/html; charset=utf-8", body, headers)
