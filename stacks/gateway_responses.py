"""What API Gateway answers by itself, in the shape of all errors of the API: `{"error": {"code", "message", "field"?}}`.

docs: apigateway/latest/developerguide/supported-gateway-response-types.html
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from aws_cdk import aws_apigateway as apigateway

from lambdas.config.events import MAX_BATCH

Type = apigateway.ResponseType
#: Stands for API Gateway's own message, which it writes as a JSON string.
_OWN_MESSAGE = "OWN"
#: What API Gateway's validator found, in square brackets; it escapes quotation marks as a JSON string has them.
_VALIDATION = "$context.error.validationErrorString"
_EVENTS = f"{{'events': [...]}}, with 1 to {MAX_BATCH} events, each an object of plain values"
_TEXTS = "no text may hold half of a surrogate pair"
#: What a body must be: API Gateway says neither the place of a mistake nor all of the rule. By whether the API is the browsers'.
_BODIES = {
    True: f"the body must be {_EVENTS}; {_TEXTS}",
    False: (
        f"the body of POST /events must be {_EVENTS}; that of PUT and PATCH an object with one column of the schema at least; "
        f"{_TEXTS}"
    ),
}
_RETRY = "more calls than are allowed; send it again later"


def add_gateway_responses(
    api: apigateway.RestApi, origins: Sequence[str], *, signed: bool, browsers: bool, browsers_may: str
) -> None:
    """One answer for each kind of refusal that callers meet, and one for all others of its class.

    `browsers_may` is `Api.browsers_may`."""
    answers: list[tuple[apigateway.ResponseType, str | None, dict[str, str]]] = [
        (Type.DEFAULT_4_XX, None, error("refused", _OWN_MESSAGE)),
        (Type.DEFAULT_5_XX, None, error("unavailable", "the call can't be answered right now; send it again")),
        (Type.BAD_REQUEST_BODY, "400", error("bad_request", f"{_BODIES[browsers]}. Found: {_VALIDATION}", "body")),
        (Type.INVALID_API_KEY, "403", error("forbidden", _wrong_key(browsers, browsers_may), "x-api-key")),
        (Type.THROTTLED, "429", error("too_many_requests", _RETRY)),
        (Type.QUOTA_EXCEEDED, "429", error("too_many_requests", _RETRY)),
        (Type.REQUEST_TOO_LARGE, "413", error("too_large", "a request may have 10 MB", "body")),
        (Type.UNSUPPORTED_MEDIA_TYPE, "415", error("unsupported_media_type", "must be application/json", "content-type")),
        _no_such_route(signed, browsers, browsers_may),
    ]
    origin = _fixed_origin(origins)
    allow_origin = {"Access-Control-Allow-Origin": f"'{origin}'"} if origin else {}
    for kind, status, body in answers:
        template = json.dumps({"error": body}).replace(f'"{_OWN_MESSAGE}"', "$context.error.messageString")
        api.add_gateway_response(
            "".join(part.title() for part in kind.response_type.split("_")),
            type=kind,
            status_code=status,
            response_headers=allow_origin,
            templates={"application/json": template},
        )


def error(code: str, message: str, field: str | None = None) -> dict[str, str]:
    return {"code": code, "message": message} | ({"field": field} if field else {})


def _wrong_key(browsers: bool, browsers_may: str) -> str:
    """Which key is asked for: API Gateway does not tell an unknown key from one that is for another API."""
    if browsers:
        return f"the key is missing or unknown: this address takes the browsers' key, which may {browsers_may}"
    return f"the key is missing or unknown, or it is the browsers' key: that key may {browsers_may}, at the browsers' address"


def _no_such_route(signed: bool, browsers: bool, browsers_may: str) -> Any:
    """API Gateway tells an unknown route and a missing signature by one type."""
    if browsers:
        said = f"the browsers' key may {browsers_may}; all else needs the servers' address and key"
        return Type.MISSING_AUTHENTICATION_TOKEN, "403", error("forbidden", said)
    if signed:
        return Type.MISSING_AUTHENTICATION_TOKEN, "403", error("forbidden", "the call is not signed, or there is no such route")
    return Type.MISSING_AUTHENTICATION_TOKEN, "404", error("no_such_route", "the API has no such path or no such method there")


def _fixed_origin(origins: Sequence[str]) -> str | None:
    """The origin that answers name without looking at the request, None where no page may call. Of several it is `*` for
    refusals, which tell nothing; what the API answers itself names the caller's."""
    return next(iter(origins), None) if len(origins) < 2 else "*"
