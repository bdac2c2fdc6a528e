"""Requests made from the service models, and sent without the client's own checks."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore.model import OperationModel, Shape

SAMPLES = {
    "Arn": "arn:aws:personalize:us-east-1:123456789012:campaign/none",
    "RoleArn": "arn:aws:iam::123456789012:role/personalize",
    "KmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/1",
    "S3Location": "s3://bucket/key",
    "SchedulingExpression": "rate(7 days)",
    "NextToken": "x",
}


def operations() -> dict[str, OperationModel]:
    session = botocore.session.Session()
    models = [session.get_service_model(f"personalize{suffix}") for suffix in ("", "-runtime", "-events")]
    return {name: model.operation_model(name) for model in models for name in model.operation_names}


OPERATIONS = operations()


def send(endpoint: str, name: str, request: Any) -> tuple[int, dict[str, Any]]:
    """HTTP status and JSON answer of an operation."""
    operation = OPERATIONS[name]
    headers = {"Content-Type": "application/json"}
    if operation.service_model.service_name == "personalize":
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"AmazonPersonalize.{name}"}
    connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=300)
    body = request if isinstance(request, bytes) else json.dumps(request).encode()
    connection.request(operation.http["method"], operation.http["requestUri"], body, headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, json.loads(text) if text else {}


def sample(shape: Shape) -> Any:
    """A value with every member, which breaks no constraint."""
    if shape.type_name == "structure":
        return {name: sample(member) for name, member in shape.members.items()}
    if shape.type_name == "list":
        return [sample(shape.member)]
    if shape.type_name == "map":
        return {sample(shape.key): sample(shape.value)}
    if "enum" in shape.metadata:
        return shape.metadata["enum"][0]
    if shape.type_name == "boolean":
        return True
    if shape.type_name == "timestamp":
        return 1_700_000_000
    if shape.type_name in ("integer", "long", "float", "double"):
        return max(0, shape.metadata.get("min", 0))
    return SAMPLES.get(shape.name, "a")


def violations(shape: Shape, value: Any) -> Iterator[tuple[str, Any]]:
    """Each constraint of a shape broken by itself: the member's path and the request."""
    if shape.type_name == "structure":
        yield from _broken_structures(shape, value)
        return
    for broken in _broken(shape, value):
        yield "", broken
    if shape.type_name == "list":
        for path, broken in violations(shape.member, value[0]):
            yield f"1.member.{path}".rstrip("."), [broken]
    elif shape.type_name == "map":
        key = next(iter(value))
        for path, broken in violations(shape.value, value[key]):
            yield f"{key}.{path}".rstrip("."), {key: broken}
        for _, broken in violations(shape.key, key):
            if isinstance(broken, str):
                yield "key", {broken: value[key]}


def _broken_structures(shape: Shape, value: Any) -> Iterator[tuple[str, Any]]:
    yield "", "not a structure"
    for name in shape.required_members:
        yield name, {k: v for k, v in value.items() if k != name}
    for name, member in shape.members.items():
        for path, broken in violations(member, value[name]):
            yield f"{name}.{path}".rstrip("."), {**value, name: broken}


def _broken(shape: Shape, value: Any) -> list[Any]:
    """Values that are of the wrong type, or over or under a limit of the shape."""
    limits = shape.metadata
    low, high = limits.get("min"), limits.get("max")
    over = [] if high is None else [high + 1]
    if shape.type_name in ("integer", "long", "float", "double"):
        return ["1", True, *over] + ([] if low is None else [low - 1])
    if shape.type_name == "list":
        return [{}] + [[]] * bool(low) + [value * size for size in over]
    if shape.type_name == "map":
        [(key, entry)] = value.items()
        return [[], *({f"{key}{n}": entry for n in range(size)} for size in over)]
    if shape.type_name == "string":
        wrong: list[Any] = [5, []] + [""] * bool(low) + ["NEITHER"] * ("enum" in limits)
        return [*wrong, *("a" * size for size in over)] + ["\u00e9 \n?"] * ("pattern" in limits)
    return {"boolean": ["true"], "timestamp": ["yesterday", {}]}[shape.type_name]
