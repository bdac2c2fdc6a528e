"""How new, varied and surprising recommendations are, beside being right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import norm

from personalize_emulator.metrics import Answer

EXPECTED = 25


@dataclass(frozen=True)
class Reference:
    """What the lists are held against.

    share: of the training users, how many have each item. alike: a sparse matrix, items x features, rows of length 1; None
    without features. expected: per test user the 25 most popular items not yet seen, which need no recommender.
    """

    share: NDArray[np.float64]
    alike: Any | None
    expected: Sequence[NDArray[np.int64]]


def unit_rows(features: Any) -> Any:
    """A sparse matrix with its rows at length 1; rows of zeros stay."""
    lengths = np.maximum(norm(features, axis=1), 1e-9)
    return sparse.csr_array(sparse.diags_array(1 / lengths) @ features)


def qualities(answers: Sequence[Answer], reference: Reference, length: int = 10) -> dict[str, float]:
    """Means over the first `length` items of the test users' lists; empty lists are neither new nor varied nor surprising."""
    lists = [answer.recommended[:length] for answer in answers]
    serendipity = [
        _serendipity(shown, plain, list(answer.relevant), length)
        for answer, shown, plain in zip(answers, lists, reference.expected, strict=True)
    ]
    found = {
        f"novelty_at_{length}": _mean([_self_information(shown, reference.share) for shown in lists]),
        f"serendipity_at_{length}": _mean(serendipity),
        f"gini_at_{length}": _gini(lists, len(reference.share)),
    }
    if reference.alike is not None:
        found[f"diversity_at_{length}"] = _mean([_intra_list_diversity(shown, reference.alike) for shown in lists])
    return found


def _serendipity(shown: NDArray[np.int64], plain: NDArray[np.int64], relevant: list[int], length: int) -> float:
    """The share of the places that hold a relevant item which popularity would not have shown (Ge et al., RecSys 2010)."""
    unexpected = set(shown.tolist()).difference(plain[:EXPECTED].tolist())
    return len(unexpected.intersection(relevant)) / length


def _self_information(shown: NDArray[np.int64], share: NDArray[np.float64]) -> float:
    """Mean self-information in bits (Zhou et al., PNAS 2010); an item that nobody has counts like the rarest."""
    return float(-np.log2(np.maximum(share[shown], share[share > 0].min())).mean()) if len(shown) else 0.0


def _intra_list_diversity(shown: NDArray[np.int64], alike: Any) -> float:
    """Mean of 1 - cosine over the pairs of a list (Smyth and McClave, ICCBR 2001)."""
    if len(shown) < 2:
        return 0.0
    rows = alike[shown]
    near = (rows @ rows.T).toarray()
    return float((1 - near[np.triu_indices(len(shown), 1)]).mean())


def _gini(lists: Sequence[NDArray[np.int64]], size: int) -> float:
    """How unequally the places are shared among the items: 0 equally, 1 all for one."""
    shown: NDArray[Any] = np.sort(np.bincount(np.concatenate(lists), minlength=size))
    ranks = np.arange(1, size + 1)
    return float(((2 * ranks - size - 1) * shown).sum() / max(1, size * shown.sum()))


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else 0.0
