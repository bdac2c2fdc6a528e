"""Evaluation of filters.

docs: personalize/latest/dg/filter.html, creating-filter-expressions.html, limits.html
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from personalize_emulator.datasets.columns import Column
from personalize_emulator.datasets.store import DatasetStore
from personalize_emulator.datasets.tables import Entities
from personalize_emulator.errors import InvalidInput
from personalize_emulator.filters.attributes import Attribute, Mask, Value, attribute, holds, value_of
from personalize_emulator.filters.events import UserEvents
from personalize_rules.filters import Condition, CurrentItem, Expression, Filter, Placeholder, as_number, parse_values
from personalize_rules.schemas import normalized

_KEPT_MASKS = 32
_PlaceholderValues = Mapping[str, tuple[str, ...]]


class CompiledFilter:
    """A filter over a universe of ids, with the entities as they are now.

    Build a new one when the entities have a new version; events are always current.
    """

    def __init__(
        self,
        f: Filter,
        ids: Sequence[str] | NDArray[Any],
        entities: Entities | None,
        store: DatasetStore,
    ) -> None:
        self.filter = f
        self._size = len(ids)
        self._entities = entities
        self._store = store
        self._events = UserEvents(store, ids)
        self._attributes = self._read_attributes(ids)
        self._kept: OrderedDict[Any, Mask] = OrderedDict()
        self._lock = threading.Lock()

    def mask(self, values: Mapping[str, str], user_id: str | None, current_item: str | None) -> Mask:
        """Which of the ids may be recommended.

        `values` are the `filterValues` of the request. Raises InvalidInput if they do not fit the filter, or if
        the filter needs a user or an item that the request does not name.
        """
        try:
            given = parse_values(self.filter, values)
        except ValueError as error:
            raise InvalidInput(str(error)) from None
        if self.filter.uses_current_user and user_id is None:
            raise InvalidInput("userId is required: the filter uses data of the current user.")
        if self.filter.uses_current_item and current_item is None:
            raise InvalidInput("itemId is required: the filter uses data of the current item.")
        included: Mask | None = None
        excluded = np.zeros(self._size, dtype=np.bool_)
        for expression in self.filter.expressions:
            if not self._applies(expression, given, user_id):
                continue
            matches = self._matches(expression, given, user_id, current_item)
            if not expression.include:
                excluded |= matches
            elif included is None:
                included = matches.copy()
            else:
                included |= matches
        allowed: Mask = ~excluded if included is None else included & ~excluded
        return allowed

    def _applies(self, expression: Expression, given: _PlaceholderValues, user_id: str | None) -> bool:
        """Not without the values of its placeholders, nor for a user for whom its IF is false."""
        if not expression.placeholders <= given.keys():
            return False
        if not expression.only_if:
            return True
        users = self._store.entities("USERS")
        row = None if users is None or user_id is None else users.index.get(user_id)
        for condition in expression.only_if:
            column = _column(users, condition.column)
            value = self._value(condition, column, given, current_item=None)
            if not holds(column, row, condition.operator, value):
                return False
        return True

    def _matches(self, expression: Expression, given: _PlaceholderValues, user_id: str | None, current_item: str | None) -> Mask:
        if expression.tests_events:
            return _combined(expression, lambda condition: self._event_matches(condition, given, user_id))
        tested: dict[Condition, Value] = {}
        for condition in expression.conditions:
            column = _column(self._entities, condition.column)
            tested[condition] = self._value(condition, column, given, current_item)
        key = (expression, *tested.values())
        with self._lock:
            if (mask := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                return mask
        mask = _combined(expression, lambda c: self._attributes[normalized(c.column)].test(c.operator, tested[c]))
        with self._lock:
            self._kept[key] = mask
            if len(self._kept) > _KEPT_MASKS:
                self._kept.popitem(last=False)
        return mask

    def _event_matches(self, condition: Condition, given: _PlaceholderValues, user_id: str | None) -> Mask:
        operand = condition.operand
        types = given[operand.name] if isinstance(operand, Placeholder) else operand
        names = types if isinstance(types, tuple) else ()
        if self.filter.target == "UserID" or user_id is None:
            mask = self._events.users_with(condition.kind, names)
        else:
            mask = self._events.of_user(condition.kind, user_id, names)
        return ~mask if condition.operator == "NOT IN" else mask

    def _value(self, condition: Condition, column: Column, given: _PlaceholderValues, current_item: str | None) -> Value:
        """What the column is tested against in this request."""
        operand = condition.operand
        if isinstance(operand, CurrentItem):
            row = None if self._entities is None else self._entities.index.get(current_item or "")
            value = value_of(_column(self._entities, operand.column), row)
            if isinstance(value, float) and condition.is_list_test:
                return () if np.isnan(value) else (repr(value),)
            return value
        if not isinstance(operand, Placeholder):
            return operand
        texts = given[operand.name]
        if not condition.is_list_test and len(texts) != 1:
            raise InvalidInput(f"filterValues: ${operand.name} must have one value, it has {len(texts)}.")
        if column.is_text:
            return texts
        numbers = [_number(operand.name, text) for text in texts]
        return texts if condition.is_list_test else numbers[0]

    def _read_attributes(self, ids: Sequence[str] | NDArray[Any]) -> dict[str, Attribute]:
        """The columns that the filter tests, one value per id."""
        index: Mapping[str, int] = {} if self._entities is None else self._entities.index
        rows = np.fromiter((index.get(identifier, -1) for identifier in ids), np.int64, self._size)
        return {
            normalized(condition.column): attribute(_column(self._entities, condition.column), rows)
            for expression in self.filter.expressions
            for condition in expression.conditions
            if not condition.is_event_test
        }


def _number(placeholder: str, text: str) -> float:
    number = as_number(text)
    if number is None:
        raise InvalidInput(f"filterValues: ${placeholder} must be a number, it is {text[:50]!r}.")
    return number


def _combined(expression: Expression, test: Callable[[Condition], Mask]) -> Mask:
    groups = [np.logical_and.reduce([test(condition) for condition in group]) for group in expression.any_of]
    mask: Mask = np.logical_or.reduce(groups)
    return mask


def _column(entities: Entities | None, name: str) -> Column:
    """A column of the entities, which may be their id; an empty one if there is none."""
    if entities is not None:
        for known, column in entities.columns.items():
            if normalized(known) == normalized(name):
                return column
        if normalized(name) == f"{entities.kind[:-1]}ID":
            return Column("string", entities.ids)
    return Column("string", np.empty(0, dtype=object))
