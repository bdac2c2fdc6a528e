"""Item-Affinity and Item-Attribute-Affinity: which users will most likely take an item, or one of some items?

A user's chance is that one of the events to come is with the item: the share of the item among all that the user may take,
times how many events the user has. The shares are those of a blend of tastes (implicit-feedback factors) and transitions from
the newest events; how flat they are, and whether people take again what they had, is found out on events that the training has
not seen.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from personalize_emulator.metrics import segment_metrics
from personalize_emulator.recipes.events import Events, Matrix, Prepared
from personalize_emulator.recipes.factors import factorise, fold_in
from personalize_emulator.recipes.features import Features
from personalize_emulator.recipes.model import Model, Query, Scores, best, object_array
from personalize_emulator.recipes.options import TrainingFailed, TrainingOptions
from personalize_emulator.recipes.personalization import ITERATIONS, WARM_ITERATIONS, item_features, width
from personalize_emulator.recipes.transitions import follows, transitions
from personalize_rules.recipes import RECIPES

_HELD_SHARE = 0.2
_SAMPLE = 300
FADING = 20.0  # events until an event counts 1/e, in the taste and for the transitions
_OLDEST = 0.03
_RECENT = 20
_NEXT_WEIGHT = 0.5
_TEMPERATURES = (1.0, 1.5, 2.0, 3.0, 4.5, 6.5, 10.0)
_OTHERS = 2000  # items of which the mass of a user's shares is made
_USERS_PER_BLOCK = 512
_USERS_TO_CHOOSE_ON = 500
_MOST_OF_A_GROUP = 500
_UNSEEN_CHANCE = 1e-3
_CELLS_PER_BLOCK = 1 << 23


class AffinityModel(Model):
    """Ranks users by the chance that they take an item, or one of some items."""

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
        """The log of how many of a user's next events are with one of these items, for every user; -inf without any item."""
        if not len(items):
            return np.full(len(self._user_ids), -np.inf, np.float32)
        if len(items) > _MOST_OF_A_GROUP:
            items = np.sort(np.random.default_rng(0).permutation(items)[:_MOST_OF_A_GROUP])
        total = np.zeros(len(self._user_ids))
        users_per_block = max(1, _CELLS_PER_BLOCK // len(items))
        for begin in range(0, len(total), users_per_block):
            block = slice(begin, begin + users_per_block)
            total[block] = np.exp(self.preference(block, items) - self.arrays["mass"][block, None]).sum(axis=1)
        # Users of whom nothing is known come last, in a fixed order.
        return np.asarray(np.log(total + 1e-30) + self.arrays["activity"], np.float32)

    def preference(self, users: slice, items: NDArray[np.int64]) -> Scores:
        """Users x items: the log of the share of each item, up to a constant of the user."""
        arrays = self.arrays
        taste = arrays["users"][users] @ arrays["items"][items].T
        following = (self._recent[users] @ self._into[:, items]).toarray()
        return np.asarray(taste + following + np.float32(self.facts["again"]) * self.seen(users, items), np.float32)

    def seen(self, users: slice, items: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Users x items: whether the user had the item."""
        return np.asarray(self._seen[users][:, items].toarray() > 0)

    @cached_property
    def _recent(self) -> Matrix:
        return _matrix(self.arrays, "recent", (len(self._user_ids), len(self.item_ids)))

    @cached_property
    def _into(self) -> Matrix:
        size = len(self.item_ids)
        return sparse.csc_array(_matrix(self.arrays, "next", (size, size)))

    @cached_property
    def _seen(self) -> Matrix:
        return _matrix(self.arrays, "seen", (len(self._user_ids), len(self.item_ids)))


def train(prepared: Prepared, options: TrainingOptions) -> tuple[AffinityModel, dict[str, float]]:
    """The model, measured with each user's newest 20 % hidden; of what is left the newest 20 % are for choosing.

    docs: personalize/latest/dg/working-with-training-metrics.html, "USER_SEGMENTATION"
    """
    by_attribute = RECIPES[options.recipe].family == "attributes"
    if by_attribute and not _features(prepared).width:
        raise TrainingFailed("The Items dataset has no categorical or numeric column, which the recipe needs")
    newest = prepared.events.newest(_HELD_SHARE)
    training = prepared.events.where(~newest)
    to_choose = training.newest(_HELD_SHARE)
    first = _fit(replace(prepared, events=training.where(~to_choose)), options)
    chosen = _chosen(first, training.where(to_choose), options.seed)
    trial = _fit(replace(prepared, events=training), options, first, chosen)
    groups = _attribute_groups(prepared) if by_attribute else [np.array([i]) for i in range(len(prepared.item_ids))]
    answers = _answers(trial, prepared.events.where(newest), groups, options.seed)
    return _fit(prepared, options, trial, chosen), segment_metrics(answers, len(prepared.user_ids))


def _fit(
    prepared: Prepared,
    options: TrainingOptions,
    start: AffinityModel | None = None,
    chosen: tuple[float, float] = (1.0, 0.0),
) -> AffinityModel:
    """chosen: temperature of the shares, and what their logs gain for an item that the user had."""
    events, (temperature, again) = prepared.events, chosen
    matrix = events.matrix()
    iterations, first = (WARM_ITERATIONS, start.arrays["items"]) if start else (ITERATIONS, None)
    items = factorise(matrix, width(options), iterations, options.seed, first)
    age = (np.cumsum(events.lengths()) - 1)[events.users] - np.arange(len(events))
    fading = np.exp(-age / FADING)
    users = fold_in(_weighted(events, (_OLDEST + (1 - _OLDEST) * fading) * events.weights), items)
    following = transitions(follows(events).counts)
    recent = _weighted(events, np.where(age < _RECENT, fading, 0) * events.weights)
    recent.eliminate_zeros()
    users /= temperature * _taste_deviation(users, items)[:, None]
    recent.data *= np.repeat(_NEXT_WEIGHT / (temperature * _next_deviation(recent, following)), np.diff(recent.indptr))
    arrays: dict[str, NDArray[Any]] = {
        "items": items,
        "users": users.astype(np.float32),
        "activity": np.log(events.lengths() + _UNSEEN_CHANCE).astype(np.float32),
        "mass": np.zeros(len(users), np.float32),
        **_arrays("recent", recent.astype(np.float32)),
        **_arrays("next", following),
        **_arrays("seen", matrix),
    }
    facts = {"users": [str(u) for u in prepared.user_ids], "again": again}
    model = AffinityModel(options.recipe, prepared.item_ids, arrays, facts)
    others = np.sort(np.random.default_rng(options.seed).permutation(len(items))[:_OTHERS])
    for begin in range(0, len(users), _USERS_PER_BLOCK):
        block = slice(begin, begin + _USERS_PER_BLOCK)
        preference = model.preference(block, others)
        greatest = preference.max(axis=1, initial=-1e30)
        arrays["mass"][block] = greatest + np.log(np.exp(preference - greatest[:, None]).sum(axis=1) + 1e-30)
    return model


def _chosen(model: AffinityModel, held: Events, seed: int) -> tuple[float, float]:
    """The temperature and the gain of an item that the user had under which the held events are most likely."""
    random = np.random.default_rng(seed)
    users = random.permutation(np.flatnonzero(held.lengths()))[:_USERS_TO_CHOOSE_ON]
    others = np.sort(random.permutation(len(model.item_ids))[:_OTHERS])
    ends = np.cumsum(held.lengths())
    own, repeated, mass, had = [], [], np.zeros((len(_TEMPERATURES), len(users))), np.zeros((len(_TEMPERATURES), len(users)))
    for place, user in enumerate(users):
        one, items = slice(user, user + 1), held.items[ends[user] - held.lengths()[user] : ends[user]].astype(np.int64)
        preference, seen = model.preference(one, others)[0], model.seen(one, others)[0]
        own.append(model.preference(one, items)[0])
        repeated.append(model.seen(one, items)[0])
        for number, temperature in enumerate(_TEMPERATURES):
            powers = np.exp((preference - preference.max()) / temperature)
            mass[number, place] = np.log(powers.sum()) + preference.max() / temperature
            had[number, place] = powers[seen].sum() / powers.sum()
    if not own:
        return 1.0, 0.0
    lengths, of_all, again_of_all = [len(one) for one in own], np.concatenate(own), np.concatenate(repeated)
    rate = (again_of_all.sum() + _UNSEEN_CHANCE) / (len(of_all) + 2 * _UNSEEN_CHANCE)
    found: dict[tuple[float, float], float] = {}
    for number, temperature in enumerate(_TEMPERATURES):
        share = np.clip(had[number].mean(), 1e-6, 1 - 1e-6)
        again = float(np.log(rate / (1 - rate)) - np.log(share / (1 - share)))
        norm = mass[number] + np.log1p(had[number] * np.expm1(again))
        found[temperature, again] = float((of_all / temperature + again * again_of_all - np.repeat(norm, lengths)).mean())
    return max(found, key=lambda one: found[one])


def _weighted(events: Events, weights: NDArray[np.floating[Any]]) -> Matrix:
    """Users x items: the greatest weight of an event of the user with the item."""
    order = np.lexsort((weights, events.items, events.users))
    users, items = events.users[order], events.items[order]
    last = np.append((np.diff(users) != 0) | (np.diff(items) != 0), np.ones(min(1, len(order)), bool))
    cells = (weights[order][last].astype(np.float32), (users[last], items[last]))
    return sparse.csr_array(cells, shape=(events.n_users, events.n_items))


def _taste_deviation(users: Scores, items: Scores) -> Scores:
    """The standard deviation of each user's scores over all items."""
    centred = items - items.mean(axis=0)
    spread = centred.T @ centred / max(1, len(items))
    return np.asarray(np.sqrt(np.maximum(np.einsum("uf,fg,ug->u", users, spread, users), 1e-12)))


def _next_deviation(recent: Matrix, following: Matrix) -> NDArray[np.float64]:
    """The same of the sums of transitions, which are 0 for most items."""
    found = np.zeros(recent.shape[0])
    for begin in range(0, len(found), _USERS_PER_BLOCK):
        block = sparse.csr_array(recent[begin : begin + _USERS_PER_BLOCK] @ following)
        mean = np.asarray(block.mean(axis=1)).ravel()
        squares = np.asarray(block.multiply(block).mean(axis=1)).ravel()
        found[begin : begin + _USERS_PER_BLOCK] = squares - mean**2
    return np.sqrt(np.maximum(found, 1e-12))


def _arrays(name: str, matrix: Matrix) -> dict[str, NDArray[Any]]:
    return {f"{name}_values": matrix.data, f"{name}_items": matrix.indices, f"{name}_rows": matrix.indptr}


def _matrix(arrays: Mapping[str, NDArray[Any]], name: str, shape: tuple[int, int]) -> Matrix:
    parts = (arrays[f"{name}_values"], arrays[f"{name}_items"], arrays[f"{name}_rows"])
    return sparse.csr_array(parts, shape=shape, copy=False)


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
    for place in taken[:_SAMPLE]:
        yield best(model.interest(groups[place]), size), frozenset(users[place].tolist())
