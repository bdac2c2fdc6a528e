"""Local twins of filters: the same filter expression, applied to items that Personalize did not filter.

Twins know items by their catalogue attributes, and interactions by the user's recent items. Expressions about the current
user have no twin: users' attributes are in Personalize alone.
docs: personalize/latest/dg/filter-expressions.html
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

TOKEN = re.compile(r'\s*(?:("[^"]*")|(\$\w+)|(-?\d+(?:\.\d+)?)|([A-Za-z_]\w*(?:\.\w+)?)|(<=|>=|!=|[=<>(),|]))')
NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
#: The column that stands for the item itself: the catalogue keeps it as the key.
ITEM_ID = "ITEM_ID"
COMPARE: dict[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class NoTwin(Exception):
    """The expression can only be evaluated by Personalize; the message says which part."""


@dataclass(frozen=True)
class Facts:
    """What a twin is evaluated with: values of placeholders, the current item's attributes, the user's recent items by type."""

    values: Mapping[str, Sequence[str]]
    current_item: Mapping[str, Any]
    recent: Mapping[str, Iterable[str]]


@dataclass(frozen=True)
class Placeholder:
    """`$NAME`: the values come with the call."""

    name: str


@dataclass(frozen=True)
class CurrentItem:
    """`CurrentItem.NAME`: an attribute of the item that the call is about."""

    name: str


Operand = str | float | Placeholder | CurrentItem


@dataclass(frozen=True)
class Condition:
    """`dataset.name test operands`."""

    dataset: str
    name: str
    test: str
    operands: tuple[Operand, ...]

    def holds(self, item_id: str, attributes: Mapping[str, Any], facts: Facts) -> bool:
        if self.dataset == "interactions":
            asked = {str(value).lower() for operand in self.operands for value in resolve(operand, facts)}
            done = any(item_id in items for kind, items in facts.recent.items() if "*" in asked or kind.lower() in asked)
            return done is not (self.test == "NOT IN")
        found = values(item_id if self.name == ITEM_ID else attributes.get(self.name))
        wanted = [value for operand in self.operands for value in resolve(operand, facts)]
        if self.test in ("IN", "NOT IN"):
            return any(equal(value, one) for value in found for one in wanted) is not (self.test == "NOT IN")
        if not found or not wanted:
            return self.test == "!="
        return any(compare(self.test, found[0], value) for value in wanted)

    @property
    def placeholders(self) -> list[str]:
        return [operand.name for operand in self.operands if isinstance(operand, Placeholder)]


@dataclass(frozen=True)
class Expression:
    """INCLUDE or EXCLUDE: any of the groups, all conditions of a group (AND binds closer than OR)."""

    include: bool
    groups: tuple[tuple[Condition, ...], ...]

    def holds(self, item_id: str, attributes: Mapping[str, Any], facts: Facts) -> bool:
        return any(all(c.holds(item_id, attributes, facts) for c in group) for group in self.groups)

    def conditions(self) -> list[Condition]:
        return [condition for group in self.groups for condition in group]

    def skipped(self, facts: Facts) -> bool:
        """The service leaves out an EXCLUDE part without a value for its placeholder."""
        return not self.include and any(name not in facts.values for c in self.conditions() for name in c.placeholders)


@dataclass(frozen=True)
class ItemFilter:
    """The union of what is included, without all that is excluded."""

    expressions: tuple[Expression, ...]

    def keeps(self, item_id: str, attributes: Mapping[str, Any], facts: Facts) -> bool:
        """Whether the item may be recommended."""
        included = [e for e in self.expressions if e.include]
        if included and not any(e.holds(item_id, attributes, facts) for e in included):
            return False
        return not any(e.holds(item_id, attributes, facts) for e in self.expressions if not e.include and not e.skipped(facts))

    def event_types(self, known: Iterable[str]) -> set[str]:
        """Those of the known event types that the filter may ask about."""
        asked = {o for c in self._conditions() if c.dataset == "interactions" for o in c.operands}
        words = {str(operand).lower() for operand in asked}
        any_type = "*" in words or any(isinstance(operand, Placeholder) for operand in asked)
        return {kind for kind in known if any_type or kind.lower() in words}

    def needs_current_item(self) -> bool:
        return any(isinstance(o, CurrentItem) for c in self._conditions() for o in c.operands)

    def numbers(self) -> set[str]:
        """The placeholders whose value must be a number."""
        return {name for c in self._conditions() if c.test in COMPARE for name in c.placeholders}

    def _conditions(self) -> list[Condition]:
        return [condition for expression in self.expressions for condition in expression.conditions()]


def values(found: Any) -> list[Any]:
    if found is None:
        return []
    return found if isinstance(found, list) else [found]


def resolve(operand: Operand, facts: Facts) -> Sequence[Any]:
    if isinstance(operand, Placeholder):
        return facts.values.get(operand.name, ())
    if isinstance(operand, CurrentItem):
        return values(facts.current_item.get(operand.name))
    return (operand,)


def equal(found: Any, wanted: Any) -> bool:
    """Numbers equal their spelling: lists of values are written as text."""
    return compare("=", found, wanted) if isinstance(found, (int, float)) else str(found) == str(wanted)


def compare(test: str, found: Any, wanted: Any) -> bool:
    left, right = as_number(found), as_number(wanted)
    return left is not None and right is not None and COMPARE[test](left, right)


def as_number(value: Any) -> float | None:
    """The number, or the one that a text spells in decimal digits; None for all else: truth values, `nan`, `1_0`, infinity."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and not NUMBER.fullmatch(value):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


@cache
def parse_filter(text: str) -> ItemFilter:
    """The twin of a filter expression over items. Raises NoTwin."""
    parts = Parser(text)
    expressions = [parts.expression()]
    while parts.tokens:
        parts.keyword("|")
        expressions.append(parts.expression())
    return ItemFilter(tuple(expressions))


class Parser:
    """Reads expressions from the left. What it can't read, Personalize may still understand: then there is no twin."""

    def __init__(self, text: str) -> None:
        self.tokens: list[str] = []
        place = 0
        while text[place:].strip():
            match = TOKEN.match(text, place)
            if match is None:
                raise NoTwin(f"'{text[place:].strip()[:30]}' is not understood")
            self.tokens.append(match[0].strip())
            place = match.end()

    def expression(self) -> Expression:
        kind = self.keyword("INCLUDE", "EXCLUDE")
        self.keyword("ITEMID")
        self.keyword("WHERE")
        groups, group = [], [self.condition()]
        while self.tokens and self.tokens[0] != "|":
            if self.keyword("AND", "OR") == "OR":
                groups.append(tuple(group))
                group = []
            group.append(self.condition())
        return Expression(kind == "INCLUDE", (*groups, tuple(group)))

    def condition(self) -> Condition:
        dataset, _, name = self.next().partition(".")
        dataset = dataset.lower()
        if dataset not in ("items", "interactions"):
            raise NoTwin(f"'{dataset}' is not understood where a condition on items or interactions should be")
        name, test = name.upper(), self.next().upper()
        if test == "NOT":
            test = f"NOT {self.keyword('IN')}"
        if test not in (*COMPARE, "IN", "NOT IN"):
            raise NoTwin(f"'{test}' is no comparison")
        return Condition(dataset, name, test, self.operands())

    def operands(self) -> tuple[Operand, ...]:
        if self.tokens[:1] != ["("]:
            return (self.operand(),)
        self.next()
        found = [self.operand()]
        while (separator := self.next()) == ",":
            found.append(self.operand())
        if separator != ")":
            raise NoTwin(f"'{separator}' stands where ')' should be")
        return tuple(found)

    def operand(self) -> Operand:
        token = self.next()
        if token.startswith('"'):
            return token[1:-1]
        if token.startswith("$"):
            return Placeholder(token[1:])
        head, _, name = token.partition(".")
        if head.lower() == "currentitem" and name:
            return CurrentItem(name.upper())
        try:
            return float(token)
        except ValueError:
            raise NoTwin(f"'{token}' is not understood as a value") from None

    def keyword(self, *words: str) -> str:
        token = self.next()
        if token.upper() not in words:
            raise NoTwin(f"'{token}' is not understood where {' or '.join(words)} should be")
        return token.upper()

    def next(self) -> str:
        if not self.tokens:
            raise NoTwin("the expression ends too early")
        return self.tokens.pop(0)
