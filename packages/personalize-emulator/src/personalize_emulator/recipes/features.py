"""Metadata as features: categories and binned numbers as a sparse matrix of ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from personalize_emulator.datasets.columns import Column
from personalize_emulator.recipes.events import Matrix

_BINS = 12
_MAXIMUM_CATEGORIES = 1000
_RESERVED = frozenset({"CREATION_TIMESTAMP"})


@dataclass(frozen=True)
class _ColumnFeatures:
    """How one column becomes features: a position per category, or one per bin between `edges`."""

    name: str
    categories: Mapping[str, int]
    edges: tuple[float, ...]

    @property
    def width(self) -> int:
        return len(self.categories) if self.categories else len(self.edges) + 1

    def positions(self, value: Any) -> list[int]:
        """The features of one value; none for null or an unknown category."""
        if value is None or value != value:
            return []
        if self.categories:
            parts = str(value).split("|")
            return [self.categories[part] for part in parts if part in self.categories]
        return [int(np.searchsorted(self.edges, float(value), side="right"))]


@dataclass(frozen=True)
class Features:
    """The features of a dataset: categorical and numeric columns, others are not trained on."""

    columns: tuple[_ColumnFeatures, ...]

    @staticmethod
    def of(columns: Mapping[str, Column]) -> "Features":
        """Learn categories (the most frequent ones) and bins (equal shares of the rows) from the values.

        A column without any value has no features.
        """
        learned = []
        for name, column in sorted(columns.items()):
            if name in _RESERVED:
                continue
            if column.kind == "categorical" and (categories := _categories(column)):
                learned.append(_ColumnFeatures(name, categories, ()))
            elif column.kind == "number" and (edges := _edges(column)):
                learned.append(_ColumnFeatures(name, {}, edges))
        return Features(tuple(learned))

    @property
    def width(self) -> int:
        return sum(column.width for column in self.columns)

    def encode(self, columns: Mapping[str, Column], rows: NDArray[np.int64]) -> Matrix:
        """Rows x features, for these rows of the columns; row -1 has no features."""
        blocks = [_encode(features, columns[features.name], rows) for features in self.columns]
        if not blocks:
            return sparse.csr_array((len(rows), 0), dtype=np.float32)
        return sparse.csr_array(sparse.hstack(blocks, format="csr"))

    def encode_values(self, values: Mapping[str, Any]) -> list[int]:
        """The features of one record, as positions."""
        found, offset = [], 0
        for column in self.columns:
            found += [offset + position for position in _positions_or_none(column, values.get(column.name))]
            offset += column.width
        return found

    def to_json(self) -> list[Any]:
        return [[c.name, dict(c.categories), list(c.edges)] for c in self.columns]

    @staticmethod
    def from_json(document: list[Any]) -> "Features":
        return Features(tuple(_ColumnFeatures(name, cats, tuple(edges)) for name, cats, edges in document))


def lifts(features: Matrix, items: NDArray[np.int32], n_items: int, shrinkage: float = 200.0) -> NDArray[np.float32]:
    """Features x items: log P(item | feature) / P(item), shrunk towards 0 where there are few rows.

    features: one row per interaction, items: the item of each.
    """
    ones = np.ones(len(items), np.float32)
    chosen = sparse.csr_array((ones, items, np.arange(len(items) + 1)), shape=(len(items), n_items))
    together = sparse.csr_array(sparse.csr_array(features.T) @ chosen).toarray()
    share = (np.bincount(items, minlength=n_items) + 0.1) / (len(items) + 0.1 * n_items)
    expected = together.sum(axis=1, keepdims=True) * share
    return np.asarray(np.log((together + shrinkage * share) / (expected + shrinkage * share)), np.float32)


def _positions_or_none(column: _ColumnFeatures, value: Any) -> list[int]:
    """Values of a request are text: one that is not a number where the column is one has no features."""
    try:
        return column.positions(value)
    except ValueError:
        return []


def _categories(column: Column) -> dict[str, int]:
    counts: dict[str, int] = {}
    rows = np.bincount(column.codes[column.codes >= 0], minlength=len(column.vocabulary))
    for cell, number in zip(column.vocabulary, rows, strict=True):
        for part in set(cell.split("|")):
            counts[part] = counts.get(part, 0) + int(number)
    frequent = sorted(counts, key=lambda part: (-counts[part], part))[:_MAXIMUM_CATEGORIES]
    return {part: position for position, part in enumerate(frequent)}


def _edges(column: Column) -> tuple[float, ...]:
    known = column.values[~np.isnan(column.values)]
    if not len(known):
        return ()
    return tuple(np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1)[1:-1])).tolist())


def _encode(features: _ColumnFeatures, column: Column, rows: NDArray[np.int64]) -> Matrix:
    shape = (len(rows), features.width)
    if not features.categories:
        values = np.append(column.values, np.nan)[rows]
        known = np.flatnonzero(~np.isnan(values))
        bins = np.searchsorted(features.edges, values[known], side="right")
        return sparse.csr_array((np.ones(len(known), np.float32), (known, bins)), shape=shape)
    parts = [features.positions(cell) for cell in column.vocabulary] + [[]]
    pointers = np.concatenate([[0], np.cumsum([len(p) for p in parts])])
    positions = np.array([p for cell in parts for p in cell], np.int64)
    cells = sparse.csr_array((np.ones(len(positions), np.float32), positions, pointers), shape=(len(parts), features.width))
    return sparse.csr_array(cells[np.where(rows >= 0, column.codes[rows], -1) % len(parts)])
