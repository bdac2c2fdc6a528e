"""Which item follows a whole history, with what the items of the history have in common counted once.

Transitions add up the successors of each item; where items mostly come together, the same is added again and again. The least
squares of the next item on the decayed history take that out in closed form: B = (G + penalty)^-1 M, M the decayed counts of
what follows what, G their symmetrised form. After Choi et al., "Session-aware Linear Item-Item Models" (SLIST), WWW 2021, and
Park et al., "Temporal Linear Item-Item Model" (TALE), WSDM 2025.

G is kept as its diagonal and the 128 greatest eigenvectors of the rest, so that memory and time grow with the items.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from personalize_emulator.recipes.events import Events, Matrix
from personalize_emulator.recipes.neighbours import Floats, Ints, spans
from personalize_emulator.recipes.transitions import top_per_row

_SUCCESSORS = 200
_RANK = 128
_SPARE = 16
_POWERS = 5
_PENALTY = 2.0  # in mean counts of an item
_POPULARITY_DISCOUNT = 0.1
_SHRINKAGE = 5.0
_LEAST_VALUE = -0.9
_HISTORY = 200
_LEAST_WEIGHT = 1e-3


def whiten(events: Events, follows: Matrix, seed: int) -> dict[str, NDArray[Any]]:
    """The arrays that `score` reads: B as a sparse matrix minus the product of two narrow ones. follows: the counts M."""
    counts = np.bincount(events.items, minlength=events.n_items).astype(np.float32)
    into = np.asarray(follows.sum(axis=0)).ravel() + _SHRINKAGE
    follows = top_per_row(follows, _SUCCESSORS)
    same = follows.diagonal()
    diagonal = counts + 2 * same + _PENALTY * counts.mean()
    root = (1 / np.sqrt(diagonal)).astype(np.float32)
    others = _scaled(follows + follows.T - sparse.diags_array(2 * same), root, root)
    values, vectors = eigenvectors(others, _RANK + _SPARE, _POWERS, seed)
    kept = np.argsort(-np.abs(values))[:_RANK]
    # Below -1 nothing could be inverted: the counts that top_per_row dropped may lead there.
    values, vectors = np.maximum(values[kept], _LEAST_VALUE), vectors[:, kept]
    left, right = root[:, None] * vectors * (values / (1 + values)), root[:, None] * vectors
    next_ = _scaled(follows, np.ones_like(root), (into**-_POPULARITY_DISCOUNT).astype(np.float32))
    direct = _scaled(next_, root * root, np.ones_like(root))
    return {
        "chain_values": direct.data,
        "chain_items": direct.indices,
        "chain_rows": direct.indptr,
        "chain_left": left.astype(np.float32),
        "chain_right": np.ascontiguousarray((next_.T @ right).T, dtype=np.float32),
    }


def score(arrays: Mapping[str, NDArray[Any]], items: Ints, weights: Floats, recency: float | None) -> Floats:
    """What follows the history. recency: events until the weight is 1/e."""
    items, weights = items[-_HISTORY:], weights[-_HISTORY:]
    age = np.arange(len(items) - 1, -1, -1, dtype=np.float32)
    decayed = weights * (np.exp(-age / np.float32(recency)) if recency else np.float32(1))
    counted = decayed > _LEAST_WEIGHT * decayed.max(initial=0)
    items, decayed = items[counted], decayed[counted]
    places, lengths = spans(arrays["chain_rows"], items)
    amounts = np.repeat(decayed, lengths) * arrays["chain_values"][places]
    right = arrays["chain_right"]
    direct = np.bincount(arrays["chain_items"][places], amounts, right.shape[1]).astype(np.float32)
    return np.asarray(direct - (decayed @ arrays["chain_left"][items]) @ right, np.float32)


def _scaled(matrix: Matrix, rows: Floats, columns: Floats) -> Matrix:
    """Each cell times the factor of its row and of its column."""
    scaled = sparse.csr_array(matrix, dtype=np.float32, copy=True)
    scaled.data *= np.repeat(rows, np.diff(scaled.indptr)) * columns[scaled.indices]
    return scaled


def eigenvectors(symmetric: Matrix, width: int, powers: int, seed: int, start: Floats | None = None) -> tuple[Floats, Floats]:
    """About the greatest eigenvalues by amount, and their vectors, by subspace iteration from `start` and random ones."""
    size = symmetric.shape[0]
    width = min(width, size)
    basis = np.random.default_rng(seed).standard_normal((size, width), dtype=np.float32)
    if start is not None:
        basis[:, : start.shape[1]] = start[:, :width]
    for _ in range(powers):
        basis = np.linalg.qr(symmetric @ basis)[0]
    values, vectors = np.linalg.eigh(basis.T @ (symmetric @ basis))
    return values, basis @ vectors
