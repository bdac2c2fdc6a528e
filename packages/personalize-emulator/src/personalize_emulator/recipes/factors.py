"""Implicit-feedback matrix factorisation by alternating least squares, and folding users and items into it.

Hu, Koren and Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float32]

_REGULARISATION = 5.0
_CONFIDENCE = 2.0
_RIDGE = 10.0
_CELLS_PER_BATCH = 1 << 17


def factorise(
    matrix: sparse.csr_array,
    factors: int,
    iterations: int,
    seed: int,
    start: Floats | None = None,
    progress: Callable[[float], None] | None = None,
) -> Floats:
    """Item factors (items x factors) of a users x items matrix of weights.

    start: item factors to begin with instead of random ones; then few iterations are enough.
    """
    random = np.random.default_rng(seed)
    items = 0.01 * random.standard_normal((matrix.shape[1], factors), dtype=np.float32)
    if start is not None:
        items[: len(start)] = start
    transposed = sparse.csr_array(matrix.T)
    for iteration in range(iterations):
        items = fold_in(transposed, fold_in(matrix, items))
        if progress:
            progress((iteration + 1) / iterations)
    return items


def gram(factors: Floats) -> Floats:
    """The part of the normal equations that all rows share."""
    return np.asarray(factors.T @ factors + _REGULARISATION * np.eye(factors.shape[1], dtype=np.float32))


def fold_in(rows: sparse.csr_array, factors: Floats) -> Floats:
    """The least-squares factors of each row (a user over items, or an item over users), given the others'.

    Rows of similar length are solved together, as one stack of small dense systems.
    """
    lengths = np.diff(rows.indptr)
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] > 0]
    shared = gram(factors)
    inverse = np.linalg.inv(shared)
    padded = np.vstack([factors, np.zeros((1, factors.shape[1]), np.float32)])
    result = np.zeros((rows.shape[0], factors.shape[1]), np.float32)
    begin = 0
    while begin < len(order):
        end = _batch_end(lengths, order, begin)
        batch = order[begin:end]
        columns, weights = _dense_rows(rows, batch, int(lengths[batch[-1]]), len(factors))
        entries = padded[columns]
        short = entries.shape[1] < entries.shape[2]
        result[batch] = _solve_short(inverse, entries, weights) if short else _solve(shared, entries, weights)
        begin = end
    return result


def fold_in_one(shared: Floats, factors: Floats, weights: Floats) -> Floats:
    """`fold_in` for one row: `factors` and `weights` of its entries; `shared` from `gram`."""
    left = shared + (factors * (_CONFIDENCE * weights)[:, None]).T @ factors
    return np.asarray(np.linalg.solve(left, ((1 + _CONFIDENCE) * weights) @ factors), dtype=np.float32)


def ridge_map(features: sparse.csr_array, factors: Floats, counts: NDArray[np.int64]) -> Floats:
    """Weights W (features x factors) so that features @ W predicts the factors of an item without interactions.

    Learned from the items with interactions; those with many count more.
    """
    weights = np.log1p(counts).astype(np.float32)
    weighted = sparse.csr_array(features.multiply(weights[:, None]).T)
    left = (weighted @ features).toarray() + _RIDGE * np.eye(features.shape[1], dtype=np.float32)
    return np.asarray(np.linalg.solve(left, weighted @ factors), dtype=np.float32)


def _batch_end(lengths: NDArray[np.int32], order: NDArray[np.int64], begin: int) -> int:
    """Rows from `begin` on that together, padded to the longest, stay within _CELLS_PER_BATCH."""
    end = min(len(order), begin + max(1, _CELLS_PER_BATCH // int(lengths[order[begin]])))
    while end - begin > 1 and (end - begin) * int(lengths[order[end - 1]]) > _CELLS_PER_BATCH:
        end = begin + max(1, (end - begin) // 2)
    return end


def _dense_rows(rows: sparse.csr_array, batch: NDArray[np.int64], width: int, blank: int) -> tuple[NDArray[np.int64], Floats]:
    """Column numbers and weights of some rows, padded on the right with column `blank` of weight 0."""
    offsets = rows.indptr[batch][:, None] + np.arange(width)
    inside = offsets < rows.indptr[batch + 1][:, None]
    offsets = np.where(inside, offsets, 0)
    return np.where(inside, rows.indices[offsets], blank), np.where(inside, rows.data[offsets], np.float32(0))


def _solve_short(inverse: Floats, entries: Floats, weights: Floats) -> Floats:
    """`_solve` for rows with fewer entries than factors: systems of their size, by the push-through identity."""
    roots = np.sqrt(weights)[:, :, None]
    scaled = entries * roots
    turned = scaled @ inverse
    left = _CONFIDENCE * (turned @ scaled.transpose(0, 2, 1)) + np.eye(entries.shape[1], dtype=np.float32)
    solved = np.linalg.solve(left, (1 + _CONFIDENCE) * roots)
    return np.asarray((turned.transpose(0, 2, 1) @ solved)[:, :, 0])


def _solve(shared: Floats, entries: Floats, weights: Floats) -> Floats:
    scaled = entries * weights[:, :, None]
    left = shared + _CONFIDENCE * (scaled.transpose(0, 2, 1) @ entries)
    right = (1 + _CONFIDENCE) * scaled.sum(axis=1)
    return np.asarray(np.linalg.solve(left, right[:, :, None])[:, :, 0])
