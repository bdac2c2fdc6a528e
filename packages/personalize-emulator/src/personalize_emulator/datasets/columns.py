"""Columns of tables: text as codes into a vocabulary, numbers as float64."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from personalize_rules.schemas import Field, Schema

_ColumnKind = Literal["number", "categorical", "textual", "string", "boolean"]


class Vocabulary:
    """Distinct texts by code. It only ever grows, so that the versions of a column can share one."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self.texts = list(texts)
        self._codes: dict[str, int] = {}  # of the first texts, up to its length
        self._parts: dict[str, list[int]] = {}
        self._split = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.texts)

    def add(self, text: str) -> int:
        """The code of a text, which is new if it is unknown."""
        with self._lock:
            code = self._index().setdefault(text, len(self.texts))
            if code == len(self.texts):
                self.texts.append(text)
            return code

    def get(self, text: str) -> int:
        """The code of a text, or -1."""
        with self._lock:
            return self._index().get(text, -1)

    def containing(self, part: str) -> Sequence[int]:
        """The codes of the texts that have this category among their "|"-joined ones."""
        with self._lock:
            for code in range(self._split, len(self.texts)):
                for category in set(self.texts[code].split("|")):
                    self._parts.setdefault(category, []).append(code)
            self._split = len(self.texts)
            return tuple(self._parts.get(part, ()))

    def _index(self) -> dict[str, int]:
        if len(self._codes) < len(self.texts):
            self._codes = {text: code for code, text in enumerate(self.texts)}
        return self._codes


class Column:
    """One column of a table, a value per row.

    `values` is float64 with nan for null (number, boolean), or an object array of `str | None` in which several
    categories of one cell stay joined by "|". Text is stored as `codes` into a `vocabulary` (-1 is null):
    work on the vocabulary, then index with the codes.
    """

    def __init__(
        self,
        kind: _ColumnKind,
        values: NDArray[Any] | None = None,
        *,
        codes: NDArray[np.int32] | None = None,
        vocabulary: Vocabulary | Sequence[str] = (),
    ) -> None:
        self.kind = kind
        if values is not None:
            self.__dict__["values"] = values
        elif codes is not None:
            known = vocabulary if isinstance(vocabulary, Vocabulary) else Vocabulary(vocabulary)
            self.__dict__["coded"] = (codes, known)
        else:
            raise ValueError("a column is given by its values or by its codes")

    @property
    def is_text(self) -> bool:
        return self.kind not in ("number", "boolean")

    @cached_property
    def values(self) -> NDArray[Any]:
        codes, vocabulary = self.coded
        return np.array([*vocabulary.texts, None], dtype=object)[codes]

    @cached_property
    def coded(self) -> tuple[NDArray[np.int32], Vocabulary]:
        """The codes of the rows and the vocabulary that they point into."""
        if not self.is_text:
            raise TypeError(f"a {self.kind} column has no vocabulary")
        vocabulary = Vocabulary()
        codes = [-1 if value is None else vocabulary.add(value) for value in self.values]
        return np.array(codes, dtype=np.int32), vocabulary

    @property
    def codes(self) -> NDArray[np.int32]:
        return self.coded[0]

    @property
    def vocabulary(self) -> list[str]:
        return self.coded[1].texts

    def __len__(self) -> int:
        return len(self.codes) if "coded" in self.__dict__ else len(self.values)

    def __getitem__(self, row: int) -> Any:
        """One value: a str, a float, or None."""
        if self.is_text:
            code = self.codes[row]
            return None if code < 0 else self.vocabulary[code]
        value = float(self.values[row])
        return None if np.isnan(value) else value

    def take(self, rows: NDArray[Any]) -> Column:
        """The column at these rows, in this order (positions or a boolean mask)."""
        if self.is_text:
            return Column(self.kind, codes=self.codes[rows], vocabulary=self.coded[1])
        return Column(self.kind, self.values[rows])

    def compacted(self) -> Column:
        """A text column whose vocabulary has only the texts that occur, in the same order."""
        used, codes = np.unique(self.codes, return_inverse=True)
        offset = int(len(used) > 0 and used[0] < 0)
        texts = [self.vocabulary[code] for code in used[offset:].tolist()]
        return Column(self.kind, codes=codes.astype(np.int32) - np.int32(offset), vocabulary=texts)

    def patched(self, rows: NDArray[np.int64], values: Sequence[Any], length: int) -> Column:
        """A copy of `length` rows in which `rows` have these values; rows beyond the old end are null."""
        if self.is_text:
            codes = np.full(length, -1, dtype=np.int32)
            codes[: len(self)] = self.codes
            vocabulary = self.coded[1]
            codes[rows] = [-1 if value is None else vocabulary.add(value) for value in values]
            return Column(self.kind, codes=codes, vocabulary=vocabulary)
        numbers = np.full(length, np.nan)
        numbers[: len(self)] = self.values
        numbers[rows] = [np.nan if value is None else value for value in values]
        return Column(self.kind, numbers)


Table = dict[str, Column]
"""Columns of equal length by the name of their schema field, the ids included."""


def column_kind(field: Field) -> _ColumnKind:
    if field.is_text:
        return "categorical" if field.categorical else "textual" if field.textual else "string"
    return "boolean" if field.type == "boolean" else "number"


def column_of(field: Field, values: Sequence[Any]) -> Column:
    """A column of plain values, None for null."""
    kind = column_kind(field)
    if field.is_text:
        return Column(kind, np.array(values, dtype=object))
    return Column(kind, np.array([np.nan if v is None else float(v) for v in values], dtype=np.float64))


def row_count(table: Table) -> int:
    return len(next(iter(table.values())))


def table_of(schema: Schema, rows: Sequence[Mapping[str, Any]]) -> Table:
    """A table of records by field name; what a record does not have is null."""
    return {field.name: column_of(field, [row.get(field.name) for row in rows]) for field in schema.fields}


def without_unused(table: Table, *names: str) -> Table:
    """The table, with only those texts in the vocabularies of these columns that occur."""
    return {**table, **{name: table[name].compacted() for name in names}}


def take(table: Table, rows: NDArray[Any]) -> Table:
    return {name: column.take(rows) for name, column in table.items()}


def concatenate(first: Table, second: Table) -> Table:
    """The rows of both tables, which have the same columns."""
    return {name: _joined(column, second[name]) for name, column in first.items()}


def _joined(first: Column, second: Column) -> Column:
    if not first.is_text:
        return Column(first.kind, np.concatenate([first.values, second.values]))
    vocabulary = Vocabulary(first.vocabulary)
    recoded = np.array([*(vocabulary.add(text) for text in second.vocabulary), -1], dtype=np.int32)
    codes = np.concatenate([first.codes, recoded[second.codes]])
    return Column(first.kind, codes=codes, vocabulary=vocabulary)
