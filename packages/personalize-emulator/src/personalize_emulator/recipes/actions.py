"""Next-Best-Action: how likely is this user to take each action?

One logistic regression per action, on the user's place in the space of item tastes (implicit-feedback factors of
the item interactions) and on nothing else: a plain but honest form of the recipe. An action needs 50 users' events
of either outcome within six weeks; until then its propensity is 0.
docs: personalize/latest/dg/nextbestaction-recipe.html
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from personalize_emulator import metrics
from personalize_emulator.datasets.tables import Entities, History, TrainingData
from personalize_emulator.recipes.events import Prepared, rows_of
from personalize_emulator.recipes.factors import factorise, fold_in, fold_in_one, gram
from personalize_emulator.recipes.model import Model, Query, Scores, object_array
from personalize_emulator.recipes.options import TrainingFailed, TrainingOptions
from personalize_emulator.recipes.personalization import DEFAULT_FACTORS, ITERATIONS

_MINIMUM_EVENTS = 50
_PERIOD_DAYS = 42
DAY = 86400
_NEWTON_STEPS = 8
_PENALTY = 5.0
_RECOMMENDED = 5


@dataclass(frozen=True)
class _Outcomes:
    """What users did with actions: one row per event; `taken` is False for Not Taken and Viewed."""

    users: NDArray[np.int64]
    actions: NDArray[np.int64]
    times: NDArray[np.int64]
    taken: NDArray[np.bool_]

    def where(self, keep: NDArray[np.bool_]) -> "_Outcomes":
        return _Outcomes(self.users[keep], self.actions[keep], self.times[keep], self.taken[keep])


class ActionModel(Model):
    """Propensities of all actions for a user."""

    @property
    def ranked_ids(self) -> NDArray[np.object_]:
        return self._actions

    @cached_property
    def _actions(self) -> NDArray[np.object_]:
        return object_array(self.facts["actions"])

    @cached_property
    def _shared(self) -> NDArray[np.float32]:
        return gram(np.asarray(self.arrays["factors"]))

    def scores(self, query: Query) -> Scores:
        items = [self.index[i] for i in query.history.item_ids if i in self.index] if query.history else []
        factors = self.arrays["factors"]
        user = np.zeros(factors.shape[1], np.float32)
        if items:
            ones = np.ones(len(items), np.float32)
            user = fold_in_one(self._shared, factors[items], ones)
        return np.asarray(_propensities(self.arrays["weights"], user[None])[0])

    def available(self, done: History, now: float) -> NDArray[np.bool_]:
        """Actions that are not expired and that were not taken within their REPEAT_FREQUENCY.

        done: the user's action interactions.
        """
        available = np.array(self.arrays["expires"]) > now
        places = {action: place for place, action in enumerate(self._actions)}
        for action, when, kind in zip(done.item_ids, done.timestamps, done.event_types, strict=True):
            if action in places and (kind or "").lower() == "taken":
                available[places[action]] &= now - when >= self.arrays["repeat_after"][places[action]]
        return available


def train(data: TrainingData, prepared: Prepared, options: TrainingOptions) -> tuple[ActionModel, dict[str, float]]:
    """The model, measured on the actions of a tenth of the users."""
    if data.actions is None or not len(data.actions.ids):
        raise TrainingFailed("The recipe needs an Actions dataset with at least one action")
    outcomes = _outcomes(data, data.actions, prepared)
    matrix = prepared.events.matrix()
    factors = factorise(matrix, DEFAULT_FACTORS, ITERATIONS, options.seed)
    users = fold_in(matrix, factors)
    size = len(data.actions.ids)
    tested = np.random.default_rng(options.seed).random(len(users)) < 0.1
    trial = _regressions(users, outcomes.where(~tested[outcomes.users]), size)
    measured = _measure(_propensities(trial, users), outcomes.where(tested[outcomes.users]), size)
    arrays: dict[str, NDArray[Any]] = {
        "factors": factors,
        "weights": _regressions(users, outcomes, size),
        "expires": _per_action(data.actions, ("EXPIRATION_TIMESTAMP", "ACTION_EXPIRATION_TIMESTAMP"), np.inf),
        "repeat_after": DAY * _per_action(data.actions, ("REPEAT_FREQUENCY",), 0.0),
    }
    facts = {"actions": [str(a) for a in data.actions.ids]}
    return ActionModel(options.recipe, prepared.item_ids, arrays, facts), measured


def _propensities(weights: NDArray[np.float32], users: NDArray[np.float32]) -> NDArray[np.float32]:
    """Users x actions. `weights`: actions x (factors + a constant); a constant of -inf stands for too few events."""
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-(users @ weights[:, :-1].T + weights[:, -1]))), np.float32)


def _outcomes(data: TrainingData, actions: Entities, prepared: Prepared) -> _Outcomes:
    """The action interactions of users that have item interactions too."""
    table = data.action_interactions
    if table is None:
        empty = np.empty(0, np.int64)
        return _Outcomes(empty, empty, empty, empty.astype(bool))
    known = {user: place for place, user in enumerate(prepared.user_ids)}
    users = np.fromiter((known.get(u, -1) for u in table.user_ids), np.int64, len(table.user_ids))[table.users]
    codes = rows_of(actions, table.item_ids)[table.items]
    taking = np.array([name.lower() == "taken" for name in [*table.event_type_names, ""]])
    outcomes = _Outcomes(users, codes, table.timestamps, taking[table.event_types])
    return outcomes.where((users >= 0) & (codes >= 0))


def _regressions(users: NDArray[np.float32], outcomes: _Outcomes, size: int) -> NDArray[np.float32]:
    weights = np.zeros((size, users.shape[1] + 1), np.float32)
    recent = outcomes
    if len(outcomes.times):
        recent = outcomes.where(outcomes.times > outcomes.times.max() - _PERIOD_DAYS * DAY)
    for action in range(size):
        rows = recent.actions == action
        taken = recent.taken[rows]
        if min(int(taken.sum()), int((~taken).sum())) < _MINIMUM_EVENTS:
            weights[action, -1] = -np.inf
        else:
            weights[action] = _logistic(users[recent.users[rows]].astype(np.float64), taken)
    return weights


def _logistic(features: NDArray[np.float64], taken: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Penalised maximum likelihood by Newton's method; the constant is not penalised."""
    design = np.hstack([features, np.ones((len(features), 1))])
    penalty = _PENALTY * np.eye(design.shape[1])
    penalty[-1, -1] = 1e-6
    weights = np.zeros(design.shape[1])
    for _ in range(_NEWTON_STEPS):
        expected = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        slope = design.T @ (taken - expected) - penalty @ weights
        curvature = (design * (expected * (1 - expected))[:, None]).T @ design + penalty
        weights += np.linalg.solve(curvature, slope)
    return weights


def _measure(chances: NDArray[np.float32], held: _Outcomes, size: int) -> dict[str, float]:
    """Coverage, precision, recall, AUC and NDCG for test users.

    An action counts as recommended if it is among the user's first five with a propensity above 0.
    """
    order = np.argsort(-chances, axis=1, kind="stable")[:, :_RECOMMENDED]
    shown = np.zeros(chances.shape, bool)
    np.put_along_axis(shown, order, True, axis=1)
    shown &= chances > 0
    tested = np.unique(held.users)
    took = np.zeros(chances.shape, bool)
    took[held.users[held.taken], held.actions[held.taken]] = True
    shown, took = shown[tested], took[tested]
    right = (shown & took).sum(axis=0)
    answers = [
        metrics.Answer(order[user], dict.fromkeys(np.flatnonzero(row).tolist(), 1.0))
        for user, row in zip(tested, took, strict=True)
        if row.any()
    ]
    ranking = metrics.ranking_metrics(answers, size)
    # Guess: the names of the metrics of Next-Best-Action: `precision`, `recall`, `area_under_curve` and the rest.
    return {
        "coverage": float(shown.any(axis=0).sum() / size),
        "precision": float(np.mean(right / np.maximum(1, shown.sum(axis=0)))),
        "recall": float(np.mean(right / np.maximum(1, took.sum(axis=0)))),
        "area_under_curve": metrics.area_under_curve(chances[held.users, held.actions], held.taken),
        "normalized_discounted_cumulative_gain": ranking["normalized_discounted_cumulative_gain_at_5"],
    }


def _per_action(actions: Entities, names: tuple[str, ...], missing: float) -> NDArray[np.float64]:
    for name in names:
        if name in actions.columns:
            values = actions.columns[name].values.astype(np.float64)
            return np.where(np.isnan(values), missing, values)
    return np.full(len(actions.ids), missing)
