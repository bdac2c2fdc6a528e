"""Tests of the values in a column: of all items of a universe at once, or of one user.

A null satisfies no positive test, and so every NOT IN and !=. A cell of several categories satisfies IN if any of
them is listed, NOT IN if none is.
"""

from __future__ import annotations

import operator as op
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from personalize_emulator.datasets.columns import Column
from personalize_rules.filters import Operator

Mask = NDArray[np.bool_]
Value = tuple[str, ...] | float
"""What a column is tested against: the strings of a list, or a number (nan: null)."""

_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "=": op.eq,
    "!=": op.ne,
    "<": op.lt,
    "<=": op.le,
    ">": op.gt,
    ">=": op.ge,
}


class _TextAttribute:
    """A text column, rearranged to a universe; row -1 of the column is null."""

    def __init__(self, column: Column, rows: NDArray[np.int64]) -> None:
        codes, self._vocabulary = column.coded
        self._codes = np.append(codes, np.int32(-1))[rows]
        self._several = column.kind == "categorical"

    def test(self, operator: Operator, value: Value) -> Mask:
        texts = value if isinstance(value, tuple) else ()
        chosen = np.zeros(len(self._vocabulary) + 1, dtype=np.bool_)
        for text in texts:
            if self._several:
                chosen[list(self._vocabulary.containing(text))] = True
            elif (code := self._vocabulary.get(text)) >= 0:
                chosen[code] = True
        mask: Mask = chosen[self._codes]
        # Guess: a null is in no list and is unequal to every value, so that NOT IN and != hold for it.
        return ~mask if operator in ("NOT IN", "!=") else mask


class _NumberAttribute:
    """A number column, rearranged to a universe; row -1 of the column is null."""

    def __init__(self, column: Column, rows: NDArray[np.int64]) -> None:
        self._values = np.append(column.values, np.nan)[rows]

    def test(self, operator: Operator, value: Value) -> Mask:
        if isinstance(value, tuple):
            mask: Mask = np.isin(self._values, [float(text) for text in value])
            return ~mask if operator == "NOT IN" else mask
        result: Mask = _COMPARISONS[operator](self._values, value)
        return result


Attribute = _TextAttribute | _NumberAttribute


def attribute(column: Column, rows: NDArray[np.int64]) -> Attribute:
    return _TextAttribute(column, rows) if column.is_text else _NumberAttribute(column, rows)


def holds(column: Column, row: int | None, operator: Operator, value: Value) -> bool:
    """The same test of one row, or of null."""
    one_row = column.take(np.array([], dtype=np.int64) if row is None else np.array([row]))
    return bool(attribute(one_row, np.array([-1 if row is None else 0])).test(operator, value)[0])


def value_of(column: Column, row: int | None) -> Value:
    """The value of a row, to test others against it."""
    value = None if row is None else column[row]
    if not column.is_text:
        return np.nan if value is None else float(value)
    if value is None:
        return ()
    return tuple(value.split("|")) if column.kind == "categorical" else (value,)
