"""Requests and answers of the three Personalize APIs, driven by botocore's service models.

`decode` checks a JSON body against an input shape and collects every violated constraint: types, required
members, lengths, ranges, enums and patterns. `encode` keeps of an answer what the output shape declares.
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import botocore.session
from botocore.model import ListShape, OperationModel, Shape, StructureShape

from personalize_emulator.errors import InvalidInput, PersonalizeError, UnknownOperation

SERVICES = ("personalize", "personalize-runtime", "personalize-events")

# Classes of the models' regular expressions that Python's `re` does not know.
_UNICODE_CLASSES = {
    r"\p{ASCII}": r"[\x00-\x7F]",
    r"\p{L}": r"\w",
    r"\p{N}": "",
    r"\p{Z}": " \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
}


@dataclass(frozen=True)
class Operation:
    """One operation of one of the three services."""

    name: str
    service: str
    input: StructureShape | None
    output: StructureShape | None
    model: OperationModel
    errors: frozenset[str]  # the codes that the model declares


@cache
def operations() -> Mapping[str, Operation]:
    """All operations of the three services by their API name."""
    session = botocore.session.Session()
    found: dict[str, Operation] = {}
    for service in SERVICES:
        model = session.get_service_model(service)
        for name in model.operation_names:
            op = model.operation_model(name)
            errors = frozenset(shape.name for shape in op.error_shapes)
            found[name] = Operation(name, service, op.input_shape, op.output_shape, op, errors)
    return found


@cache
def _rest_routes() -> Mapping[tuple[str, str], Operation]:
    return {
        (op.model.http["method"], op.model.http["requestUri"]): op for op in operations().values() if op.service != "personalize"
    }


def route(method: str, path: str, target: str | None) -> Operation:
    """The operation that a request is for.

    Raises UnknownOperation.
    """
    if target:
        prefix, _, name = target.rpartition(".")
        op = operations().get(name)
        if prefix == "AmazonPersonalize" and op and op.service == "personalize":
            return op
        raise UnknownOperation(f"Unknown operation {target}")
    found = _rest_routes().get((method, path))
    if found is None:
        raise UnknownOperation(f"No operation of Amazon Personalize is at {method} {path}")
    return found


def decode(body: bytes, shape: StructureShape | None) -> dict[str, Any]:
    """The members of a request; timestamps become epoch seconds.

    Raises InvalidInput that names every member that breaks its constraint.
    """
    try:
        value = json.loads(body) if body else {}
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"The request body is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise InvalidInput("The request body must be a JSON object")
    if shape is None:
        return {}
    violations: list[str] = []
    request: dict[str, Any] = _read(shape, value, "", violations)
    if violations:
        count = f"{len(violations)} validation error{'s' if len(violations) > 1 else ''} detected: "
        raise InvalidInput(count + "; ".join(violations[:20]))
    return request


def encode(result: Mapping[str, Any] | None, shape: StructureShape | None) -> bytes:
    """The JSON body of an answer: the members that the output shape declares."""
    if shape is None:
        return b""
    return json.dumps(_prune(shape, result or {}), separators=(",", ":")).encode()


def encode_error(error: PersonalizeError) -> bytes:
    return json.dumps({"__type": error.code, "message": error.message}).encode()


def error_status(error: PersonalizeError, operation: Operation | None) -> int:
    """The HTTP status of an error: what the operation's model declares for it, else the error's own."""
    if operation:
        for shape in operation.model.error_shapes:
            if shape.name == error.code:
                return int(shape.metadata.get("error", {}).get("httpStatusCode", error.status))
    return error.status


def _prune(shape: Shape, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(shape, StructureShape):
        members = shape.members
        return {k: _prune(members[k], v) for k, v in value.items() if k in members and v is not None}
    if isinstance(shape, ListShape):
        return [_prune(shape.member, v) for v in value]
    if shape.type_name == "timestamp":
        return math.floor(value * 1000) / 1000  # as recorded: dates with milliseconds
    return value


def _read(shape: Shape, value: Any, path: str, violations: list[str]) -> Any:
    expected, convert = _KINDS[shape.type_name]
    if not isinstance(value, expected) or (isinstance(value, bool) and shape.type_name != "boolean"):
        violations.append(
            f"Value {_shown(value)} at '{path}' failed to satisfy constraint: Member must be of type {shape.type_name}"
        )
        return None
    if convert is not None:
        return convert(shape, value, path, violations)
    for broken in _broken_constraints(shape, value):
        violations.append(f"Value {_shown(value)} at '{path}' failed to satisfy constraint: {broken}")
    return value


def _read_structure(shape: Any, value: dict[str, Any], path: str, violations: list[str]) -> dict[str, Any]:
    members = shape.members
    at = f"{path}." if path else ""
    for name in shape.required_members:
        if value.get(name) is None:
            violations.append(f"Value null at '{at}{name}' failed to satisfy constraint: Member must not be null")
    return {
        name: _read(members[name], item, at + name, violations)
        for name, item in value.items()
        if name in members and item is not None
    }


def _read_list(shape: Any, value: list[Any], path: str, violations: list[str]) -> list[Any]:
    violations.extend(f"Value at '{path}' failed to satisfy constraint: {b}" for b in _broken_constraints(shape, value))
    return [_read(shape.member, item, f"{path}.{i + 1}.member", violations) for i, item in enumerate(value)]


def _read_map(shape: Any, value: dict[str, Any], path: str, violations: list[str]) -> dict[str, Any]:
    violations.extend(f"Value at '{path}' failed to satisfy constraint: {b}" for b in _broken_constraints(shape, value))
    for key in value:
        _read(shape.key, key, f"{path}.key", violations)
    return {key: _read(shape.value, item, f"{path}.{key}", violations) for key, item in value.items()}


def _read_timestamp(shape: Any, value: Any, path: str, violations: list[str]) -> float | None:
    try:
        seconds = datetime.fromisoformat(value).timestamp() if isinstance(value, str) else float(value)
        datetime.fromtimestamp(seconds)
        return seconds
    except (ValueError, OverflowError, OSError):
        violations.append(
            f"Value {_shown(value)} at '{path}' failed to satisfy constraint: Member must be a timestamp in seconds since 1970"
        )
        return None


_Convert = Callable[[Any, Any, str, list[str]], Any]
_KINDS: dict[str, tuple[type | tuple[type, ...], _Convert | None]] = {
    "structure": (dict, _read_structure),
    "list": (list, _read_list),
    "map": (dict, _read_map),
    "timestamp": ((int, float, str), _read_timestamp),
    "string": (str, None),
    "boolean": (bool, None),
    "integer": (int, None),
    "long": (int, None),
    "float": ((int, float), None),
    "double": ((int, float), None),
}


def _broken_constraints(shape: Shape, value: Any) -> Iterator[str]:
    limits = shape.metadata
    is_number = shape.type_name in ("integer", "long", "float", "double")
    size = value if is_number else None if isinstance(value, bool) else len(value)
    if size is None:
        return
    if shape.type_name == "string" and not _is_text(value):
        yield "Member must be valid Unicode"
    what = "value" if is_number else "length"
    if is_number and size != size:
        yield "Member must be a number"
    if "min" in limits and size < limits["min"]:
        yield f"Member must have {what} greater than or equal to {limits['min']}"
    if "max" in limits and size > limits["max"]:
        yield f"Member must have {what} less than or equal to {limits['max']}"
    if shape.type_name == "integer" and not -(2**31) <= value < 2**31:
        yield "Member must be a 32-bit integer"
    if "enum" in limits and value not in limits["enum"]:
        yield f"Member must satisfy enum value set: [{', '.join(limits['enum'])}]"
    if "pattern" in limits and not _pattern(limits["pattern"]).fullmatch(value):
        yield f"Member must satisfy regular expression pattern: {limits['pattern']}"


def _is_text(value: str) -> bool:
    """JSON can smuggle in half of a surrogate pair."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    for name, python in _UNICODE_CLASSES.items():
        pattern = pattern.replace(name, python)
    return re.compile(pattern)


def _shown(value: Any) -> str:
    text = str(value).encode(errors="replace").decode() if isinstance(value, str | int | float) else type(value).__name__
    return f"'{text[:100]}...'" if len(text) > 100 else f"'{text}'"
