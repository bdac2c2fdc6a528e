"""Lambda proxy integrations (AWS_PROXY). docs: lambda/latest/dg/services-apigateway.html"""

from __future__ import annotations

import base64
import json
import uuid
from typing import Any

from werkzeug.datastructures import Headers
from werkzeug.wrappers import Response

from localaws.gateway.request import Call, Refusal
from localaws.workers.worker import Outcome


def event_of(call: Call, binary_media_types: list[str]) -> bytes:
    """The event (version 1.0) that the function gets."""
    request, headers = call.request, Headers(call.request.headers)
    headers.setdefault("X-Forwarded-For", request.remote_addr or "127.0.0.1")
    headers.setdefault("X-Forwarded-Port", request.environ.get("SERVER_PORT", "443"))
    headers.setdefault("X-Forwarded-Proto", request.scheme)
    headers.setdefault("X-Amzn-Trace-Id", f"Root=1-{int(call.received):08x}-{uuid.uuid4().hex[:24]}")
    binary = _is_binary(call.content_type, binary_media_types)
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
        "body": _body(call.body, binary),
        "isBase64Encoded": bool(call.body) and binary,
    }
    return json.dumps(event).encode()


def response_of(outcome: Outcome, accept: str, binary_media_types: list[str]) -> Response:
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
    data = (body or "").encode()
    if answer.get("isBase64Encoded") and _is_binary(accept.split(",")[0].split(";")[0].strip(), binary_media_types):
        data = base64.b64decode(data)
    headers = Headers()
    for name, value in (answer.get("headers") or {}).items():
        headers.set(name, _text(value))
    for name, values in (answer.get("multiValueHeaders") or {}).items():
        headers.setlist(name, [_text(value) for value in values])
    headers.setdefault("Content-Type", "application/json")
    return Response(data, int(answer["statusCode"]), headers)


def _body(body: bytes, binary: bool) -> str | None:
    if not body:
        return None
    return base64.b64encode(body).decode() if binary else body.decode("utf-8", "replace")


def _is_binary(media_type: str, binary_media_types: list[str]) -> bool:
    family = f"{media_type.split('/')[0]}/*"
    return any(known in ("*/*", media_type, family) for known in binary_media_types)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _malformed() -> Refusal:
    return Refusal("DEFAULT_5XX", 502, "Internal server error", "InternalServerErrorException")
