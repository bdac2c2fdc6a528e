"""User-Personalization and Personalized-Ranking: what will this user interact with next?

Scores blend a user folded into implicit-feedback factors from the recent history (Hu, Koren & Volinsky 2008), the items
that tend to follow the newest ones (a decayed Markov chain), and in the newer recipes what users of the same past did next
(`neighbours`) and what follows the whole history (`chain`). How much each counts, each training finds out for itself (`blend`).
"""

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from personalize_emulator.datasets.tables import Entities, History, TrainingData
from personalize_emulator.recipes import chain, neighbours
from personalize_emulator.recipes.blend import AGAIN, FADING, SUPPRESS, Blend, BlendedModel, Options, standardised
from personalize_emulator.recipes.events import Events, Matrix, Prepared, created_at, rows_of, selected
from personalize_emulator.recipes.factors import factorise, fold_in_one, gram, ridge_map
from personalize_emulator.recipes.features import Features, lifts
from personalize_emulator.recipes.model import Query, Scores, object_array
from personalize_emulator.recipes.options import TrainingOptions
from personalize_emulator.recipes.transitions import Follows, follows, transitions
from personalize_rules.training import EventRules

DEFAULT_FACTORS = 32
ITERATIONS = 10
WARM_ITERATIONS = 3
_HISTORY = 200  # newest events that the taste is made of
_RECENT = 20
_CONTEXT_WEIGHT = 0.5
LASTING, LASTING_SHARE = 25, 0.1  # a tenth of the taste fades so many times as slowly
COLD_ITEM = 5
_FIRST_EVENTS = 10.0
_HALF_LIFE = 0.3
_SENSITIVITY = {"OFF": 0.0, "LOW": 0.1, "MEDIUM": 0.3, "HIGH": 0.6}
_MAXIMUM_LIFT_CELLS = 10_000_000
_FIRST_VERSIONS = frozenset({"aws-user-personalization", "aws-personalized-ranking"})
_FIRST_PARTS = ("taste", "next", "trend")
_PARTS = (*_FIRST_PARTS, "peers", "chain")
_TRENDS = (*FADING["trend"], None)
_BY_ITEM = frozenset({"factors", "chain_left"})
_ROWS_OF_ITEMS = frozenset({"next_rows", "chain_rows", "peer_of_item_rows"})

Ints = NDArray[np.int64]


class PersonalizationModel(BlendedModel):
    """Scores every item for a user, a history and a context."""

    follows: Follows | None = None
    """What a training of more users goes on with; not kept with the model."""

    @cached_property
    def _rules(self) -> EventRules:
        return EventRules.from_json(self.facts["rules"])

    @cached_property
    def _features(self) -> dict[str, Features]:
        return {name: Features.from_json(document) for name, document in self.facts["features"].items()}

    @cached_property
    def _shared(self) -> NDArray[np.float32]:
        return gram(np.asarray(self.arrays["factors"]))

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

    @property
    def options(self) -> Options:
        recency = self.facts["recency"]
        return {name: FADING[name] if recency else (None,) for name in (*_parts_of(self.recipe), AGAIN)}

    def asked(self, query: Query) -> tuple[Callable[[str, float | None], Scores], Ints]:
        items, weights = self.history(query.history)
        return partial(self.part, items=items, weights=weights, user=query.user_id), items

    def scores(self, query: Query) -> Scores:
        if not len(self.history(query.history)[0]):
            return self._newcomer(query)
        # The sensitivity of an objective is meant beside the relevance, however high the parts of that weigh.
        relevance = max(1.0, sum(weight for _, _, weight in self.blend.parts()))
        objective = np.float32(relevance) * self.arrays["objective"]
        return np.asarray(self.blended(query) + objective + self._in_context(query, _CONTEXT_WEIGHT))

    def part(self, name: str, fading: float | None, items: Ints, weights: Scores, user: str | None) -> Scores:
        """One part of the score of every item, in standard deviations; see `blend`."""
        if name == "peers":
            return standardised(neighbours.score(self.arrays, items, weights, fading, user))
        if name == "chain":
            return standardised(chain.score(self.arrays, items, weights, fading))
        if name == "trend":
            return np.asarray(self.arrays["trends"][_TRENDS.index(fading)])
        return standardised(getattr(self, f"_{name}")(items, weights, fading))

    def _taste(self, items: Ints, weights: Scores, fading: float | None) -> Scores:
        """The user, folded into the factors from the history."""
        items, weights = items[-_HISTORY:], weights[-_HISTORY:]
        decayed = weights
        if fading:
            recent, always = np.exp(-_ages(items) / np.float32(fading)), np.exp(-_ages(items) / np.float32(LASTING * fading))
            decayed = weights * ((1 - LASTING_SHARE) * recent + LASTING_SHARE * always)
        factors = self.arrays["factors"]
        return np.asarray(factors @ fold_in_one(self._shared, factors[items], decayed))

    def _next(self, items: Ints, weights: Scores, fading: float | None) -> Scores:
        """The sum of the transitions from the newest items."""
        items, weights = items[-_RECENT:], weights[-_RECENT:]
        decayed = weights * (np.exp(-_ages(items) / np.float32(fading)) if fading else np.float32(1))
        places, lengths = neighbours.spans(self.arrays["next_rows"], items)
        amounts = np.repeat(decayed, lengths) * self.arrays["next_values"][places]
        return np.bincount(self.arrays["next_items"][places], amounts, len(self.item_ids)).astype(np.float32)

    def _again(self, items: Ints, weights: Scores, fading: float | None) -> Scores:
        """The items that the user had, the newer and the oftener the more."""
        decayed = weights * (np.exp(-_ages(items) / np.float32(fading)) if fading else np.float32(1))
        return np.bincount(items, decayed, len(self.item_ids)).astype(np.float32)

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

    def history(self, history: History | None) -> tuple[Ints, Scores]:
        """The items that the model knows and the weights of their events, oldest first."""
        if history is None:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        ids, weights = selected(self._rules, history)
        known = [(self.index[i], w) for i, w in zip(ids, weights, strict=True) if i in self.index]
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
            name: np.concatenate([a, added[name]], axis=0 if a.ndim == 1 or name in _BY_ITEM else -1) if name in added else a
            for name, a in self.arrays.items()
        }
        ids = np.concatenate([self.item_ids, new])
        return PersonalizationModel(self.recipe, ids, arrays, self.facts)

    def _arrays_for(self, new: NDArray[np.object_], data: TrainingData) -> dict[str, NDArray[Any]]:
        """The arrays of items that had no interactions at training."""
        features = self._features["ITEMS"]
        factors = item_features(features, data.items, new) @ self.arrays["item_map"]
        newest = np.full(len(new), float(data.interactions.timestamps.max(initial=0)))
        return {
            "factors": factors.astype(np.float32),
            **{name: np.full(len(new), a[-1], a.dtype) for name, a in self.arrays.items() if name in _ROWS_OF_ITEMS},
            **self._zeros_for(len(new), "chain_left", "chain_right", "user_lifts", "context_lifts"),
            **{n: np.full(len(new), a.max(), a.dtype) for n, a in self.arrays.items() if n in ("peer_rarity", "peer_discounts")},
            "trends": np.repeat(self.arrays["trends"].min(axis=1, keepdims=True), len(new), axis=1),
            "first_choices": np.full(len(new), self.arrays["first_choices"].min(), np.float32),
            "counts": np.zeros(len(new), np.int64),
            "created": created_at(newest, new, data.items),
            "objective": np.zeros(len(new), np.float32),
        }

    def _zeros_for(self, number: int, *names: str) -> dict[str, Scores]:
        """For new items, in those of these arrays that the model has."""
        known = {name: self.arrays[name] for name in names if name in self.arrays}
        return {n: np.zeros((number, a.shape[1]) if n in _BY_ITEM else (len(a), number), np.float32) for n, a in known.items()}


def _ages(items: Ints) -> Scores:
    """How many events ago each event was."""
    return np.arange(len(items) - 1, -1, -1, dtype=np.float32)


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
    counted = follows(events, start.follows if start else None)
    following = transitions(counted.counts)
    blend = start.blend if start else _first_blend(options.recipe, _recency(options.hyperparameters))
    arrays = {
        "factors": factors,
        "item_map": item_map,
        "next_values": following.data,
        "next_items": following.indices,
        "next_rows": following.indptr,
        "trends": _trends(events),
        "first_choices": _first_choices(events, _recency(options.hyperparameters)),
        "counts": counts,
        "created": prepared.created,
        "objective": _objective(prepared, options),
        **_lifts(prepared, features),
    }
    # A part that the training before has found to be of no use is left out.
    wanted = _parts_of(options.recipe) if start is None else [name for name, _, _ in blend.parts()]
    if "peers" in wanted:
        arrays |= neighbours.remember(events, prepared.user_ids)
    if "chain" in wanted:
        arrays |= chain.whiten(events, counted.counts, options.seed)
    facts = {
        "rules": prepared.rules.to_json(),
        "features": {name: f.to_json() for name, f in features.items()},
        "recency": _recency(options.hyperparameters),
        "newest": int(events.times.max()),
        "blend": blend.to_json(),
    }
    model = PersonalizationModel(options.recipe, prepared.item_ids, arrays, facts)
    model.follows = counted
    return model


def _first_blend(recipe: str, recency: bool) -> Blend:
    """What the search begins with, and what is served where there is nobody to choose on."""
    parts = _parts_of(recipe)
    first = {"taste": 1.0, "next": 0.25, "peers": 0.5, "chain": 0.25, "trend": 0.0}
    weights = {name: weight for name, weight in first.items() if name in parts} | {AGAIN: SUPPRESS}
    fading = {"taste": 4.0, "next": 9.5, "peers": 5.0, "chain": 10.0, "trend": 1.0, AGAIN: 30.0}
    return Blend(weights, {name: fading[name] if recency else None for name in weights})


def _parts_of(recipe: str) -> tuple[str, ...]:
    """The parts that a recipe blends: the older ones know tastes and transitions, the newer ones what all parts know."""
    return _FIRST_PARTS if recipe in _FIRST_VERSIONS else _PARTS


def _trends(events: Events) -> Scores:
    """A row for each of _TRENDS: the log of how popular the items are, old events counting less, in standard deviations."""
    newest, oldest = int(events.times.max()), int(events.times.min())
    age = (newest - events.times) / max(1, newest - oldest)
    weights = (np.exp(-age / fading) if fading else np.ones(len(events)) for fading in _TRENDS)
    counted = [np.bincount(events.items, w, events.n_items).astype(np.float32) for w in weights]
    return np.stack([standardised(np.log(count + np.float32(0.5))) for count in counted])


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
    limit = _MAXIMUM_LIFT_CELLS // max(1, prepared.events.n_items)
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
    weights = np.exp(-place / _FIRST_EVENTS)
    if recency:
        newest, oldest = int(events.times.max()), int(events.times.min())
        weights *= 0.5 ** ((newest - events.times) / max(1.0, _HALF_LIFE * (newest - oldest)))
    chosen = np.bincount(events.items, weights, events.n_items) + 1e-3
    return np.asarray(np.log(chosen / chosen.sum()), np.float32)


def _objective(prepared: Prepared, options: TrainingOptions) -> NDArray[np.float32]:
    """What the business objective adds to each item: its attribute, standardised, by the sensitivity."""
    objective = options.optimization_objective or {}
    weight = _SENSITIVITY.get(str(objective.get("objectiveSensitivity", "OFF")), 0.0)
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
