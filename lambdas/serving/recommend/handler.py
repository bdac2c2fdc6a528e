"""The serving API: GET /recommendations/{placement}, POST /rankings/{placement}, GET /batch/{name}/users/{user_id}."""

# ruff: noqa: E402 - the first lines are for the imports that follow
from __future__ import annotations

import gc

gc.disable()  # nothing of what is imported becomes garbage, and to look for it takes a tenth of a cold start

import json
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from lambdas.aws.observability import correlate, logger, publish_counts
from lambdas.serving.recommend import browsers, snapshot
from lambdas.serving.recommend.api import BadRequest, Listed, RankingRequest, parse, read_query
from lambdas.serving.recommend.placements import NoSuchPlacement, rank, read_batch, recommend
from lambdas.serving.recommend.worker import worker
from lambdas.stores.deployment import NotDeployed
from lambdas.stores.user_tokens import InvalidToken

app = APIGatewayRestResolver()
snapshot.register_hooks()


@app.get("/recommendations/<placement>")
def get_recommendations(placement: str) -> Response[str]:
    query, config = app.current_event.resolved_query_string_parameters, worker().documents.config()
    if browsers.calls(app.current_event):
        said = {name: values[0] if len(values) == 1 else values for name, values in query.items()}
        read = browsers.read(config, app.current_event, placement, said)
        query = {name: [value] if isinstance(value, str) else value for name, value in read.items()}
    request = read_query(query)
    answer = recommend(worker(), placement, request)
    anybodys = request.user_id is None and request.session_id is None
    may_be_kept = anybodys and answer.returned and not answer.degraded
    return _answered(answer, config.serving.cache_seconds if may_be_kept else 0)


@app.post("/rankings/<placement>")
def post_ranking(placement: str) -> Response[str]:
    try:
        body = json.loads(app.current_event.decoded_body or "")
    except (ValueError, RecursionError):
        raise BadRequest("body", "is not JSON") from None
    if browsers.calls(app.current_event) and isinstance(body, dict):
        body = browsers.read(worker().documents.config(), app.current_event, placement, body)
        session = body.pop("session_id", None)
        body.setdefault("user_id", session)
    return _answered(rank(worker(), placement, parse(RankingRequest, body)))


@app.get("/batch/<name>/users/(?s:.+)")
def get_batch_list(name: str) -> Response[str]:
    """The user is read from the parameters of the path: an id may hold any character."""
    user_id = app.current_event.path_parameters["user_id"]
    query = app.current_event.resolved_query_string_parameters
    request = read_query({**query, "user_id": [*query.get("user_id", []), user_id]})
    return _answered(read_batch(worker(), name, request))


def _answered(answer: Listed, cache_seconds: int = 0) -> Response[str]:
    """The list, and whether anybody may keep it for other users too."""
    cached = f"public, max-age={cache_seconds}" if cache_seconds else "private, no-store"
    return Response(HTTPStatus.OK, "application/json", answer.model_dump_json(exclude_none=True), {"Cache-Control": cached})


def refused(status: HTTPStatus, code: str, message: str, field: str | None = None) -> Response[str]:
    """An error as every route of the API gives it."""
    error = {"code": code, "message": message} | ({"field": field} if field else {})
    return Response(status, "application/json", json.dumps({"error": error}))


@app.not_found
def no_such_path(error: Exception) -> Response[str]:
    """A name in the path that none of the config's can be: names have no line breaks and the like."""
    return refused(HTTPStatus.NOT_FOUND, "no_such_route", "there is nothing at this path")


@app.exception_handler(BadRequest)
def bad_request(error: BadRequest) -> Response[str]:
    return refused(HTTPStatus.BAD_REQUEST, "bad_request", f"{error.field} {error}", error.field)


@app.exception_handler(NoSuchPlacement)
def no_such_placement(error: NoSuchPlacement) -> Response[str]:
    return refused(HTTPStatus.NOT_FOUND, f"no_such_{error.field}", str(error), error.field)


@app.exception_handler(browsers.ForeignPage)
def foreign_page(error: browsers.ForeignPage) -> Response[str]:
    return refused(HTTPStatus.FORBIDDEN, "forbidden", f"pages of {error} may not call: name them in api.cors_origins", "origin")


@app.exception_handler(InvalidToken)
def invalid_token(error: InvalidToken) -> Response[str]:
    code = "token_expired" if error.expired else "forbidden"
    return refused(HTTPStatus.FORBIDDEN, code, f"user_token {error}", "user_token")


@app.exception_handler(NotDeployed)
def not_deployed(error: NotDeployed) -> Response[str]:
    return refused(HTTPStatus.SERVICE_UNAVAILABLE, "not_deployed", str(error))


@app.exception_handler([ClientError, BotoCoreError])
def upstream_failed(error: Exception) -> Response[str]:
    """SSM did not answer a worker that has just begun. The cause is for the log alone: it may name ARNs."""
    logger.exception("upstream call failed")
    return refused(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "recommendations are not available right now")


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    correlate([event["requestContext"]["requestId"]])
    answer = app.resolve(event, context)
    if browsers.calls(event):
        answer["multiValueHeaders"] |= browsers.headers(worker().documents.config(), event)
    publish_counts()
    return answer


gc.freeze()  # nor is it looked through again while somebody waits for an answer
gc.enable()
