"""User-Personalization and Personalized-Ranking: what will this user interact with next?

Scores blend a user folded into implicit-feedback factors from the recent history (Hu, Koren & Volinsky 2008),
the items that tend to follow the newest ones (a decayed Markov chain), and a term for items the user already
interacted with whose weight each training finds out for itself: films are rarely watched twice, groceries are
bought every week.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from personalize_emulator.datasets.tables import Entities, History, TrainingData
from personalize_emulator.recipes.events import Events, Matrix, Prepared, created_at, rows_of, selected
from personalize_emulator.recipes.factors import factorise, fold_in_one, gram, ridge_map
from personalize_emulator.recipes.features import Features, lifts
from personalize_emulator.recipes.model import Model, Query, Scores, object_array
from personalize_emulator.recipes.options import TrainingOptions
from personalize_emulator.recipes.transitions import transitions
from personalize_rules.training import EventRules

DEFAULT_FACTORS = 32
ITERATIONS = 10
WARM_ITERATIONS = 3
HISTORY = 200
RECENT = 20
TRANSITION_WEIGHT = 0.5
CONTEXT_WEIGHT = 0.5
SUPPRESS = -20.0
REPEAT_CHOICES = (SUPPRESS, 0.0, 1.0, 4.0)
COLD_ITEM = 5
FIRST_EVENTS = 10.0
HALF_LIFE = 0.3
SENSITIVITY = {"OFF": 0.0, "LOW": 0.1, "MEDIUM": 0.3, "HIGH": 0.6}
MAXIMUM_LIFT_CELLS = 10_000_000


class PersonalizationModel(Model):
    """Scores every item for a user, a history and a context."""

    @cached_property
    def _rules(self) -> EventRules:
        return EventRules.from_json(self.facts["rules"])

    @cached_property
    def _features(self) -> dict[str, Features]:
        return {name: Features.from_json(document) for name, document in self.facts["features"].items()}

    @cached_property
    def _shared(self) -> NDArray[np.float32]:
        return gram(np.asarray(self.arrays["factors"]))

    @cached_property
    def transitions(self) -> Matrix:
        parts = (self.arrays["next_values"], self.arrays["next_items"], self.arrays["next_rows"])
        size = len(self.item_ids)
        return sparse.csr_array(parts, shape=(size, size), copy=False)

    def explorable(self, days: float, sparse_only: bool) -> NDArray[np.int64]:
        """Items younger than `days` at the newest interaction; with sparse_only those with few interactions."""
        if (days, sparse_only) not in self._explorable:
            young = self.arrays["created"] > self.facts["newest"] - days * 86400
            if sparse_only:
                young = young & (self.arrays["counts"] < COLD_ITEM)
            self._explorable[days, sparse_only] = np.flatnonzero(young)
        return self._explorable[days, sparse_only]

    @cached_property
    def _explorable(self) -> dict[tuple[float, bool], NDArray[np.int64]]:
        return {}

    def scores(self, query: Query) -> Scores:
        items, weights = self._history(query.history)
        if not len(items):
            return self._newcomer(query)
        scores = self.taste(items, weights) + self._in_context(query, CONTEXT_WEIGHT)
        repeat = self.facts["repeat"]
        seen, amount = self._repeats(items, repeat)
        scores[seen] += amount
        return scores

    def taste(self, items: NDArray[np.int64], weights: NDArray[np.float32]) -> Scores:
        """The scores of a history without the term for repeats, in standard deviations, up to a constant."""
        recency = self.facts["recency"]
        age = np.arange(len(items) - 1, -1, -1, dtype=np.float32)
        decayed = weights * ((0.03 + 0.97 * np.exp(-age / 5)).astype(np.float32) if recency else np.float32(1))
        factors = self.arrays["factors"]
        user = fold_in_one(self._shared, factors[items], decayed)
        scores = np.asarray(factors @ user)
        scores /= _deviation(scores)
        scores += self._following(items[-RECENT:], 0.9 if recency else 1.0)
        scores += self.arrays["objective"]
        return scores

    def _following(self, items: NDArray[np.int64], decay: float) -> Scores:
        """The sum of the transitions from these items, the newest last, in standard deviations."""
        chain, size = self.transitions, len(self.item_ids)
        spans = [(chain.indptr[i], chain.indptr[i + 1]) for i in items]
        following = np.concatenate([chain.indices[a:b] for a, b in spans])
        weights = decay ** np.arange(len(items) - 1, -1, -1)
        amounts = np.concatenate([w * chain.data[a:b] for w, (a, b) in zip(weights, spans, strict=True)])
        total = np.bincount(following, amounts, size).astype(np.float32)
        total *= np.float32(TRANSITION_WEIGHT) / _deviation(total)
        return total

    def _repeats(self, items: NDArray[np.int64], repeat: float) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Which items the user had already, and what that adds to their scores."""
        if repeat == SUPPRESS:
            seen = np.unique(items)
            return seen, np.full(len(seen), SUPPRESS, np.float32)
        age = np.arange(len(items) - 1, -1, -1)
        seen, places = np.unique(items, return_inverse=True)
        own = np.bincount(places, 0.97**age)
        size = len(self.item_ids)
        mean = own.sum() / size
        deviation = np.sqrt(max((own**2).sum() / size - mean**2, 1e-12))
        return seen, (repeat * own / deviation).astype(np.float32)

    def _newcomer(self, query: Query) -> Scores:
        """Nothing known but, perhaps, attributes and context: naive Bayes over what users begin with."""
        scores = self.arrays["first_choices"] + self._in_context(query, 1.0) + self.arrays["objective"]
        features = self._features["USERS"]
        for position in features.encode_values(query.attributes) if features.width else ():
            scores = scores + self.arrays["user_lifts"][position]
        return np.asarray(scores, np.float32)

    def _in_context(self, query: Query, weight: float) -> Scores | float:
        if not query.context:
            return 0.0
        positions = self._features["INTERACTIONS"].encode_values(query.context)
        return np.asarray(weight * self.arrays["context_lifts"][positions].sum(axis=0), np.float32)

    def _history(self, history: History | None) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        if history is None:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        ids, weights = selected(self._rules, history)
        known = [(self.index[i], w) for i, w in zip(ids, weights, strict=True) if i in self.index][-HISTORY:]
        return np.array([i for i, _ in known], np.int64), np.array([w for _, w in known], np.float32)

    def update(self, data: TrainingData) -> "PersonalizationModel":
        """Adds the items that are in the datasets by now and were not at training, with factors by metadata.

        docs: personalize/latest/dg/maintaining-relevance.html, "automatic updates".
        """
        seen = data.interactions.item_ids
        candidates = list(data.items.ids) if data.items is not None else []
        new = object_array(list(dict.fromkeys(i for i in [*candidates, *seen] if i not in self.index)))
        if not len(new):
            return self
        added = self._arrays_for(new, data)
        arrays = {
            name: np.concatenate([a, added[name]], axis=-1 if a.ndim > 1 and name != "factors" else 0) if name in added else a
            for name, a in self.arrays.items()
        }
        ids = np.concatenate([self.item_ids, new])
        return PersonalizationModel(self.recipe, ids, arrays, self.facts)

    def _arrays_for(self, new: NDArray[np.object_], data: TrainingData) -> dict[str, NDArray[Any]]:
        """The arrays of items that had no interactions at training."""
        features = self._features["ITEMS"]
        factors = item_features(features, data.items, new) @ self.arrays["item_map"]
        rows = self.arrays["next_rows"]
        newest = np.full(len(new), float(data.interactions.timestamps.max(initial=0)))
        return {
            "factors": factors.astype(np.float32),
            "next_rows": np.full(len(new), rows[-1], rows.dtype),
            "first_choices": np.full(len(new), self.arrays["first_choices"].min(), np.float32),
            "counts": np.zeros(len(new), np.int64),
            "created": created_at(newest, new, data.items),
            "objective": np.zeros(len(new), np.float32),
            "user_lifts": np.zeros((len(self.arrays["user_lifts"]), len(new)), np.float32),
            "context_lifts": np.zeros((len(self.arrays["context_lifts"]), len(new)), np.float32),
        }


def _deviation(scores: Scores) -> np.float32:
    """The standard deviation; the mean is of no interest, because all scores may be shifted together."""
    mean = scores.mean()
    return np.float32(np.sqrt(max(scores @ scores / len(scores) - mean * mean, 1e-18)))


def item_features(features: Features, items: Entities | None, ids: NDArray[np.object_]) -> Matrix:
    """Items x (features + a constant)."""
    constant = sparse.csr_array(np.ones((len(ids), 1), np.float32))
    if items is None:
        return sparse.csr_array(sparse.hstack([sparse.csr_array((len(ids), features.width)), constant]))
    return sparse.csr_array(sparse.hstack([features.encode(items.columns, rows_of(items, ids)), constant]))


def fit(prepared: Prepared, options: TrainingOptions, start: PersonalizationModel | None = None) -> PersonalizationModel:
    """Train on these events. start: a model of nearly the same data, whose factors and choices are taken over."""
    events = prepared.events
    counts = np.bincount(events.items, minlength=events.n_items)
    first = np.asarray(start.arrays["factors"]) if start else None
    factors = factorise(events.matrix(), width(options), WARM_ITERATIONS if start else ITERATIONS, options.seed, first)
    features = _features(prepared)
    described = item_features(features["ITEMS"], prepared.items, prepared.item_ids)
    warm = counts > 0
    item_map = ridge_map(described[warm], factors[warm], counts[warm])
    factors[~warm] = described[~warm] @ item_map
    chain = transitions(events)
    arrays = {
        "factors": factors,
        "item_map": item_map,
        "next_values": chain.data,
        "next_items": chain.indices,
        "next_rows": chain.indptr,
        "first_choices": _first_choices(events, _recency(options.hyperparameters)),
        "counts": counts,
        "created": prepared.created,
        "objective": _objective(prepared, options),
        **_lifts(prepared, features),
    }
    facts = {
        "rules": prepared.rules.to_json(),
        "features": {name: f.to_json() for name, f in features.items()},
        "recency": _recency(options.hyperparameters),
        "newest": int(events.times.max()),
        "repeat": start.facts["repeat"] if start else SUPPRESS,
    }
    return PersonalizationModel(options.recipe, prepared.item_ids, arrays, facts)


def width(options: TrainingOptions) -> int:
    """The number of factors: `hidden_dimension` where it is set to something else than its default."""
    asked = options.hyperparameters.get("hidden_dimension", "149")
    return DEFAULT_FACTORS if asked == "149" else int(asked)


def _recency(hyperparameters: Mapping[str, str]) -> bool:
    names = ("recency_mask", "apply_recency_bias")
    return all(hyperparameters.get(name, "true").lower() == "true" for name in names)


def _features(prepared: Prepared) -> dict[str, Features]:
    """Features per dataset; those of users and contexts, kept for every item, only as many as stay small."""
    described = {
        "ITEMS": Features.of(prepared.items.columns if prepared.items is not None else {}),
        "USERS": Features.of(prepared.users.columns if prepared.users is not None else {}),
        "INTERACTIONS": Features.of(prepared.contexts),
    }
    limit = MAXIMUM_LIFT_CELLS // max(1, prepared.events.n_items)
    return {n: f if n == "ITEMS" or f.width <= limit else Features(()) for n, f in described.items()}


def _lifts(prepared: Prepared, features: dict[str, Features]) -> dict[str, NDArray[np.float32]]:
    events = prepared.events
    user_rows = np.empty(0, np.int64)
    columns = {}
    if prepared.users is not None:
        user_rows, columns = rows_of(prepared.users, prepared.user_ids), prepared.users.columns
    else:
        user_rows = np.full(events.n_users, -1)
    of_users = features["USERS"].encode(columns, user_rows)[events.users]
    of_contexts = features["INTERACTIONS"].encode(prepared.contexts, events.rows)
    return {
        "user_lifts": lifts(sparse.csr_array(of_users), events.items, events.n_items),
        "context_lifts": lifts(of_contexts, events.items, events.n_items),
    }


def _first_choices(events: Events, recency: bool) -> NDArray[np.float32]:
    """Log shares of what users begin with: the earlier in a history, and with recency the newer, the more it counts.

    docs: personalize/latest/dg/recommendations.html: new users get recommendations by the first items of the
    histories of others, and by recent popularity.
    """
    lengths = events.lengths()
    place = np.arange(len(events)) - (np.cumsum(lengths) - lengths)[events.users]
    weights = np.exp(-place / FIRST_EVENTS)
    if recency:
        newest, oldest = int(events.times.max()), int(events.times.min())
        weights *= 0.5 ** ((newest - events.times) / max(1.0, HALF_LIFE * (newest - oldest)))
    chosen = np.bincount(events.items, weights, events.n_items) + 1e-3
    return np.asarray(np.log(chosen / chosen.sum()), np.float32)


def _objective(prepared: Prepared, options: TrainingOptions) -> NDArray[np.float32]:
    """What the business objective adds to each item: its attribute, standardised, by the sensitivity."""
    objective = options.optimization_objective or {}
    weight = SENSITIVITY.get(str(objective.get("objectiveSensitivity", "OFF")), 0.0)
    values = objective_values(prepared, options)
    return np.asarray(weight * (values - values.mean()) / (values.std() + 1e-9), np.float32)


def objective_values(prepared: Prepared, options: TrainingOptions) -> NDArray[np.float64]:
    """The attribute of the objective per item; 0 for an item without it."""
    name = (options.optimization_objective or {}).get("itemAttribute")
    column = prepared.items.columns.get(name) if prepared.items is not None and name else None
    if prepared.items is None or column is None:
        return np.zeros(len(prepared.item_ids))
    rows = rows_of(prepared.items, prepared.item_ids)
    return np.where(rows >= 0, np.nan_to_num(column.values.astype(np.float64))[rows], 0.0)
