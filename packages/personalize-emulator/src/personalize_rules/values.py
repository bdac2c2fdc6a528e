"""What one value of a field may be, in a CSV cell and in the JSON of an individual record alike.

The functions raise ValueError with the rule that is broken, without the field's name: `is 'x', not a whole number`.
docs: personalize/latest/dg/limits.html, preparing-training-data.html, items-datasets.html, interactions-datasets.html
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from personalize_rules.limits import MAX_ID, MAX_TEXT, MAX_TEXTUAL, MAX_TEXTUAL_CJK
from personalize_rules.schemas import Field, Kind, Schema

Value = str | int | float | bool | None

# Guess: a time is 0 or more, and lies before the year 5138; larger numbers are milliseconds.
FIRST_TIMESTAMP, END_OF_TIMESTAMPS = 0, 100_000_000_000

_CJK = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
# Guess: numbers are decimal, in ASCII digits, with an exponent if need be; refused are white space, digits in groups, nan, inf.
_INTEGER = re.compile(r"[+-]?[0-9]+")
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_BITS = {"int": 31, "long": 63}
# Guess: a number too large for a float is refused, as one too large for an int is; one that rounds to the largest float is taken.
_TOO_LARGE = {"float": 2.0**128 * (1 - 2**-25), "double": math.inf}
_TIMESTAMPS = frozenset({"TIMESTAMP", "CREATION_TIMESTAMP", "EXPIRATION_TIMESTAMP", "ACTION_EXPIRATION_TIMESTAMP"})
# So many digits are within the range of their type.
_SAFE_DIGITS = {"int": 9, "long": 18, "time": 11}
_EMPTY = "is empty, and the schema does not allow null"


class TooLong(ValueError):
    """A text of more characters than its column takes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"is longer than the {limit} characters of {'an id' if limit == MAX_ID else 'a string'}")


def event_type_key(name: str, kind: Kind = "INTERACTIONS") -> str:
    """Event types are equal if their keys are. docs: creating-filter-expressions.html

    Action interactions are spelled both "Not Taken" and "NOT_TAKEN".
    """
    # Guess: case does not count where event types are compared in training and in event weights either.
    key = name.casefold()
    return key.replace("_", " ") if kind == "ACTION_INTERACTIONS" else key


def _is_id(schema: Schema, field: Field) -> bool:
    return schema.is_required(field) and field.name.endswith("_ID")


def _is_time(field: Field) -> bool:
    """Whether the field is one of the service's own times, in seconds since 1970."""
    return field.name in _TIMESTAMPS and field.is_number


def text_limit(schema: Schema, field: Field) -> int | None:
    """The most characters of a text; None where longer ones are cut."""
    return None if field.textual else MAX_ID if _is_id(schema, field) else MAX_TEXT


def cut(text: str) -> str:
    """A textual value as the service keeps it."""
    return text[: MAX_TEXTUAL_CJK if _CJK.search(text) else MAX_TEXTUAL]


def encodable(text: str) -> str:
    """The text, if it is valid Unicode: JSON can smuggle in half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("is not valid Unicode text") from None
    return text


def cell_reader(schema: Schema, field: Field) -> Callable[[str], Value]:
    """A function from a cell's text to its value, None when empty. It raises ValueError."""
    read = _text_reader(schema, field) if field.is_text else _number_reader(field)

    def read_cell(text: str) -> Value:
        if text:
            return read(text)
        if not field.nullable:
            raise ValueError(_EMPTY)
        return None

    return read_cell


def column_check(schema: Schema, field: Field) -> Callable[[Sequence[str]], bool]:
    """A function that says whether all of some cells keep the rules; fast, where one by one would be slow."""
    read, limit = cell_reader(schema, field), text_limit(schema, field)

    def each(cells: Sequence[str]) -> bool:
        try:
            for cell in set(cells):
                read(cell)
        except ValueError:
            return False
        return True

    def texts(cells: Sequence[str]) -> bool:
        return (field.nullable or "" not in cells) and (limit is None or max(map(len, cells), default=0) <= limit)

    def whole_numbers(cells: Sequence[str]) -> bool:
        joined = "".join(cells)
        plain = joined.isascii() and joined.isdigit() and "" not in cells and max(map(len, cells)) <= safe
        return plain or each(cells)

    if field.is_text:
        return texts
    if field.type not in _BITS:
        return each
    safe = _SAFE_DIGITS["time" if _is_time(field) and field.type == "long" else field.type]
    return whole_numbers


def json_value(schema: Schema, field: Field, value: Any) -> Value:
    """A value of the JSON `properties` of a record. Numbers may be given as strings, as the documentation does."""
    if value is None or (value == "" and field.nullable):
        if not field.nullable:
            raise ValueError("cannot be null")
        return None
    if field.is_text:
        if not isinstance(value, str):
            raise ValueError("must be a string")
        return cell_reader(schema, field)(encodable(value)) if value else value
    if isinstance(value, bool) and field.type == "boolean":
        return value
    if isinstance(value, bool | list | dict):
        raise ValueError(f"must be of type {field.type}")
    if isinstance(value, float) and field.type in _BITS and value.is_integer():
        value = int(value)
    return _number_reader(field)(str(value))


def check_timestamp(seconds: float, text: str = "") -> None:
    """Raise ValueError unless it is a time; `text` is how it was written."""
    if FIRST_TIMESTAMP <= seconds < END_OF_TIMESTAMPS:
        return
    milliseconds = END_OF_TIMESTAMPS <= seconds < END_OF_TIMESTAMPS * 1000
    what = "looks like milliseconds" if milliseconds else "is no time"
    raise ValueError(f"is '{text[:40] or format(seconds, '.0f')}', which {what}; times are in seconds since 1970")


def check_size(number: float, kind: str, text: str = "") -> None:
    """Raise ValueError for a number that its type can't hold; `text` is how it was written."""
    if abs(number) >= _TOO_LARGE[kind]:
        raise ValueError(f"is '{text[:40] or number}', which does not fit into type {kind}")


def _text_reader(schema: Schema, field: Field) -> Callable[[str], str]:
    limit = text_limit(schema, field)

    def read(text: str) -> str:
        if limit is None:
            return cut(text)
        if len(text) > limit:
            raise TooLong(limit)
        return text

    return read


def _number_reader(field: Field) -> Callable[[str], int | float | bool]:
    read = _boolean if field.type == "boolean" else _whole(field.type) if field.type in _BITS else _real(field.type)
    if not _is_time(field):
        return read

    def read_time(text: str) -> int | float | bool:
        seconds = read(text)
        check_timestamp(seconds, text)
        return seconds

    return read_time


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(f"is '{text[:40]}', not true or false")
    return text == "true"


def _whole(kind: str) -> Callable[[str], int]:
    bound = 2 ** _BITS[kind]

    def read(text: str) -> int:
        if not _INTEGER.fullmatch(text):
            raise ValueError(f"is '{text[:40]}', not a whole number")
        if len(text) > 20 or not -bound <= int(text) < bound:
            raise ValueError(f"is '{text[:40]}', which does not fit into type {kind}")
        return int(text)

    return read


def _real(kind: str) -> Callable[[str], float]:
    def read(text: str) -> float:
        if not NUMBER.fullmatch(text):
            raise ValueError(f"is '{text[:40]}', not a number")
        number = float(text)
        check_size(number, kind, text)
        return number

    return read
