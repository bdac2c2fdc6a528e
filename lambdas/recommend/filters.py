"""The parameters of a filter expression, and their values as Personalize wants them.

docs: personalize/latest/dg/filter-expressions.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from lambdas.recommend.api import BadRequest
from lambdas.shared.item_filters import NoTwin, parse_filter

PLACEHOLDER = re.compile(r"\$([A-Za-z0-9_]+)")
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
#: Longest value of one placeholder, quotes and commas included.
MAX_VALUE = 1000


def placeholder_values(expression: str, given: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """The values for the placeholders of an expression; a parameter matches its placeholder in any case.

    Raises BadRequest for a parameter that the expression does not have, for a value that does not fit, and for a missing one
    in an INCLUDE part (the service skips an EXCLUDE part whose value is missing).
    """
    placeholders = {name.lower(): name for name in PLACEHOLDER.findall(expression)}
    numbers = number_placeholders(expression)
    found = {}
    for parameter, texts in given.items():
        name = placeholders.get(parameter.lower())
        if name is None:
            raise BadRequest(parameter, f"is no parameter of this placement (it takes: {', '.join(known(placeholders))})")
        check(parameter, texts, name in numbers)
        found[name] = texts
    for part in expression.split("|"):
        for name in PLACEHOLDER.findall(part) if part.strip().upper().startswith("INCLUDE") else []:
            if name not in found:
                raise BadRequest(name.lower(), "is required by the filter of this placement")
    return found


def number_placeholders(expression: str) -> set[str]:
    """The placeholders that are compared as numbers, as far as the expression is understood here."""
    try:
        return parse_filter(expression).numbers() if expression else set()
    except NoTwin:
        return set()


def known(placeholders: Mapping[str, str]) -> list[str]:
    return ["user_id", "item_id", "num_results", "explain", *sorted(placeholders)]


def check(parameter: str, texts: Sequence[str], number: bool) -> None:
    """Raise BadRequest for values that Personalize would refuse. A quote has no escape in the service's syntax."""
    if any('"' in text for text in texts):
        raise BadRequest(parameter, "must not hold a double quote")
    if any(not text for text in texts):
        raise BadRequest(parameter, "must not be empty")
    if number and (len(texts) > 1 or not NUMBER.fullmatch(texts[0])):
        raise BadRequest(parameter, "must be one number")
    if len(quote(texts)) > MAX_VALUE:
        raise BadRequest(parameter, f"is longer than {MAX_VALUE} characters")


def quote(texts: Sequence[str]) -> str:
    """`["Drama", "Comedy"]` as `"Drama","Comedy"`: how the service takes the values of a placeholder."""
    return ",".join(f'"{text}"' for text in texts)
