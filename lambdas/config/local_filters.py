"""Local filters: the same filter expression, applied to items that Personalize did not filter.

Twins know items by their catalogue attributes, and interactions by the user's recent items. Expressions about the current
user have no local filter: users' attributes are in Personalize alone.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from personalize_rules import filters
from personalize_rules.filters import Condition, CurrentItem, Expression, Filter, Placeholder
from personalize_rules.schemas import normalized
from personalize_rules.values import NUMBER, event_type_key

#: The column that stands for the item itself: the catalogue keeps it as the key.
ITEM_ID = "ITEM_ID"
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class NoLocalFilter(Exception):
    """The expression can only be evaluated by Personalize; the message says which part."""


@dataclass(frozen=True)
class Facts:
    """What a local filter needs: values of placeholders, the current item's attributes, the user's recent items by type."""

    values: Mapping[str, Sequence[str]]
    current_item: Mapping[str, Any]
    recent: Mapping[str, Iterable[str]]


class ItemFilter:
    """The union of what is included, without all that is excluded. `columns`: how the schema of the items spells its columns."""

    def __init__(self, parsed: Filter, columns: Iterable[str]) -> None:
        self.filter = parsed
        self._names = {normalized(column): column for column in columns}

    def keeps(self, item_id: str, attributes: Mapping[str, Any], facts: Facts) -> bool:
        """Whether the item may be recommended."""
        included = [e for e in self.filter.expressions if e.include]
        if included and not any(self._holds(e, item_id, attributes, facts) for e in included):
            return False
        excluded = (e for e in self.filter.expressions if not e.include and e.placeholders <= facts.values.keys())
        return not any(self._holds(e, item_id, attributes, facts) for e in excluded)

    def event_types(self, known: Iterable[str]) -> set[str]:
        """Those of the known event types that the filter may ask about."""
        return {kind for kind in known if self.asks_for(kind)}

    def asks_for(self, event_type: str) -> bool:
        """Whether the filter may ask for events of this type."""
        for condition in self.filter.conditions:
            operand = condition.operand
            if condition.is_event_test and (isinstance(operand, Placeholder) or _listed(event_type, operand)):
                return True
        return False

    def needs_current_item(self) -> bool:
        return self.filter.uses_current_item

    def _holds(self, expression: Expression, item_id: str, attributes: Mapping[str, Any], facts: Facts) -> bool:
        """Any of the groups, all conditions of a group."""
        return any(all(self._is_met(c, item_id, attributes, facts) for c in group) for group in expression.any_of)

    def _is_met(self, condition: Condition, item_id: str, attributes: Mapping[str, Any], facts: Facts) -> bool:
        wanted = self._resolved(condition, facts)
        if condition.is_event_test:
            done = any(item_id in items for kind, items in facts.recent.items() if _listed(kind, wanted))
            return done is not (condition.operator == "NOT IN")
        name = self._name(condition.column)
        found = values(item_id if name == ITEM_ID else attributes.get(name))
        if condition.is_list_test:
            return any(_equal(value, one) for value in found for one in wanted) is not (condition.operator == "NOT IN")
        if not found or not wanted:
            return condition.operator == "!="
        return any(compare(condition.operator, found[0], value) for value in wanted)

    def _resolved(self, condition: Condition, facts: Facts) -> Sequence[Any]:
        operand = condition.operand
        if isinstance(operand, Placeholder):
            return facts.values.get(operand.name, ())
        if isinstance(operand, CurrentItem):
            return values(facts.current_item.get(self._name(operand.column)))
        return operand if isinstance(operand, tuple) else (operand,)

    def _name(self, column: str) -> str:
        return self._names.get(normalized(column), column)


def _listed(event_type: str, listed: Any) -> bool:
    wanted = {event_type_key(str(name)) for name in listed} if isinstance(listed, tuple | list) else set()
    return "*" in wanted or event_type_key(event_type) in wanted


def values(found: Any) -> list[Any]:
    if found is None:
        return []
    return found if isinstance(found, list) else [found]


def _equal(found: Any, wanted: Any) -> bool:
    """Numbers equal their spelling: lists of values are written as text."""
    return compare("=", found, wanted) if isinstance(found, (int, float)) else str(found) == str(wanted)


def compare(test: str, found: Any, wanted: Any) -> bool:
    left, right = as_number(found), as_number(wanted)
    return left is not None and right is not None and _COMPARE[test](left, right)


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
def parse_filter(text: str, columns: tuple[str, ...] = ()) -> ItemFilter:
    """The local filter of a filter expression over items. Raises NoLocalFilter, and InvalidFilter for what is no filter."""
    parsed = filters.parse_filter(text)
    if parsed.target != "ItemID":
        raise NoLocalFilter(f"it is a filter for {parsed.target}, not for ItemID")
    if any(expression.only_if for expression in parsed.expressions):
        raise NoLocalFilter("CurrentUser is known to Personalize alone")
    return ItemFilter(parsed, columns)
