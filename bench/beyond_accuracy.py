"""How wide, new, varied and surprising recommendations are, beside being right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from localaws.personalize.metrics import Answer

LENGTH = 10
EXPECTED = 25


@dataclass(frozen=True)
class Reference:
    """What the lists are held against.

    share: of the training users, how many have each item. alike: items x features, rows of length 1.
    expected: per test user the 25 most popular items not yet seen, which need no recommender.
    """

    share: NDArray[np.float64]
    alike: NDArray[np.float64]
    expected: list[NDArray[np.int64]]


def qualities(answers: list[Answer], reference: Reference) -> dict[str, float]:
    """Means over the first ten items of the test users' lists."""
    lists = [answer.recommended[:LENGTH] for answer in answers]
    serendipity = [
        np.isin(list(set(shown.tolist()) - set(plain[:EXPECTED].tolist())), list(answer.relevant)).sum() / LENGTH
        for answer, shown, plain in zip(answers, lists, reference.expected, strict=True)
    ]
    return {
        "novelty_at_10": float(np.mean([_self_information(shown, reference.share) for shown in lists])),
        "serendipity_at_10": float(np.mean(serendipity)),
        "diversity_at_10": float(np.mean([_intra_list_diversity(shown, reference.alike) for shown in lists])),
        "gini_at_10": _gini(lists, len(reference.share)),
    }


def _self_information(shown: NDArray[np.int64], share: NDArray[np.float64]) -> float:
    """Mean self-information in bits (Zhou et al., PNAS 2010)."""
    return float(-np.log2(np.maximum(share[shown], share[share > 0].min())).mean())


def _intra_list_diversity(shown: NDArray[np.int64], alike: NDArray[np.float64]) -> float:
    """Mean of 1 - cosine over the pairs of a list (Smyth and McClave, ICCBR 2001)."""
    near = alike[shown] @ alike[shown].T
    pairs = np.triu_indices(len(shown), 1)
    return float((1 - near[pairs]).mean()) if len(shown) > 1 else 0.0


def _gini(lists: list[NDArray[np.int64]], size: int) -> float:
    """How unequally the places are shared among the items: 0 equally, 1 all for one."""
    shown: NDArray[Any] = np.sort(np.bincount(np.concatenate(lists), minlength=size))
    ranks = np.arange(1, size + 1)
    return float(((2 * ranks - size - 1) * shown).sum() / (size * shown.sum()))
