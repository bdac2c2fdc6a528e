"""The parameters of a filter expression, and their values as Personalize wants them.

docs: personalize/latest/dg/filter-expressions.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from lambdas.recommend.api import BadRequest

PLACEHOLDER = re.compile(r"\$([A-Za-z0-9_]+)")
#: Longest value of one placeholder, quotes and commas included.
MAX_VALUE = 1000


def filter_values(expression: str, given: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Quoted values for the placeholders of an expression; a parameter matches its placeholder in any case.

    Raises BadRequest for a parameter that the expression does not have, and for a missing one in an INCLUDE part (the
    service skips an EXCLUDE part whose value is missing).
    """
    placeholders = {name.lower(): name for name in PLACEHOLDER.findall(expression)}
    values = {}
    for parameter, texts in given.items():
        name = placeholders.get(parameter.lower())
        if name is None:
            raise BadRequest(parameter, f"is no parameter of this placement (it takes: {', '.join(known(placeholders))})")
        values[name] = quote(parameter, texts)
    for part in expression.split("|"):
        for name in PLACEHOLDER.findall(part) if part.strip().upper().startswith("INCLUDE") else []:
            if name not in values:
                raise BadRequest(name.lower(), "is required by the filter of this placement")
    return values


def known(placeholders: Mapping[str, str]) -> list[str]:
    return ["user_id", "item_id", "num_results", *sorted(placeholders)]


def quote(parameter: str, texts: Sequence[str]) -> str:
    """`["Drama", "Comedy"]` as `"Drama","Comedy"`. A quote inside a value has no escape in the service's syntax."""
    if any('"' in text for text in texts):
        raise BadRequest(parameter, "must not hold a double quote")
    if any(not text for text in texts):
        raise BadRequest(parameter, "must not be empty")
    quoted = ",".join(f'"{text}"' for text in texts)
    if len(quoted) > MAX_VALUE:
        raise BadRequest(parameter, f"is longer than {MAX_VALUE} characters")
    return quoted
