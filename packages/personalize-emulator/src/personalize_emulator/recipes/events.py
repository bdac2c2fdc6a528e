"""The interactions that a solution learns from: chosen, weighted, and in each user's order of time."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from personalize_emulator.datasets.columns import Column
from personalize_emulator.datasets.tables import Entities, History, Interactions, TrainingData
from personalize_emulator.recipes.options import TrainingFailed, TrainingOptions
from personalize_rules.limits import MIN_INTERACTIONS, MIN_SHARE_OF_USERS, MIN_USERS
from personalize_rules.recipes import RECIPES
from personalize_rules.training import EventRules

Matrix: TypeAlias = sparse.csr_array


def _event_rules(options: TrainingOptions) -> EventRules:
    """Which events count and how much (docs: event-values-types.html)."""
    return EventRules.of(
        event_type=options.event_type,
        threshold=options.event_value_threshold,
        events_config=options.events_config or (),
        recipe_types=RECIPES[options.recipe].event_types,
    )


def weights_of(rules: EventRules, interactions: Interactions) -> NDArray[np.float32]:
    """The weight of every interaction; 0 for one that does not count."""
    names: list[str | None] = [*interactions.event_type_names, None]
    by_name = [rules.rule(name) for name in names]
    weights = np.array([weight for weight, _ in by_name], np.float32)[interactions.event_types]
    least = np.array([-np.inf if least is None else least for _, least in by_name])
    if np.isfinite(least).any():
        values = np.nan_to_num(interactions.event_values, nan=-np.inf)
        weights[(values < least[interactions.event_types])] = 0
    return weights


def selected(rules: EventRules, history: History) -> tuple[list[str], list[float]]:
    """Item ids and weights of the events of a history that count, oldest first."""
    if not rules.by_type and rules.threshold is None:
        return history.item_ids, [1.0] * len(history.item_ids)
    weights = [rules.weight(t, v) for t, v in zip(history.event_types, history.event_values, strict=True)]
    chosen = [(item, weight) for item, weight in zip(history.item_ids, weights, strict=True) if weight > 0]
    return [item for item, _ in chosen], [weight for _, weight in chosen]


@dataclass(frozen=True)
class Events:
    """Rows sorted by (user, time); `users` and `items` are codes below n_users and n_items."""

    users: NDArray[np.int32]
    items: NDArray[np.int32]
    times: NDArray[np.int64]
    weights: NDArray[np.float32]
    rows: NDArray[np.int64]
    """Where each row stood in the dataset, to look up its other columns."""
    n_users: int
    n_items: int

    def __len__(self) -> int:
        return len(self.users)

    def where(self, keep: NDArray[np.bool_]) -> "Events":
        return replace(
            self,
            users=self.users[keep],
            items=self.items[keep],
            times=self.times[keep],
            weights=self.weights[keep],
            rows=self.rows[keep],
        )

    def lengths(self) -> NDArray[np.int64]:
        """Events per user."""
        return np.bincount(self.users, minlength=self.n_users)

    def newest(self, share: float) -> NDArray[np.bool_]:
        """Marks the newest `share` of the events of each user, at least one of those with two or more."""
        lengths = self.lengths()
        held = np.where(lengths > 1, np.maximum(1, np.rint(lengths * share)), 0)
        ends = np.cumsum(lengths)
        return np.asarray(np.arange(len(self)) >= (ends - held)[self.users])

    def matrix(self) -> Matrix:
        """Users x items; a cell is the mean weight of the user's events with the item."""
        shape = (self.n_users, self.n_items)
        total = sparse.csr_array((self.weights, (self.users, self.items)), shape=shape)
        if len(self) and np.ptp(self.weights) == 0:
            total.data[:] = self.weights[0]
            return total
        count = sparse.csr_array((np.ones(len(self), np.float32), (self.users, self.items)), shape=shape)
        total.data /= count.data
        return total


@dataclass(frozen=True)
class Prepared:
    """Everything a recipe trains on. Items are those of the Interactions and of the Items dataset."""

    events: Events
    item_ids: NDArray[np.object_]
    user_ids: NDArray[np.object_]
    items: Entities | None
    users: Entities | None
    created: NDArray[np.float64]
    """When each item came to be, epoch seconds."""
    contexts: Mapping[str, Column]
    rules: EventRules


def prepare(data: TrainingData, options: TrainingOptions) -> Prepared:
    """Choose and check the training data of a solution; raises TrainingFailed for too little of it.

    docs: personalize/latest/dg/limits.html, "Service quotas" (minimum data).
    """
    rules = _event_rules(options)
    interactions = data.interactions
    items = _without(data.items, options.excluded_columns.get("ITEMS", frozenset()))
    weights = weights_of(rules, interactions)
    keep = np.flatnonzero(weights > 0)
    item_ids = _union(interactions.item_ids, items.ids if items is not None else None)
    events = Events(
        interactions.users[keep],
        interactions.items[keep],
        interactions.timestamps[keep],
        weights[keep],
        keep,
        len(interactions.user_ids),
        len(item_ids),
    )
    _check_minimum(events)
    events = _within_percentiles(events, options)
    excluded = options.excluded_columns.get("INTERACTIONS", frozenset())
    return Prepared(
        events,
        item_ids,
        interactions.user_ids,
        items,
        _without(data.users, options.excluded_columns.get("USERS", frozenset())),
        created_at(first_interactions(events), item_ids, items),
        {name: column for name, column in interactions.columns.items() if name not in excluded},
        rules,
    )


def first_interactions(events: Events) -> NDArray[np.float64]:
    """The time of each item's oldest interaction; that of the newest interaction of all for items without one."""
    first = np.full(events.n_items, float(events.times.max(initial=0)))
    np.minimum.at(first, events.items, events.times.astype(np.float64))
    return first


def created_at(first: NDArray[np.float64], item_ids: NDArray[np.object_], items: Entities | None) -> NDArray[np.float64]:
    """CREATION_TIMESTAMP where an item has it, else its `first_interactions`.

    docs: personalize/latest/dg/ITEM-dataset-requirements.html, "Creation timestamp data".
    """
    column = items.columns.get("CREATION_TIMESTAMP") if items is not None else None
    if items is None or column is None or not len(items.ids):
        return first
    rows = rows_of(items, item_ids)
    values = np.where(rows >= 0, column.values.astype(np.float64)[rows], np.nan)
    return np.where(np.isnan(values), first, values)


def rows_of(entities: Entities, ids: NDArray[np.object_]) -> NDArray[np.int64]:
    """For each id its row in the entities; -1 if it has none."""
    return np.fromiter((entities.index.get(i, -1) for i in ids), np.int64, len(ids))


def attributes_of(entities: Entities | None, identifier: str | None) -> dict[str, Any]:
    """One record as a mapping of its columns; empty if there is none."""
    row = entities.index.get(identifier, -1) if entities is not None and identifier is not None else -1
    if entities is None or row < 0:
        return {}
    return {name: column[row] for name, column in entities.columns.items()}


def _union(first: NDArray[np.object_], second: NDArray[np.object_] | None) -> NDArray[np.object_]:
    if second is None:
        return first
    known = set(first)
    more = [item for item in second if item not in known]
    joined = np.empty(len(first) + len(more), dtype=object)
    joined[: len(first)] = first
    joined[len(first) :] = more
    return joined


def _without(entities: Entities | None, excluded: frozenset[str]) -> Entities | None:
    if entities is None or not excluded:
        return entities
    return replace(entities, columns={n: c for n, c in entities.columns.items() if n not in excluded})


def _within_percentiles(events: Events, options: TrainingOptions) -> Events:
    """The events of users whose histories are neither among the shortest nor among the longest, and of such items.

    The percentiles of item interaction counts apply where they are set to something else than their default, which
    would take the most popular tenth of the items away.
    docs: personalize/latest/dg/native-recipe-new-item-USER_PERSONALIZATION.html, native-recipe-sims.html
    """
    defaults = RECIPES[options.recipe].defaults
    asked = {name: float(options.hyperparameters.get(name, value)) for name, value in defaults.items() if "percentile" in name}
    keep = np.ones(len(events), bool)
    for of, codes, always in (("user_history_length", events.users, True), ("item_interaction_count", events.items, False)):
        counts = np.bincount(codes)
        for end, within in (("min", np.greater_equal), ("max", np.less_equal)):
            name = f"{end}_{of}_percentile"
            if name in asked and (always or asked[name] != float(defaults[name])):
                keep &= within(counts, np.quantile(counts[counts > 0], asked[name]))[codes]
    if not keep.any():
        raise TrainingFailed("No interactions are left within the percentiles of featureTransformationParameters")
    return events.where(keep)


def _check_minimum(events: Events) -> None:
    if len(events) < MIN_INTERACTIONS:
        raise TrainingFailed(
            f"Dataset has fewer than {MIN_INTERACTIONS} interactions after filtering by event type "
            f"and event value threshold: {len(events)}"
        )
    lengths = events.lengths()
    several = int((lengths >= 2).sum())
    if several < MIN_USERS:
        raise TrainingFailed(f"Dataset has fewer than {MIN_USERS} users with at least 2 interactions each")
    if several < MIN_SHARE_OF_USERS * int((lengths > 0).sum()):
        raise TrainingFailed(f"Fewer than {MIN_SHARE_OF_USERS:.0%} of the users in the dataset have at least 2 interactions each")
