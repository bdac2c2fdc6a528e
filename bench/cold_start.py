"""Items that nobody interacted with yet, and users of whom only a few events are known."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from personalize_emulator.datasets import History, TrainingData
from personalize_emulator.metrics import Answer, area_under_curve, ranking_metrics
from personalize_emulator.recipes import Model, Query, TrainingOptions
from personalize_emulator.recipes.events import Events, Prepared, attributes_of, prepare
from personalize_emulator.recipes.model import best
from personalize_emulator.recipes.personalization import fit
from personalize_emulator.recipes.popularity import distinct_users
from personalize_emulator.recipes.related import fit as fit_related

_COLD_SHARE = 0.1
_NEXT = 10
_KNOWN = (0, 1, 2, 3, 5, 10, 20)
RECIPE = "aws-user-personalization-v2"

Collected = dict[str, list[dict[str, float]]]
Scores = NDArray[np.floating]


def cold_items(data: TrainingData, seeds: Iterable[int]) -> Collected:
    """A tenth of the items loses all interactions; how well are those ranked for the users who had them?"""
    collected: Collected = defaultdict(list)
    for seed in seeds:
        options = TrainingOptions(RECIPE, seed=seed)
        prepared = prepare(data, options)
        everything = prepared.events
        random = np.random.default_rng(seed)
        cold = random.random(everything.n_items) < _COLD_SHARE
        left = replace(prepared, events=everything.where(~cold[everything.items]))
        personal, similar = fit(left, options), fit_related(left, TrainingOptions("aws-similar-items", seed=seed))
        popular = distinct_users(everything).astype(float)
        ranked: dict[str, list[tuple[Scores, NDArray[np.bool_]]]] = defaultdict(list)
        for user, wanted in _wanted(everything, cold).items():
            query = _query(left, user)
            if query is None:
                continue
            relevant = np.isin(np.flatnonzero(cold), wanted)
            ranked[RECIPE].append((personal.scores(query)[cold], relevant))
            ranked["aws-similar-items, newest item"].append((similar.scores(query)[cold], relevant))
            ranked["random"].append((random.random(int(cold.sum())), relevant))
            ranked["their true popularity"].append((popular[cold], relevant))
        for name, rows in ranked.items():
            collected[name].append(_ranking(rows))
    return collected


def cold_users(data: TrainingData, seeds: Iterable[int]) -> Collected:
    """The first k events of users that the training has not seen are known; NDCG@10 of the ten that follow."""
    collected: Collected = defaultdict(list)
    for seed in seeds:
        options = TrainingOptions(RECIPE, seed=seed)
        prepared = prepare(data, options)
        events = prepared.events
        unseen = np.random.default_rng(seed).random(events.n_users) < _COLD_SHARE
        left = replace(prepared, events=events.where(~unseen[events.users]))
        model = fit(left, options)
        popular = distinct_users(left.events).astype(float)
        of_model: dict[int, list[Answer]] = {known: [] for known in _KNOWN}
        of_popular: dict[int, list[Answer]] = {known: [] for known in _KNOWN}
        lengths = events.lengths()
        starts = np.cumsum(lengths) - lengths
        for user in np.flatnonzero(unseen & (lengths >= max(_KNOWN) + _NEXT)):
            items = events.items[starts[user] : starts[user] + lengths[user]]
            for known in _KNOWN:
                relevant = dict.fromkeys(items[known : known + _NEXT].tolist(), 1.0)
                query = Query(
                    None,
                    history=_history(prepared, items[:known]),
                    attributes=attributes_of(prepared.users, prepared.user_ids[user]),
                )
                of_model[known].append(Answer(best(model.scores(query), _NEXT), relevant))
                unknown = np.where(np.isin(np.arange(len(popular)), items[:known]), -np.inf, popular)
                of_popular[known].append(Answer(best(unknown, _NEXT), relevant))
        for name, answers in ((RECIPE, of_model), ("popularity, seen removed", of_popular)):
            collected[name].append({f"{known} known": _ndcg(given, model) for known, given in answers.items()})
    return collected


def _wanted(events: Events, cold: NDArray[np.bool_]) -> dict[int, NDArray[np.int32]]:
    """Per user the cold items that the user had."""
    chosen = events.where(cold[events.items])
    return {int(user): chosen.items[chosen.users == user] for user in np.unique(chosen.users)}


def _query(prepared: Prepared, user: int) -> Query | None:
    items = prepared.events.items[prepared.events.users == user]
    if not len(items):
        return None
    newest = prepared.item_ids[items[-1]]
    return Query(prepared.user_ids[user], newest, _history(prepared, items))


def _history(prepared: Prepared, items: NDArray[np.int32]) -> History:
    size = len(items)
    return History(list(prepared.item_ids[items]), [0] * size, [None] * size, [None] * size)


def _ranking(rows: list[tuple[Scores, NDArray[np.bool_]]]) -> dict[str, float]:
    answers = [Answer(best(s, _NEXT), dict.fromkeys(np.flatnonzero(r).tolist(), 1.0)) for s, r in rows]
    return {
        "ndcg_at_10": ranking_metrics(answers, 1)["normalized_discounted_cumulative_gain_at_10"],
        "auc": float(np.mean([area_under_curve(scores, relevant) for scores, relevant in rows])),
    }


def _ndcg(answers: list[Answer], model: Model) -> float:
    return ranking_metrics(answers, len(model.item_ids))["normalized_discounted_cumulative_gain_at_10"]
