"""Which item follows which: a first-order Markov chain over a window, decayed by distance."""

from collections.abc import Iterator

import numpy as np
from scipy import sparse

from personalize_emulator.recipes.events import Events, Matrix

WINDOW = 20
DECAY = 0.95
SHRINKAGE = 5.0
POPULARITY_DISCOUNT = 0.3
SUCCESSORS = 100


def transitions(events: Events) -> Matrix:
    """Items x items: how much more than by its popularity an item follows another; the 100 best of each row."""
    total = _sum(list(_followers(events)), events.n_items)
    out = np.asarray(total.sum(axis=1)).ravel() + SHRINKAGE
    into = np.asarray(total.sum(axis=0)).ravel() + SHRINKAGE
    total.data *= np.repeat(1 / out, np.diff(total.indptr)) * (into**-POPULARITY_DISCOUNT)[total.indices]
    return top_per_row(total, SUCCESSORS)


def _followers(events: Events) -> Iterator[Matrix]:
    shape = (events.n_items, events.n_items)
    for distance in range(1, WINDOW + 1):
        before, after = events.items[:-distance], events.items[distance:]
        pairs = (events.users[:-distance] == events.users[distance:]) & (before != after)
        values = np.full(int(pairs.sum()), DECAY ** (distance - 1), np.float32)
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
