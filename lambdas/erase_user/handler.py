"""DELETE /users/{user_id}: from this moment on nothing may use the user; what there is goes with the daily deletion job."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.shared.erasures import erase
from lambdas.shared.observability import logger

app = APIGatewayRestResolver()

#: Longest user id of Personalize (personalize/latest/dg/limits.html).
MAX_ID = 256


@app.delete("/users/.+")
def delete_user() -> Response[str]:
    user_id = app.current_event.path_parameters["user_id"]
    if not 1 <= len(user_id) <= MAX_ID:
        error = {"code": "bad_request", "field": "user_id", "message": f"user_id must have 1 to {MAX_ID} characters"}
        return Response(HTTPStatus.BAD_REQUEST, "application/json", json.dumps({"error": error}))
    answer = {"user_id": user_id, "erased_at": erase(user_id)}
    return Response(HTTPStatus.ACCEPTED, "application/json", json.dumps(answer))


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
