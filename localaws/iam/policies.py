"""Decides whether the statements of a role's policies allow a call.

Only what a role's own policies say: no boundaries, no policies of resources, no session policies.
docs: IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any


@dataclass(frozen=True)
class Access:
    """One call as IAM sees it: an action on a resource, and the condition keys that come with it."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict, hash=False)


class UnknownCondition(Exception):
    """A policy holds a condition operator that this evaluation does not know."""


def allowed_by(statements: Iterable[Mapping[str, Any]], access: Access) -> list[Mapping[str, Any]]:
    """The statements that allow the access; none when it is not allowed, or denied. Raises UnknownCondition."""
    matching = [statement for statement in statements if _matches(statement, access)]
    if any(statement["Effect"] == "Deny" for statement in matching):
        return []
    return matching


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern of IAM (`*` any text, `?` one character) covers the text."""
    return _expression(pattern).fullmatch(text) is not None


def listed(value: Any) -> list[Any]:
    """A member that may be one value or a list of them."""
    return list(value) if isinstance(value, list | tuple) else [value]


def _matches(statement: Mapping[str, Any], access: Access) -> bool:
    if unknown := {"NotAction", "NotResource"} & statement.keys():
        raise UnknownCondition(f"{', '.join(unknown)} in a statement")
    return (
        any(matches(pattern.lower(), access.action.lower()) for pattern in listed(statement["Action"]))
        and any(matches(pattern, access.resource) for pattern in listed(statement["Resource"]))
        and all(_holds(name, keys, access.context) for name, keys in statement.get("Condition", {}).items())
    )


def _holds(operator: str, keys: Mapping[str, Any], context: Mapping[str, str]) -> bool:
    plain = operator.removesuffix(_IF_EXISTS)
    if plain not in _OPERATORS:
        raise UnknownCondition(f"the condition operator {operator}")
    compare = _OPERATORS[plain]
    return all(
        any(compare(str(value), context[key]) for value in listed(values)) if key in context else plain != operator
        for key, values in keys.items()
    )


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    return re.compile("".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern), re.DOTALL)


def _equal(pattern: str, text: str) -> bool:
    return pattern == text


#: With this at its end, an operator holds where the call has no such key.
_IF_EXISTS = "IfExists"
_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": _equal,
    "StringLike": matches,
    "ArnEquals": matches,
    "ArnLike": matches,
    "Bool": _equal,
}
