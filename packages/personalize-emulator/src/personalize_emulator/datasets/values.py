"""What one value of a field may be, in a CSV cell and in an individual record alike.

The functions raise ValueError with the rule that is broken; the callers say where.
docs: personalize/latest/dg/limits.html, data-prep-formatting.html, importing-items.html
"""

from __future__ import annotations

import math
import re
from typing import Any

from personalize_emulator.schemas import Field, Kind, Schema

MAX_ID_LENGTH = 256
MAX_TEXT_LENGTH = 1000
MAX_TEXTUAL_LENGTH = 20_000
MAX_TEXTUAL_LENGTH_CJK = 7_000
# The last second of the year 9999. Milliseconds of any date since 1978 lie above it.
MAX_TIMESTAMP = 253_402_300_799

_CJK = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_BITS = {"int": 31, "long": 63}
_TIMESTAMPS = frozenset({"TIMESTAMP", "CREATION_TIMESTAMP", "EXPIRATION_TIMESTAMP", "ACTION_EXPIRATION_TIMESTAMP"})


def event_type_key(kind: Kind, event_type: str) -> str:
    """Event types are equal if their keys are. Action interactions are spelled both "Not Taken" and "NOT_TAKEN"."""
    key = event_type.casefold()
    return key.replace("_", " ") if kind == "ACTION_INTERACTIONS" else key


def encodable(name: str, text: str) -> str:
    """The text, if it is valid Unicode: JSON can smuggle in half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name} is not valid Unicode text.") from None
    return text


def is_id(schema: Schema, field: Field) -> bool:
    return schema.is_required(field) and field.name.endswith("_ID")


def text_value(schema: Schema, field: Field, text: str) -> str:
    """The text as it is stored: a textual value is cut at its limit, any other that is too long is refused."""
    if field.textual:
        return text[: MAX_TEXTUAL_LENGTH_CJK if _CJK.search(text) else MAX_TEXTUAL_LENGTH]
    limit = MAX_ID_LENGTH if is_id(schema, field) else MAX_TEXT_LENGTH
    if len(text) > limit:
        raise ValueError(f"Length cannot be more than {limit} characters for {field.name}.")
    return text


def number_value(field: Field, text: str) -> float:
    """The number, or 1.0 and 0.0 for true and false."""
    if field.type == "boolean":
        if text not in ("true", "false"):
            raise ValueError(f"{field.name} must be true or false, it is {text[:50]!r}.")
        return float(text == "true")
    if field.type in ("float", "double"):
        if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
            raise ValueError(f"{field.name} must be a number of type {field.type}, it is {text[:50]!r}.")
    elif not _INTEGER.fullmatch(text) or len(text) > 20:
        raise ValueError(f"{field.name} must be a whole number of type {field.type}, it is {text[:50]!r}.")
    elif not -(2 ** _BITS[field.type]) <= int(text) < 2 ** _BITS[field.type]:
        raise ValueError(f"{field.name} does not fit into type {field.type}: {text}.")
    if field.name in _TIMESTAMPS:
        check_timestamp(field.name, float(text))
    return float(text)


def check_timestamp(name: str, seconds: float) -> None:
    if not 0 <= seconds <= MAX_TIMESTAMP:
        hint = " It looks like milliseconds." if MAX_TIMESTAMP < seconds < MAX_TIMESTAMP * 1000 else ""
        raise ValueError(f"{name} must be Unix epoch time in seconds, it is {seconds:.0f}.{hint}")


def json_value(schema: Schema, field: Field, value: Any) -> str | float | None:
    """A value of the JSON `properties` of a record. Numbers may be given as strings, as the documentation does."""
    if value is None or (value == "" and field.nullable):
        if not field.nullable:
            raise ValueError(f"{field.name} cannot be null.")
        return None
    if field.is_text:
        if not isinstance(value, str):
            raise ValueError(f"{field.name} must be a string.")
        return text_value(schema, field, encodable(field.name, value))
    if isinstance(value, bool) and field.type == "boolean":
        return float(value)
    if isinstance(value, bool | list | dict):
        raise ValueError(f"{field.name} must be of type {field.type}.")
    if isinstance(value, float) and field.type in ("int", "long") and value.is_integer():
        value = int(value)
    return number_value(field, str(value))
