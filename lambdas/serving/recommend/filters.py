"""The parameters of a filter expression, and their values as Personalize wants them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lambdas.serving.recommend.api import BadRequest
from personalize_rules.filters import as_number, parse_filter, quoted, required_placeholders
from personalize_rules.limits import MAX_FILTER_VALUE

__all__ = ["placeholder_values", "quoted"]


def placeholder_values(expression: str, given: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """The values for the placeholders of an expression; a parameter matches its placeholder in any case.

    Raises BadRequest for a parameter that the expression does not have, for a value that does not fit, and for a missing one
    in an INCLUDE part (the service skips an EXCLUDE part whose value is missing).
    """
    parsed = parse_filter(expression) if expression else None
    placeholders = {name.lower(): name for name in (parsed.placeholders if parsed else ())}
    numbers = parsed.number_placeholders if parsed else frozenset()
    found = {}
    for parameter, texts in given.items():
        name = placeholders.get(parameter.lower())
        if name is None:
            raise BadRequest(parameter, f"is no parameter of this placement (it takes: {', '.join(known(placeholders))})")
        check(parameter, texts, name in numbers)
        found[name] = texts
    for name in sorted(required_placeholders(parsed) - found.keys()) if parsed else ():
        raise BadRequest(name.lower(), "is required by the filter of this placement")
    return found


def known(placeholders: Mapping[str, str]) -> list[str]:
    return ["user_id", "item_id", "num_results", "explain", *sorted(placeholders)]


def check(parameter: str, texts: Sequence[str], number: bool) -> None:
    """Raise BadRequest for values that Personalize would refuse. A quote has no escape in the service's syntax."""
    if any('"' in text for text in texts):
        raise BadRequest(parameter, "must not hold a double quote")
    if any(not text for text in texts):
        raise BadRequest(parameter, "must not be empty")
    if number and (len(texts) > 1 or as_number(texts[0]) is None):
        raise BadRequest(parameter, "must be one number")
    if len(quoted(texts)) > MAX_FILTER_VALUE:
        raise BadRequest(parameter, f"is longer than {MAX_FILTER_VALUE} characters")
