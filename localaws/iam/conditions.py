"""The condition element of a policy, and the patterns of its other elements.

docs: IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any


class UnknownCondition(Exception):
    """A policy holds a condition operator that IAM does not have."""


def holds(operator: str, keys: Mapping[str, Any], context: Mapping[str, Any], variables: bool = True) -> bool:
    """Whether all keys of one operator hold. Raises UnknownCondition."""
    quantifier, _, rest = operator.rpartition(":")
    plain = rest.removesuffix(_IF_EXISTS)
    if plain == "Null":
        return all(_find(context, key) == [] if _true(expected) else _find(context, key) != [] for key, expected in keys.items())
    if plain not in _OPERATORS or quantifier not in ("", "ForAllValues", "ForAnyValue"):
        raise UnknownCondition(f"the condition operator {operator}")
    compare, negated = _OPERATORS[plain]

    def fits(given: str, wanted: Any) -> bool:
        patterns = [text for value in listed(wanted) for text in values_of(_text(value), context if variables else {})]
        found = any(_compared(compare, pattern, given) for pattern in patterns)
        return not found if negated else found

    for key, wanted in keys.items():
        given = _find(context, key)
        if not given:
            missing_holds = plain != rest or quantifier == "ForAllValues" or (negated and quantifier == "")
            if not missing_holds:
                return False
        elif not (any if quantifier == "ForAnyValue" else all)(fits(one, wanted) for one in given):
            return False
    return True


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern of IAM (`*` any text, `?` one character) covers the text."""
    return _expression(pattern).fullmatch(text) is not None


def listed(value: Any) -> list[Any]:
    """A member that may be one value or a list of them."""
    return list(value) if isinstance(value, list | tuple) else [value]


def values_of(pattern: str, context: Mapping[str, Any]) -> Iterator[str]:
    """The pattern with its variables (`${aws:PrincipalAccount}`) filled in; none where the call has no such key.

    docs: IAM/latest/UserGuide/reference_policies_variables.html
    """
    if "${" not in pattern:
        yield pattern
        return
    missing = False

    def fill(match: re.Match[str]) -> str:
        nonlocal missing
        if match[1] in _ESCAPED:
            return _ESCAPED[match[1]]
        name, _, default = match[1].partition(",")
        found = _find(context, name.strip())
        missing = missing or not (found or default)
        return found[0] if found else default.strip(" '")

    filled = _VARIABLE.sub(fill, pattern)
    if not missing:
        yield filled


_VARIABLE = re.compile(r"\$\{([^}]+)\}")
_ESCAPED = {"*": "*", "?": "?", "$": "$"}


def _find(context: Mapping[str, Any], key: str) -> list[str]:
    """The values of a condition key; the names of keys have no case."""
    found = context.get(key)
    if found is None:
        found = next((value for name, value in context.items() if name.lower() == key.lower()), None)
    return [] if found is None else [_text(value) for value in listed(found)]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _true(value: Any) -> bool:
    return _text(listed(value)[0]).lower() == "true"


def _compared(compare: Callable[[str, str], bool], pattern: str, text: str) -> bool:
    """A value that is no number, date or address does not fit."""
    try:
        return compare(pattern, text)
    except ValueError:
        return False


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    return re.compile("".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern), re.DOTALL)


def _like_arn(pattern: str, text: str) -> bool:
    """The six parts of an ARN match one by one."""
    parts, given = pattern.split(":", 5), text.split(":", 5)
    return len(parts) == len(given) and all(map(matches, parts, given)) if len(parts) == 6 else matches(pattern, text)


def _moment(text: str) -> datetime:
    if re.fullmatch(r"\d+", text):
        return datetime.fromtimestamp(int(text), UTC)
    found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


#: With this at its end, an operator holds where the call has no such key.
_IF_EXISTS = "IfExists"
_COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda pattern, text: pattern == text,
    "StringEqualsIgnoreCase": lambda pattern, text: pattern.lower() == text.lower(),
    "StringLike": matches,
    "ArnEquals": _like_arn,
    "ArnLike": _like_arn,
    "Bool": lambda pattern, text: pattern.lower() == text.lower(),
    "BinaryEquals": lambda pattern, text: base64.b64decode(pattern) == base64.b64decode(text),
    "NumericEquals": lambda pattern, text: float(text) == float(pattern),
    "NumericLessThan": lambda pattern, text: float(text) < float(pattern),
    "NumericLessThanEquals": lambda pattern, text: float(text) <= float(pattern),
    "NumericGreaterThan": lambda pattern, text: float(text) > float(pattern),
    "NumericGreaterThanEquals": lambda pattern, text: float(text) >= float(pattern),
    "DateEquals": lambda pattern, text: _moment(text) == _moment(pattern),
    "DateLessThan": lambda pattern, text: _moment(text) < _moment(pattern),
    "DateLessThanEquals": lambda pattern, text: _moment(text) <= _moment(pattern),
    "DateGreaterThan": lambda pattern, text: _moment(text) > _moment(pattern),
    "DateGreaterThanEquals": lambda pattern, text: _moment(text) >= _moment(pattern),
    "IpAddress": lambda pattern, text: ipaddress.ip_address(text) in ipaddress.ip_network(pattern, strict=False),
}
_NEGATIONS = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
    "NotIpAddress": "IpAddress",
}
#: The comparison of an operator, and whether it is turned around.
_OPERATORS: dict[str, tuple[Callable[[str, str], bool], bool]] = {
    **{name: (compare, False) for name, compare in _COMPARISONS.items()},
    **{name: (_COMPARISONS[positive], True) for name, positive in _NEGATIONS.items()},
}
