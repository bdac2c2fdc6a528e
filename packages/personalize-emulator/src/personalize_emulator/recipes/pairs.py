"""Which items come together in the histories of users, how near, and by way of others: counts of pairs of items.

Counts are kept, not similarities: how much they are weighed down by popularity is decided when they are read. They are made for
a block of items at a time, so that memory grows with what is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from personalize_emulator.recipes.chain import eigenvectors
from personalize_emulator.recipes.events import Events, Matrix
from personalize_emulator.recipes.model import Scores
from personalize_emulator.recipes.transitions import DECAY, WINDOW, greatest_per_row, only

NEIGHBOURS = 200
LONGEST_HISTORY = 200
ITEMS_PER_BLOCK = 512
_EVENTS_PER_BLOCK = 100_000
_DENSE = 8  # where there are fewer cells than so many times the pairs, a table is faster than sorting
_SHRINKAGE: Mapping[str, float] = {"together": 20.0, "after": 0.0, "before": 0.0, "near": 0.0}
RARE = 5.0  # events that every item is taken to have more, where nearness is compared with popularity
_DECAYED = tuple(DECAY**further for further in range(WINDOW))
_BY_DISTANCE = tuple(1 / distance for distance in range(1, WINDOW + 1))
"""What a pair counts by its distance, the neighbour most: as in GloVe (Pennington, Socher and Manning, EMNLP 2014)."""
_NEARNESS: Mapping[str, tuple[tuple[int, ...], Sequence[float]]] = {
    "after": ((1,), _DECAYED),
    "before": ((-1,), _DECAYED),
    "near": ((1, -1), _BY_DISTANCE),
}
"""On which sides of an item the other stands, and what it counts by its distance."""
_SPARE = 16
FIRST_POWERS, MORE_POWERS = 5, 2

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class _Pairs:
    """name: "together", "after", "before" or "near". counts: items x items. own, popularity: by item, for `_strength`."""

    name: str
    counts: Matrix
    own: Floats
    popularity: Floats

    def arrays(self) -> dict[str, NDArray[Any]]:
        parts = {"values": self.counts.data, "items": self.counts.indices, "rows": self.counts.indptr}
        return {f"{self.name}_{part}": array for part, array in parts.items()} | {
            f"{self.name}_own": self.own.astype(np.float32),
            f"{self.name}_popularity": self.popularity.astype(np.float32),
        }


def scores_of(arrays: Mapping[str, NDArray[Any]], name: str, row: int, discount: float) -> Scores:
    """How strongly each item is paired with that of the row."""
    rows, popularity = arrays[f"{name}_rows"], arrays[f"{name}_popularity"]
    span = slice(rows[row], rows[row + 1])
    items = arrays[f"{name}_items"][span]
    scores = np.zeros(len(popularity), np.float32)
    scores[items] = _strength(name, arrays[f"{name}_values"][span], arrays[f"{name}_own"][row], popularity[items], discount)
    return scores


def _strength(name: str, counts: Scores, own: Any, popularity: Any, discount: float) -> Scores:
    """Counts beside what popularity lets expect; discount 0 takes popular items as they are, 0.5 makes it a shrunk cosine."""
    return np.asarray(counts / (own * popularity**discount + _SHRINKAGE[name]), np.float32)


def count(events: Events, least: int, discounts: Mapping[str, Sequence[float]]) -> dict[str, _Pairs]:
    """The pairs of each kind in `discounts`, which has "together": of each item the 200 strongest, by any of the discounts.

    Pairs that fewer than `least` users have in common are left out. Of a user the newest 200 events count: long histories
    say little and cost the square of their length.
    """
    ends = np.cumsum(events.lengths())
    matrix = events.where(np.arange(len(events)) >= (ends - LONGEST_HISTORY)[events.users]).matrix()
    matrix.data = np.ones_like(matrix.data)
    users = np.asarray(matrix.sum(axis=0), np.float64).ravel()
    own = {"together": np.sqrt(users)}
    popularity = {"together": users}
    for name, into in zip(("after", "before"), _totals(events, _DECAYED), strict=True):
        own[name], popularity[name] = np.ones(events.n_items), into + RARE
    popularity["near"] = np.add(*_totals(events, _BY_DISTANCE)) + RARE
    own["near"] = np.sqrt(popularity["near"])
    blocks: dict[str, list[Matrix]] = {name: [] for name in discounts}
    for begin, end, counted in _blocks(events, matrix, least, list(discounts)):
        for name, some in discounts.items():
            found = counted[name]
            mine = np.repeat(own[name][begin:end], np.diff(found.indptr))
            keep = np.zeros(found.nnz, bool)
            for discount in some:
                strong = _strength(name, found.data, mine, popularity[name][found.indices], discount)
                keep |= greatest_per_row(strong, found.indptr, NEIGHBOURS)
            blocks[name].append(only(found, keep))
    return {
        name: _Pairs(name, sparse.csr_array(sparse.vstack(of, format="csr")), own[name], popularity[name])
        for name, of in blocks.items()
    }


def smoothed(found: _Pairs, rank: int, seed: int, start: Scores | None = None) -> tuple[Scores, Scores]:
    """The greatest eigenvalues and eigenvectors of the cosine of pairs: near each other are items paired with the same others.

    found: "together" or "near". start: the vectors of nearly the same pairs.
    """
    counts = found.counts
    mine = np.repeat(found.own, np.diff(counts.indptr))
    cosine = sparse.csr_array(counts, dtype=np.float32, copy=True)
    cosine.data = _strength(found.name, counts.data, mine, found.popularity[counts.indices], 0.5)
    cosine = sparse.csr_array((cosine + cosine.T) * np.float32(0.5))
    powers = FIRST_POWERS if start is None else MORE_POWERS
    values, vectors = eigenvectors(cosine, rank + _SPARE, powers, seed, start)
    kept = np.argsort(-values, kind="stable")[:rank]
    return np.maximum(values[kept], 0).astype(np.float32), np.ascontiguousarray(vectors[:, kept], np.float32)


def _blocks(events: Events, matrix: Matrix, least: int, names: list[str]) -> Iterator[tuple[int, int, dict[str, Matrix]]]:
    """For a block of items after the other: its first item, that of the next one, and counts of pairs by kind."""
    by_item = sparse.csr_array(matrix.T)
    order = np.argsort(events.items, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(events.items, minlength=events.n_items))])
    end = 0
    while end < events.n_items:
        begin = end
        within = int(np.searchsorted(starts, starts[begin] + _EVENTS_PER_BLOCK, "right")) - 1
        end = min(max(within, begin + 1), begin + ITEMS_PER_BLOCK, events.n_items)
        common = sparse.csr_array(by_item[begin:end] @ matrix)
        rows = np.repeat(np.arange(begin, end), np.diff(common.indptr))
        common = only(common, (common.data >= max(1, least)) & (rows != common.indices))
        counted = {"together": common}
        for name, (steps, weights) in _NEARNESS.items():
            if name in names:
                near = _near(events, order[starts[begin] : starts[end]], begin, end, steps, weights)
                counted[name] = near if least <= 1 else sparse.csr_array(near * (common > 0))
        yield begin, end, counted


def _near(events: Events, places: Ints, begin: int, end: int, steps: Sequence[int], by_distance: Sequence[float]) -> Matrix:
    """Items of a block x items: how often the other stands near, behind (step 1) or before (-1), weighed by distance."""
    cells, weights = [], []
    for step, (distance, weight) in product(steps, enumerate(by_distance, 1)):
        others = places + step * distance
        inside = (others >= 0) & (others < len(events))
        mine, others = places[inside], others[inside]
        pairs = (events.users[mine] == events.users[others]) & (events.items[mine] != events.items[others])
        mine, others = mine[pairs], others[pairs]
        cells.append((events.items[mine] - begin) * np.int64(events.n_items) + events.items[others])
        weights.append(np.full(len(mine), weight, np.float32))
    found, values, shape = np.concatenate(cells), np.concatenate(weights), (end - begin, events.n_items)
    if len(found) * _DENSE < shape[0] * shape[1]:
        return sparse.csr_array((values, np.divmod(found, events.n_items)), shape=shape)
    return sparse.csr_array(np.bincount(found, values, shape[0] * shape[1]).astype(np.float32).reshape(shape))


def _totals(events: Events, by_distance: Sequence[float]) -> tuple[Floats, Floats]:
    """By item: how often it stands behind others, and how often before others."""
    behind, before = np.zeros(events.n_items), np.zeros(events.n_items)
    for distance, weight in enumerate(by_distance, 1):
        first, second = events.items[:-distance], events.items[distance:]
        pairs = (events.users[:-distance] == events.users[distance:]) & (first != second)
        for total, items in ((behind, second), (before, first)):
            total += weight * np.bincount(items[pairs], minlength=events.n_items)
    return behind, before
