"""Lambda proxy integrations (AWS_PROXY). docs: lambda/latest/dg/services-apigateway.html"""

from __future__ import annotations

import json
import uuid
from typing import Any

from werkzeug.datastructures import Headers
from werkzeug.wrappers import Response

from localaws.gateway.request import Call, Refusal
from localaws.workers.worker import Outcome


def event_of(call: Call) -> bytes:
    """The event (version 1.0) that the function gets."""
    request, headers = call.request, Headers(call.request.headers)
    headers.setdefault("X-Forwarded-For", request.remote_addr or "127.0.0.1")
    headers.setdefault("X-Forwarded-Port", request.environ.get("SERVER_PORT", "443"))
    headers.setdefault("X-Forwarded-Proto", request.scheme)
    headers.setdefault("X-Amzn-Trace-Id", f"Root=1-{int(call.received):08x}-{uuid.uuid4().hex[:24]}")
    event = {
        "resource": call.method.resource_path,
        "path": call.path,
        "httpMethod": request.method,
        "headers": {name: headers.getlist(name)[-1] for name in headers.keys()},  # noqa: SIM118 - not a dict
        "multiValueHeaders": {name: headers.getlist(name) for name in headers.keys()},  # noqa: SIM118
        "queryStringParameters": call.last_query_values or None,
        "multiValueQueryStringParameters": dict(request.args.lists()) or None,
        "pathParameters": call.path_parameters or None,
        "stageVariables": call.stage_variables or None,
        "requestContext": call.context,
        "body": call.body.decode("utf-8", "replace") or None,
        "isBase64Encoded": False,
    }
    return json.dumps(event).encode()


def response_of(outcome: Outcome) -> Response:
    """The function's answer as an HTTP response. Raises Refusal (502) if it is not of the agreed form."""
    try:
        answer = json.loads(outcome.result.payload)
    except ValueError as error:
        raise _malformed() from error
    if outcome.result.error or not isinstance(answer, dict) or not str(answer.get("statusCode", "")).isdigit():
        raise _malformed()
    body = answer.get("body")
    if not isinstance(body, str | None):
        raise _malformed()
    headers = Headers()
    for name, value in (answer.get("headers") or {}).items():
        headers.set(name, _text(value))
    for name, values in (answer.get("multiValueHeaders") or {}).items():
        headers.setlist(name, [_text(value) for value in values])
    headers.setdefault("Content-Type", "application/json")
    return Response(body or "", int(answer["statusCode"]), headers)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _malformed() -> Refusal:
    return Refusal("DEFAULT_5XX", 502, "Internal server error", "InternalServerErrorException")
