"""The recommenders that the recipes are compared with: plain, well known, with settings from the literature.

Each takes a users x items matrix of ones to learn from, and scores the visible histories of test users.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

Matrix: TypeAlias = sparse.csr_array
Scores = NDArray[np.floating[Any]]
_Scorer = Callable[[Matrix], Scores]
FACTORS, REGULARISATION, CONFIDENCE = 32, 5.0, 2.0
NEIGHBOURS, SHRINKAGE = 300, 20.0
_EASE_PENALTY = 100.0


def popularity(training: Matrix, seed: int) -> _Scorer:
    counts = np.asarray(training.sum(axis=0)).ravel()
    return lambda histories: np.repeat(counts[None], histories.shape[0], axis=0)


def item_knn(training: Matrix, seed: int) -> _Scorer:
    """Cosine between items, shrunk; the 300 nearest neighbours (Sarwar et al., WWW 2001)."""
    together = (training.T @ training).toarray()
    lengths = np.sqrt(np.diag(together))
    near = together / (np.outer(lengths, lengths) + SHRINKAGE)
    np.fill_diagonal(near, 0)
    near[near < np.partition(near, -NEIGHBOURS, axis=1)[:, -NEIGHBOURS][:, None]] = 0
    return lambda histories: np.asarray(histories @ near.T)


def _ease(training: Matrix, seed: int) -> _Scorer:
    """Embarrassingly shallow autoencoders (Steck, WWW 2019)."""
    weights = (training.T @ training).toarray().astype(np.float64)
    weights[np.diag_indices_from(weights)] += _EASE_PENALTY
    inverse = linalg.inv(weights)
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return lambda histories: np.asarray(histories @ weights)


def _implicit_als(training: Matrix, seed: int) -> _Scorer:
    """ALS of the package `implicit`; test users are folded in by the package itself."""
    from implicit.cpu.als import AlternatingLeastSquares

    model = AlternatingLeastSquares(FACTORS, REGULARISATION, CONFIDENCE, iterations=15, num_threads=1, random_state=seed)
    model.fit(_plain(training), show_progress=False)

    def score(histories: Matrix) -> Scores:
        users = model.recalculate_user(np.arange(histories.shape[0]), _plain(histories))
        return np.asarray(users @ model.item_factors.T)

    return score


def _implicit_bpr(training: Matrix, seed: int) -> _Scorer:
    """BPR (Rendle et al., UAI 2009) of the package `implicit`.

    It cannot fold in new users, so that it is trained when it is asked, with the visible histories added.
    """
    from implicit.cpu.bpr import BayesianPersonalizedRanking

    def score(histories: Matrix) -> Scores:
        model = BayesianPersonalizedRanking(
            64, learning_rate=0.02, regularization=0.01, iterations=200, num_threads=1, random_state=seed
        )
        both = sparse.vstack([histories, training], format="csr")
        model.fit(_plain(both), show_progress=False)
        return np.asarray(model.user_factors[: histories.shape[0]] @ model.item_factors.T)

    return score


BASELINES: dict[str, Callable[[Matrix, int], _Scorer]] = {
    "popularity": popularity,
    "item-kNN": item_knn,
    "implicit BPR": _implicit_bpr,
    "implicit ALS": _implicit_als,
    "EASE": _ease,
}


def _plain(matrix: Matrix) -> sparse.csr_matrix:
    """As `implicit` wants it: float32 and the matrix class."""
    return sparse.csr_matrix(matrix.astype(np.float32))
