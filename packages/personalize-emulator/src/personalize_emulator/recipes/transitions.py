"""Which item follows which: a first-order Markov chain over a window, decayed by distance."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from personalize_emulator.recipes.events import Events, Matrix

_WINDOW = 20
_DECAY = 0.95
_SHRINKAGE = 5.0
_POPULARITY_DISCOUNT = 0.3
_SUCCESSORS = 100


def transitions(counts: Matrix) -> Matrix:
    """Items x items: how much more than by its popularity an item follows another; the 100 best of each row."""
    return weighed_down(without_diagonal(counts), _SUCCESSORS)


def without_diagonal(counts: Matrix) -> Matrix:
    """The counts of pairs of different items."""
    rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    data = np.where(rows == counts.indices, np.float32(0), counts.data)
    return sparse.csr_array((data, counts.indices, counts.indptr), shape=counts.shape)


def weighed_down(total: Matrix, size: int) -> Matrix:
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
        return Follows(_sum(list(_followers(events)), events.n_items), users)
    new = events.where(~before.users[events.users])
    return Follows(before.counts + _sum(list(_followers(new)), events.n_items), users)


def _followers(events: Events) -> Iterator[Matrix]:
    shape = (events.n_items, events.n_items)
    for distance in range(1, _WINDOW + 1):
        before, after = events.items[:-distance], events.items[distance:]
        pairs = events.users[:-distance] == events.users[distance:]
        values = np.full(int(pairs.sum()), _DECAY ** (distance - 1), np.float32)
        yield sparse.csr_array((values, (before[pairs], after[pairs])), shape=shape)


def _sum(matrices: list[Matrix], size: int) -> Matrix:
    """Sum in pairs: adding one after the other would copy the growing total each time."""
    while len(matrices) > 1:
        matrices = [sum(matrices[i : i + 2][1:], matrices[i]) for i in range(0, len(matrices), 2)]
    return matrices[0] if matrices else sparse.csr_array((size, size), dtype=np.float32)


def top_per_row(matrix: Matrix, size: int) -> Matrix:
    """The `size` greatest entries of each row."""
    keep = np.ones(matrix.nnz, bool)
    for row in np.flatnonzero(np.diff(matrix.indptr) > size):
        begin, end = matrix.indptr[row], matrix.indptr[row + 1]
        dropped = np.argpartition(matrix.data[begin:end], end - begin - size)[: end - begin - size]
        keep[begin + dropped] = False
    kept = np.concatenate([[0], np.cumsum(keep)])
    return sparse.csr_array((matrix.data[keep], matrix.indices[keep], kept[matrix.indptr].astype(np.int32)), shape=matrix.shape)
