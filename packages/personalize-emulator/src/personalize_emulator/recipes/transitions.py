"""Which item follows which: a first-order Markov chain over a window, decayed by distance."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from personalize_emulator.recipes.events import Events, Matrix

WINDOW = 20
DECAY = 0.95
_SHRINKAGE = 5.0
_POPULARITY_DISCOUNT = 0.3
_SUCCESSORS = 100


def transitions(counts: Matrix) -> Matrix:
    """Items x items: how much more than by its popularity an item follows another; the 100 best of each row."""
    return _weighed_down(_without_diagonal(counts), _SUCCESSORS)


def _without_diagonal(counts: Matrix) -> Matrix:
    """The counts of pairs of different items."""
    rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    data = np.where(rows == counts.indices, np.float32(0), counts.data)
    return sparse.csr_array((data, counts.indices, counts.indptr), shape=counts.shape)


def _weighed_down(total: Matrix, size: int) -> Matrix:
    """Counts of pairs as shares of their row, less for popular items; the `size` best of each row."""
    out = np.asarray(total.sum(axis=1)).ravel() + _SHRINKAGE
    into = np.asarray(total.sum(axis=0)).ravel() + _SHRINKAGE
    shares = total.data * np.repeat(1 / out, np.diff(total.indptr)) * (into**-_POPULARITY_DISCOUNT)[total.indices]
    weighed = sparse.csr_array((shares.astype(np.float32), total.indices, total.indptr), shape=total.shape)
    return top_per_row(weighed, size)


@dataclass(frozen=True)
class Follows:
    """Items x items: how often the one follows the other within the window, decayed by distance; and of whose events."""

    counts: Matrix
    users: NDArray[np.bool_]


def follows(events: Events, before: Follows | None = None) -> Follows:
    """before: those of some of the same users, with all their events; only the others are counted anew."""
    users = np.bincount(events.users, minlength=events.n_users) > 0
    if before is None or (before.users & ~users).any():
        return Follows(_summed(list(_followers(events))), users)
    new = events.where(~before.users[events.users])
    return Follows(before.counts + _summed(list(_followers(new))), users)


def _followers(events: Events) -> Iterator[Matrix]:
    shape = (events.n_items, events.n_items)
    for distance in range(1, WINDOW + 1):
        before, after = events.items[:-distance], events.items[distance:]
        pairs = events.users[:-distance] == events.users[distance:]
        values = np.full(int(pairs.sum()), DECAY ** (distance - 1), np.float32)
        yield sparse.csr_array((values, (before[pairs], after[pairs])), shape=shape)


def _summed(matrices: list[Matrix]) -> Matrix:
    """Sum in pairs: adding one after the other would copy the growing total each time."""
    while len(matrices) > 1:
        matrices = [sum(matrices[i : i + 2][1:], matrices[i]) for i in range(0, len(matrices), 2)]
    return matrices[0]


def top_per_row(matrix: Matrix, size: int) -> Matrix:
    """The `size` greatest entries of each row."""
    return only(matrix, greatest_per_row(matrix.data, matrix.indptr, size))


def greatest_per_row(data: NDArray[np.float32], rows: NDArray[np.integer[Any]], size: int) -> NDArray[np.bool_]:
    """Marks the `size` greatest of each row; row r is data[rows[r]:rows[r + 1]]."""
    keep = np.ones(len(data), bool)
    for row in np.flatnonzero(np.diff(rows) > size):
        begin, end = rows[row], rows[row + 1]
        dropped = np.argpartition(data[begin:end], end - begin - size)[: end - begin - size]
        keep[begin + dropped] = False
    return keep


def only(matrix: Matrix, keep: NDArray[np.bool_]) -> Matrix:
    """Those of the entries that are marked."""
    kept = np.concatenate([[0], np.cumsum(keep)])
    rows = kept[matrix.indptr].astype(np.int32)
    return sparse.csr_array((matrix.data[keep], matrix.indices[keep], rows), shape=matrix.shape)
