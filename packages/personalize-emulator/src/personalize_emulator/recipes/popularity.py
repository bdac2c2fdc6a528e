"""Popularity-Count and Trending-Now: what everybody, or a rising number of people, interacts with."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from personalize_emulator.datasets.tables import TrainingData
from personalize_emulator.recipes.events import Events, Prepared, weights_of
from personalize_emulator.recipes.model import Model, Query, Scores, object_array
from personalize_emulator.recipes.options import TrainingOptions
from personalize_rules.recipes import RECIPES
from personalize_rules.training import EventRules

_INTERVALS = {"30 minutes": 1800, "1 hour": 3600, "2 hours": 7200, "3 hours": 10800, "1 day": 86400}


def distinct_users(events: Events) -> NDArray[np.int64]:
    """Per item the number of distinct users that interacted with it."""
    return np.bincount(events.matrix().indices, minlength=events.n_items)


class PopularityModel(Model):
    """The same scores for every query; items that nobody interacted with are never recommended."""

    def scores(self, query: Query) -> Scores:
        return np.array(self.arrays["scores"])


class TrendingModel(PopularityModel):
    """As popularity, with scores that follow the events of the newest intervals."""

    def update(self, data: TrainingData) -> "TrendingModel":
        interactions = data.interactions
        keep = np.flatnonzero(weights_of(EventRules.from_json(self.facts["rules"]), interactions) > 0)
        events = Events(
            interactions.users[keep],
            interactions.items[keep],
            interactions.timestamps[keep],
            np.ones(len(keep), np.float32),
            keep,
            len(interactions.user_ids),
            len(interactions.item_ids),
        )
        scores = trend(events, self.facts["interval"])
        return TrendingModel(self.recipe, interactions.item_ids, {"scores": scores}, self.facts)


def fit_popularity(prepared: Prepared, options: TrainingOptions, start: PopularityModel | None = None) -> PopularityModel:
    return PopularityModel(options.recipe, prepared.item_ids, {"scores": popularity_scores(prepared.events)}, {})


def popularity_scores(events: Events) -> Scores:
    counts = distinct_users(events).astype(np.float32)
    return np.where(counts > 0, counts, -np.inf).astype(np.float32)


def fit_trending(prepared: Prepared, options: TrainingOptions, start: TrendingModel | None = None) -> TrendingModel:
    default = RECIPES[options.recipe].defaults["trend_discovery_frequency"]
    interval = _INTERVALS[options.hyperparameters.get("trend_discovery_frequency", default)]
    facts: dict[str, Any] = {"rules": prepared.rules.to_json(), "interval": interval}
    scores = trend(prepared.events, interval)
    return TrendingModel(options.recipe, object_array(list(prepared.item_ids)), {"scores": scores}, facts)


def trend(events: Events, interval: int) -> Scores:
    """How surely an item's interactions rose from the last interval but one to the last one with events.

    The difference of the two counts in standard deviations (of two Poisson counts); items without a rise follow
    by popularity. docs: personalize/latest/dg/native-recipe-trending-now.html.
    """
    popular = popularity_scores(events)
    newest = int(events.times.max()) + 1 if len(events) else 0
    age = (newest - 1 - events.times) // interval
    recent = np.bincount(events.items[age == 0], minlength=events.n_items)
    before = np.bincount(events.items[age == 1], minlength=events.n_items)
    rise = (recent - before) / np.sqrt(recent + before + 1.0)
    share = popular / (np.max(popular, initial=1.0) + 1)
    return np.where(rise > 0, 1 + rise, share).astype(np.float32)


def trend_accuracy(events: Events, interval: int) -> float:
    """The share of the 25 items foretold to trend, without the newest interval, whose interactions then rose."""
    newest = events.times.max() + 1
    age = (newest - 1 - events.times) // interval
    before = events.where(age > 0)
    if not len(before):
        return 0.0
    foretold = np.argsort(-trend(before, interval), kind="stable")[:25]
    now = np.bincount(events.items[age == 0], minlength=events.n_items)
    then = np.bincount(events.items[age == 1], minlength=events.n_items)
    return float((now > then)[foretold].mean())
