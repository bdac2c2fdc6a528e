"""What a filter expression says, once parsed, and how a fault in one is shown.

docs: personalize/latest/dg/creating-filter-expressions.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from personalize_rules.schemas import Kind, normalized

Target = Literal["ItemID", "UserID", "ActionID"]
Operator = Literal["IN", "NOT IN", "=", "!=", "<", "<=", ">", ">="]

_TARGET_KINDS: dict[Target, Kind] = {"ItemID": "ITEMS", "UserID": "USERS", "ActionID": "ACTIONS"}


class Fault(NamedTuple):
    """A rule that an expression breaks, and where in its text."""

    position: int
    rule: str


class InvalidFilter(ValueError):
    """A filter that CreateFilter refuses. The message is that of the first fault.

    `parsed` is what it says, as far as its words are in the right order.
    """

    def __init__(self, text: str, faults: list[Fault], parsed: Filter | None = None) -> None:
        self.faults = sorted(faults)
        self.parsed = parsed
        super().__init__(f"Could not create filter. {shown(text, self.faults[0])}")


def shown(text: str, fault: Fault) -> str:
    """The rule and its column, then the part of the text that it is about, with a caret under the place."""
    start = max(0, fault.position - 60)
    line = "".join(" " if char.isspace() else char for char in text[start : fault.position + 40])
    return f"{fault.rule} (column {fault.position + 1})\n{line}\n{' ' * (fault.position - start)}^"


@dataclass(frozen=True)
class Placeholder:
    """`$NAME`: the value comes with each request."""

    name: str


@dataclass(frozen=True)
class CurrentItem:
    """`CurrentItem.COLUMN`: the value of the item that the request names."""

    column: str


Operand = tuple[str, ...] | float | Placeholder | CurrentItem
"""The strings of a list, a number, or where the value is to be found."""


@dataclass(frozen=True)
class Condition:
    """`kind.column operator operand`; `position` is where it starts in the text."""

    kind: Kind
    column: str
    operator: Operator
    operand: Operand
    position: int

    @property
    def is_list_test(self) -> bool:
        return self.operator in ("IN", "NOT IN")

    @property
    def is_event_test(self) -> bool:
        return self.kind in ("INTERACTIONS", "ACTION_INTERACTIONS")


@dataclass(frozen=True)
class Expression:
    """One INCLUDE or EXCLUDE: holds if all conditions of any group hold, and applies to users with `only_if`."""

    include: bool
    any_of: tuple[tuple[Condition, ...], ...]
    only_if: tuple[Condition, ...]

    @property
    def conditions(self) -> Iterator[Condition]:
        for group in self.any_of:
            yield from group

    @cached_property
    def placeholders(self) -> frozenset[str]:
        operands = [condition.operand for condition in (*self.conditions, *self.only_if)]
        return frozenset(operand.name for operand in operands if isinstance(operand, Placeholder))

    @cached_property
    def uses_current_item(self) -> bool:
        return any(isinstance(condition.operand, CurrentItem) for condition in self.conditions)

    @cached_property
    def tests_events(self) -> bool:
        return any(condition.is_event_test for condition in self.conditions)


@dataclass(frozen=True)
class Filter:
    """A filter: the union of its INCLUDEs without the union of its EXCLUDEs."""

    text: str
    target: Target
    expressions: tuple[Expression, ...]

    @property
    def target_kind(self) -> Kind:
        """The dataset of which ids are let through or held back."""
        return _TARGET_KINDS[self.target]

    @cached_property
    def placeholders(self) -> frozenset[str]:
        return frozenset().union(*(expression.placeholders for expression in self.expressions))

    @property
    def conditions(self) -> Iterator[Condition]:
        """All of them, those of an IF included."""
        for expression in self.expressions:
            yield from expression.conditions
            yield from expression.only_if

    @cached_property
    def number_placeholders(self) -> frozenset[str]:
        """The placeholders that are compared as numbers: one value each."""
        found = [c.operand.name for c in self.conditions if isinstance(c.operand, Placeholder) and not c.is_list_test]
        return frozenset(found)

    @property
    def uses_current_item(self) -> bool:
        return any(expression.uses_current_item for expression in self.expressions)

    @property
    def mixes_and_with_or(self) -> bool:
        return any(len(e.any_of) > 1 and any(len(group) > 1 for group in e.any_of) for e in self.expressions)

    @property
    def uses_current_user(self) -> bool:
        """Whether the result depends on who asks: by an IF, or by the user's events."""
        if self.target == "UserID":
            return False
        return any(expression.only_if or expression.tests_events for expression in self.expressions)

    @cached_property
    def fields(self) -> frozenset[str]:
        """The distinct fields, such as `ITEMS.GENRES`, of which the service limits the number."""
        names = set()
        for condition in self.conditions:
            names.add(f"{condition.kind}.{normalized(condition.column)}")
            if isinstance(condition.operand, CurrentItem):
                names.add(f"ITEMS.{normalized(condition.operand.column)}")
        return frozenset(names)
