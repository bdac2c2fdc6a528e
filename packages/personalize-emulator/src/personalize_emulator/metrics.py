"""Offline metrics of a solution version, as GetSolutionMetrics gives them.

docs: personalize/latest/dg/working-with-training-metrics.html.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_CUTOFFS = (5, 10, 25)
_LONGEST = max(_CUTOFFS)
DISCOUNTS = 1 / np.log2(np.arange(2, _LONGEST + 2))


@dataclass(frozen=True)
class Answer:
    """What one test user was recommended, best first, and the items (and their weights) held out of sight."""

    recommended: NDArray[np.int64]
    relevant: Mapping[int, float]


def ranking_metrics(answers: list[Answer], catalogue: int) -> dict[str, float]:
    """Coverage, MRR@25, NDCG and precision at 5, 10 and 25; means over the test users.

    catalogue: distinct items of the datasets, the divisor of the coverage.
    """
    hits = np.array([_hits(answer) for answer in answers]) if answers else np.zeros((0, _LONGEST))
    relevant = np.array([len(answer.relevant) for answer in answers], int)
    metrics = {
        "coverage": coverage((answer.recommended[:_LONGEST] for answer in answers), catalogue),
        "mean_reciprocal_rank_at_25": _mean((hits / np.arange(1, _LONGEST + 1)).max(axis=1)),
    }
    for k in _CUTOFFS:
        ideal = np.cumsum(DISCOUNTS)[np.minimum(k, relevant) - 1]
        gains = (hits[:, :k] * DISCOUNTS[:k]).sum(axis=1) / ideal
        metrics[f"normalized_discounted_cumulative_gain_at_{k}"] = _mean(gains)
    for k in _CUTOFFS:
        metrics[f"precision_at_{k}"] = _mean(hits[:, :k].mean(axis=1))
    return metrics


def weighted_gain_metrics(answers: list[Answer]) -> dict[str, float]:
    """NDCG whose gains are the event weights over their mean.

    docs: personalize/latest/dg/optimizing-solution-events-config.html. The cut-off takes the place of the
    letter k that the documentation prints in the name.
    """
    metrics = {}
    for k in _CUTOFFS:
        values = []
        for answer in answers:
            gains = [answer.relevant.get(int(item), 0.0) for item in answer.recommended[:k]]
            best = sorted(answer.relevant.values(), reverse=True)[:k]
            values.append(np.dot(gains, DISCOUNTS[: len(gains)]) / np.dot(best, DISCOUNTS[: len(best)]))
        # Guess: the metric with event weights is given for 5, 10 and 25, as the one without.
        metrics[f"normalized_discounted_cumulative_gain_with_event_weights_at_{k}"] = _mean(np.array(values))
    return metrics


def average_rewards(answers: list[Answer], rewards: NDArray[np.float64]) -> float:
    """`average_rewards_at_k`: the share of the reward of all hits that the 25 most rewarding recommendations hold.

    A user's hits are the held-out items among the recommendations; users without a rewarded hit are left out.
    """
    shares = []
    for answer in answers:
        hit = np.isin(answer.recommended, list(answer.relevant))
        gained = rewards[answer.recommended]
        best = np.argsort(-gained, kind="stable")[:_LONGEST]
        total = gained[hit].sum()
        if total > 0:
            shares.append(gained[best][hit[best]].sum() / total)
    return _mean(np.array(shares))


def segment_metrics(answers: Iterable[tuple[NDArray[np.int64], frozenset[int]]], users: int) -> dict[str, float]:
    """Coverage, hits and recall of user segments: the best 1 % of users for an item against who took it later."""
    size = max(1, users // 100)
    segments, hits, recall = [], [], []
    for ranked, takers in answers:
        segment = ranked[:size]
        found = len(takers.intersection(segment.tolist()))
        segments.append(segment)
        hits.append(found)
        recall.append(found / len(takers))
    return {
        "coverage": coverage(segments, users),
        "hits_at_1_percent": _mean(np.array(hits, float)),
        "recall_at_1_percent": _mean(np.array(recall)),
    }


def area_under_curve(scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> float:
    """The probability that a positive scores above a negative, ties half; 0.5 without both kinds."""
    from scipy.stats import rankdata

    n, m = int(positive.sum()), int((~positive).sum())
    if n == 0 or m == 0:
        return 0.5
    return float((rankdata(scores)[positive].sum() - n * (n + 1) / 2) / (n * m))


def coverage(lists: Iterable[NDArray[np.int64]], catalogue: int) -> float:
    """Distinct members of the lists over the size of what they choose from."""
    chosen: set[int] = set()
    for members in lists:
        chosen.update(members.tolist())
    return len(chosen) / max(1, catalogue)


def rounded(metrics: Mapping[str, float]) -> dict[str, float]:
    """Four decimals, as the service prints them."""
    return {name: round(float(value), 4) for name, value in metrics.items()}


def _hits(answer: Answer) -> NDArray[np.bool_]:
    hits = np.zeros(_LONGEST, bool)
    shown = answer.recommended[:_LONGEST]
    hits[: len(shown)] = [int(item) in answer.relevant for item in shown]
    return hits


def _mean(values: NDArray[np.floating]) -> float:
    return float(values.mean()) if len(values) else 0.0
