"""The page behind the link of an approval mail.

It needs no key, and its role allows one thing: to exchange the link's random id for the token with which the run goes on.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.aws.observability import correlate, logger
from lambdas.config.data import Language
from lambdas.config.packed import packed_config
from lambdas.training import approvals
from lambdas.training.approval_page import page

app = APIGatewayRestResolver()


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    correlate([event["requestContext"]["requestId"]])
    return app.resolve(event, context)


@app.get("/approvals/<approval_id>")
def show(approval_id: str) -> Response[str]:
    """The page; a mail scanner that opens the link decides nothing."""
    approval = approvals.find(approval_id)
    if approval is None:
        return html(HTTPStatus.NOT_FOUND, page.gone(language()))
    return html(HTTPStatus.OK, page.question(approval, language()))


@app.post("/approvals/<approval_id>")
def decide(approval_id: str) -> Response[str]:
    decision = parse_qs(app.current_event.decoded_body or "").get("decision", [""])[0]
    if decision not in ("approve", "reject"):
        return html(HTTPStatus.BAD_REQUEST, page.not_understood(language()))
    approval = approvals.decide(approval_id, decision == "approve")
    if approval is None:
        return html(HTTPStatus.NOT_FOUND, page.gone(language()))
    logger.info("a person decided", extra={"solution": approval.solution, "run": approval.run_id, "decision": decision})
    return html(HTTPStatus.OK, page.decided(approval, decision == "approve", language()))


@app.not_found
def no_such_page(error: Exception) -> Response[str]:
    return html(HTTPStatus.NOT_FOUND, page.gone(language()))


def language() -> Language:
    """The one in which the config wants pages."""
    return packed_config().display.language


def html(status: HTTPStatus, body: str) -> Response[str]:
    headers: dict[str, str | list[str]] = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"
    return Response(status, "text/html; charset=utf-8", body, headers)
