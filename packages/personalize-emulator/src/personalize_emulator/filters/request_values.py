"""The values that a request gives for the placeholders of a filter (`filterValues`).

docs: personalize/latest/dg/filter-real-time.html
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from personalize_emulator.errors import InvalidInput
from personalize_emulator.filters.expression import Filter

_QUOTED = re.compile(r'\s*"([^"]*)"\s*')
_NUMBER = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)\s*", re.ASCII)


def parse_values(f: Filter, values: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The values of each placeholder: strings in double quotes, or numbers with or without them, by commas.

    Raises InvalidInput for a placeholder that the filter does not have, a malformed value, or a missing value
    of an INCLUDE (an EXCLUDE without its values does not apply).
    """
    for name in values:
        if name not in f.placeholders:
            raise InvalidInput(f"filterValues: the filter has no placeholder ${name[:50]}.")
    for expression in f.expressions:
        missing = expression.placeholders - values.keys()
        if expression.include and missing:
            raise InvalidInput(f"filterValues: a value is missing for ${min(missing)}.")
    return {name: _parse(name, text) for name, text in values.items()}


def as_number(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InvalidInput(f"filterValues: {name} must be a number, it is {text[:50]!r}.")
    return number


def _parse(name: str, text: str) -> tuple[str, ...]:
    parsed, position = [], 0
    while True:
        match = _QUOTED.match(text, position) or _NUMBER.match(text, position)
        if match is None:
            break
        parsed.append(match[1])
        position = match.end()
        if position == len(text):
            return tuple(parsed)
        if text[position] != ",":
            break
        position += 1
    raise InvalidInput(
        f"filterValues: the value of ${name} must be strings in double quotes or numbers, separated by commas; "
        f"it is {text[:50]!r}."
    )
