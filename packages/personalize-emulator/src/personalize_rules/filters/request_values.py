"""The values that a request gives for the placeholders of a filter (`filterValues`).

docs: personalize/latest/dg/filter-real-time.html, API_RS_GetRecommendations.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from personalize_rules.filters.tree import Filter

# Guess: a value has no quotation mark in it, not even behind a backslash; the guide knows no way to write one.
_QUOTED = re.compile(r'\s*"([^"]*)"\s*')
_NUMBER = re.compile(r"\s*([+-]?[0-9]+(?:\.[0-9]+)?)\s*")


def quoted(texts: Iterable[str]) -> str:
    """`["Drama", "Comedy"]` as `"Drama","Comedy"`. A quotation mark can't be written."""
    return ",".join(f'"{text}"' for text in texts)


def required_placeholders(f: Filter) -> set[str]:
    """The placeholders that need a value: those of an INCLUDE. An EXCLUDE without its values does not apply."""
    return {name for expression in f.expressions if expression.include for name in expression.placeholders}


def parse_values(f: Filter, values: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The values of each placeholder: strings in double quotes, or numbers with or without them, by commas.

    Raises ValueError for a placeholder that the filter does not have, a malformed value, or a missing one.
    """
    for name in values:
        if name not in f.placeholders:
            raise ValueError(f"filterValues: the filter has no placeholder ${name[:50]}.")
    missing = required_placeholders(f) - values.keys()
    if missing:
        raise ValueError(f"filterValues: a value is missing for ${min(missing)}.")
    return {name: _parse(name, text) for name, text in values.items()}


def as_number(text: str) -> float | None:
    """The number that a value is, None if it is none."""
    match = _NUMBER.fullmatch(text)
    return float(match[1]) if match else None


def _parse(name: str, text: str) -> tuple[str, ...]:
    parsed, position = [], 0
    while True:
        # Guess: numbers may stand without quotation marks; the documentation shows them in quotation marks alone.
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
    raise ValueError(
        f"filterValues: the value of ${name} must be strings in double quotes or numbers, separated by commas; "
        f"it is {text[:50]!r}."
    )
