"""Item-Affinity and Item-Attribute-Affinity: which users have most interest in an item, or in items of a kind?

Users and items are implicit-feedback factors; a user's interest is the plain product, so that active users rank
first among equals.
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from personalize_emulator.metrics import segment_metrics
from personalize_emulator.recipes.events import Events, Prepared
from personalize_emulator.recipes.factors import factorise, fold_in
from personalize_emulator.recipes.features import Features
from personalize_emulator.recipes.model import Model, Query, Scores, best, object_array
from personalize_emulator.recipes.options import TrainingFailed, TrainingOptions
from personalize_emulator.recipes.personalization import ITERATIONS, WARM_ITERATIONS, item_features, width
from personalize_rules.recipes import RECIPES

HELD_SHARE = 0.2
SAMPLE = 300


class AffinityModel(Model):
    """Ranks users for an item, or for the mean of some items."""

    @cached_property
    def _user_ids(self) -> NDArray[np.object_]:
        return object_array(self.facts["users"])

    @property
    def ranked_ids(self) -> NDArray[np.object_]:
        return self._user_ids

    def scores(self, query: Query) -> Scores:
        row = self.index.get(query.item_id or "", -1)
        return self.interest(np.array([row] if row >= 0 else [], np.int64))

    def interest(self, items: NDArray[np.int64]) -> Scores:
        """Interest of every user in the mean of these items; none (-inf) if there is no item."""
        if not len(items):
            return np.full(len(self._user_ids), -np.inf, np.float32)
        return np.asarray(self.arrays["users"] @ self.arrays["items"][items].mean(axis=0))


def train(prepared: Prepared, options: TrainingOptions) -> tuple[AffinityModel, dict[str, float]]:
    """The model, measured with each user's newest 20 % hidden.

    docs: personalize/latest/dg/working-with-training-metrics.html, "USER_SEGMENTATION"
    """
    by_attribute = RECIPES[options.recipe].family == "attributes"
    if by_attribute and not _features(prepared).width:
        raise TrainingFailed("The Items dataset has no categorical or numeric column, which the recipe needs")
    newest = prepared.events.newest(HELD_SHARE)
    trial = _fit(replace(prepared, events=prepared.events.where(~newest)), options)
    groups = _attribute_groups(prepared) if by_attribute else [np.array([i]) for i in range(len(prepared.item_ids))]
    answers = _answers(trial, prepared.events.where(newest), groups, options.seed)
    return _fit(prepared, options, trial), segment_metrics(answers, len(prepared.user_ids))


def _fit(prepared: Prepared, options: TrainingOptions, start: AffinityModel | None = None) -> AffinityModel:
    matrix = prepared.events.matrix()
    iterations, first = (WARM_ITERATIONS, start.arrays["items"]) if start else (ITERATIONS, None)
    items = factorise(matrix, width(options), iterations, options.seed, first)
    arrays = {"items": items, "users": fold_in(matrix, items)}
    return AffinityModel(options.recipe, prepared.item_ids, arrays, {"users": [str(u) for u in prepared.user_ids]})


def _features(prepared: Prepared) -> Features:
    return Features.of(prepared.items.columns if prepared.items is not None else {})


def _attribute_groups(prepared: Prepared) -> list[NDArray[np.int64]]:
    """The items of each attribute value."""
    features = _features(prepared)
    described = item_features(features, prepared.items, prepared.item_ids).tocsc()
    return [described.indices[described.indptr[f] : described.indptr[f + 1]] for f in range(features.width)]


def _answers(
    model: AffinityModel, held: Events, groups: list[NDArray[np.int64]], seed: int
) -> Iterable[tuple[NDArray[np.int64], frozenset[int]]]:
    """For a sample of the groups that somebody took up later: all users ranked, and who did."""
    takers = held.matrix().tocsc()
    users = [
        np.unique(np.concatenate([takers.indices[takers.indptr[i] : takers.indptr[i + 1]] for i in group]))
        if len(group)
        else np.empty(0, int)
        for group in groups
    ]
    taken = [place for place in np.random.default_rng(seed).permutation(len(groups)) if len(users[place])]
    size = len(model.ranked_ids)
    for place in taken[:SAMPLE]:
        yield best(model.interest(groups[place]), size), frozenset(users[place].tolist())
