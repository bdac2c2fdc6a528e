"""What API Gateway checks before it calls an integration: authorization, API key, parameters, body."""

from __future__ import annotations

import json
from typing import Any

import jsonschema

from localaws.gateway.request import Call, Refusal
from localaws.gateway.signatures import check_signature
from localaws.gateway.usage_plans import UsagePlans

MAX_BODY_BYTES = 10_485_760  # docs: apigateway/latest/developerguide/limits.html


def check_size(content_length: int | None) -> None:
    if (content_length or 0) > MAX_BODY_BYTES:
        message = f"HTTP content length exceeded {MAX_BODY_BYTES} bytes."
        raise Refusal("REQUEST_TOO_LARGE", 413, message, "RequestEntityTooLargeException")


def check_call(call: Call, plans: UsagePlans, region: str) -> None:
    """Raises Refusal for a request that the gateway doesn't let through."""
    _check_authorization(call, region)
    _check_api_key(call, plans)
    if call.method.validates_parameters:
        _check_parameters(call)
    if call.method.validates_body:
        _check_body(call)


def _check_authorization(call: Call, region: str) -> None:
    kind = call.method.settings.get("authorizationType", "NONE")
    if kind == "NONE":
        return
    if kind == "AWS_IAM":
        if "Authorization" not in call.request.headers:
            raise missing_token()
        check_signature(call, region)
        return
    raise Refusal("AUTHORIZER_CONFIGURATION_ERROR", 500, f"The authorizer type {kind} is not emulated.")


def _check_api_key(call: Call, plans: UsagePlans) -> None:
    if not call.method.settings.get("apiKeyRequired"):
        return
    value = call.request.headers.get("x-api-key", "")
    method = f"{call.method.resource_path}/{call.request.method}"
    use = plans.use(value, call.api_id, call.stage, method) if value else None
    if use is None:
        raise Refusal("INVALID_API_KEY", 403, "Forbidden", "ForbiddenException")
    call.context["identity"].update(apiKey=value, apiKeyId=use.key_id)
    if use.refused == "THROTTLED":
        raise Refusal("THROTTLED", 429, "Too Many Requests", "TooManyRequestsException")
    if use.refused == "QUOTA_EXCEEDED":
        raise Refusal("QUOTA_EXCEEDED", 429, "Limit Exceeded", "LimitExceededException")


def _check_parameters(call: Call) -> None:
    missing = []
    for parameter, required in (call.method.settings.get("requestParameters") or {}).items():
        place, name = parameter.split(".", 3)[2:4]
        values = call.request.headers if place == "header" else call.parameters[place]
        if str(required).lower() == "true" and not values.get(name):
            missing.append(name)
    if missing:
        message = f"Missing required request parameters: [{', '.join(missing)}]"
        raise Refusal("BAD_REQUEST_PARAMETERS", 400, message, "BadRequestException")


def _check_body(call: Call) -> None:
    validator = call.method.models.get(call.content_type) or call.method.models.get("$default")
    if validator is None:
        return
    try:
        if call.text is None:
            raise ValueError
        wrong = [_said(error) for error in validator.iter_errors(json.loads(call.text or "null", parse_constant=_no_such_value))]
    except (ValueError, RecursionError):
        wrong = ["the body is not JSON"]
    if wrong:
        validation = f"[{', '.join(wrong)}]"
        raise Refusal("BAD_REQUEST_BODY", 400, "Invalid request body", "BadRequestException", validation)


def _said(error: jsonschema.ValidationError) -> str:
    """What API Gateway, which validates with the Java library json-schema-validator, says of an error."""
    rule: Any = error.validator_value
    given: Any = error.instance
    match error.validator:
        case "required":
            missing = [name for name in rule if name not in given]
            return f"object has missing required properties ({_listed(missing)})"
        case "additionalProperties":
            schema: Any = error.schema
            more = [name for name in given if name not in schema.get("properties", {})]
            return f"object instance has properties which are not allowed by the schema: {_listed(more)}"
        case "type":
            allowed = _listed([rule] if isinstance(rule, str) else rule)
            return f"instance type ({_type_of(given)}) does not match any allowed primitive type (allowed: {allowed})"
        case "minItems" | "maxItems":
            size, bound = ("short", "least") if error.validator == "minItems" else ("long", "most")
            return f"array is too {size}: must have at {bound} {rule} elements but instance has {len(given)} elements"
        case "minProperties":
            return f"object has too few properties: must have at least {rule} properties but instance has {len(given)} properties"
        case "pattern":
            return f"ECMA 262 regex {json.dumps(rule)} does not match input string {json.dumps(given)}"
    return error.message


def _listed(names: list[str]) -> str:
    return json.dumps(names, separators=(",", ":"))


def _type_of(value: Any) -> str:
    names = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}
    return names.get(type(value), "null")


def _no_such_value(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def missing_token() -> Refusal:
    """Also the answer for a path or a verb that the API doesn't have."""
    return Refusal(
        "MISSING_AUTHENTICATION_TOKEN",
        403,
        "Missing Authentication Token",
        "MissingAuthenticationTokenException",
    )
