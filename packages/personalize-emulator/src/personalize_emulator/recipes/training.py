"""Training a solution version: from the data of a dataset group to a model and its metrics."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import threadpool_limits

from personalize_emulator import metrics
from personalize_emulator.datasets.tables import TrainingData
from personalize_emulator.recipes import actions, affinity, blend, personalization, popularity, related, semantic
from personalize_emulator.recipes.events import Prepared, prepare
from personalize_emulator.recipes.holdout import Case, Examiner, HoldOut, split, with_earlier
from personalize_emulator.recipes.model import Model
from personalize_emulator.recipes.options import TrainingOptions
from personalize_rules.recipes import RECIPES
from personalize_rules.recipes.recipe import Family

Progress = Callable[[str, float], None]
_Fit = Callable[..., Model]

_FEW_TEST_USERS = 10
_REWARD_LIST = 100
_LIST = 100
_BLENDED: tuple[Family, ...] = ("personalization", "related")


@dataclass(frozen=True)
class TrainingResult:
    """metrics: what GetSolutionMetrics answers, four decimals. training_hours: real hours of work."""

    model: Model
    metrics: dict[str, float]
    training_hours: float
    warnings: list[str]


def train(data: TrainingData, options: TrainingOptions, progress: Progress | None = None) -> TrainingResult:
    """Measure on a hold-out, then train on everything. Raises TrainingFailed for too little data.

    progress(stage, fraction) is called with stages "preparing", "evaluating", "training" and 0..1 over all.
    Deterministic: one BLAS thread, and every random choice comes from the seed.
    """
    started = time.perf_counter()
    with threadpool_limits(1):
        model, measured, warnings = _train(data, options, progress or (lambda stage, fraction: None))
    hours = (time.perf_counter() - started) / 3600
    return TrainingResult(model, metrics.rounded(measured), hours, warnings)


def _train(data: TrainingData, options: TrainingOptions, progress: Progress) -> tuple[Model, dict[str, float], list[str]]:
    family = RECIPES[options.recipe].family
    progress("preparing", 0.0)
    if family == "semantic":
        return *semantic.train(data, options), []
    prepared = prepare(data, options)
    if family == "actions":
        return *actions.train(data, prepared, options), []
    if family in ("affinity", "attributes"):
        return *affinity.train(prepared, options), []
    progress("evaluating", 0.1)
    trial = try_out(prepared, data, options)
    measured = _measure(prepared, options, trial)
    progress("training", 0.6)
    model = _FITS[family](prepared, options, trial.model)
    progress("training", 1.0)
    users = len(trial.held.test)
    warnings = [f"The metrics rest on {users} test users only."] if users < _FEW_TEST_USERS else []
    return model, measured, warnings


_FITS: Mapping[Family, _Fit] = {
    "personalization": personalization.fit,
    "related": related.fit,
    "popularity": popularity.fit_popularity,
    "trending": popularity.fit_trending,
}


@dataclass(frozen=True)
class Trial:
    """A model that has not seen the hold-out, and what it answers for the test users."""

    held: HoldOut
    model: Model
    examiner: Examiner
    answers: list[metrics.Answer]


def try_out(prepared: Prepared, data: TrainingData, options: TrainingOptions) -> Trial:
    """Train without the hold-out of the seed, and ask for the 25 best items of each test user."""
    recipe = RECIPES[options.recipe]
    held = split(prepared.events, options.seed)
    fit = _FITS[recipe.family]
    examiner = Examiner(prepared, data.interactions, by_item=recipe.type == "RELATED_ITEMS")
    start = None
    if recipe.family in _BLENDED and held.tuning and len(held.choosing):
        start = fit(replace(prepared, events=held.choosing), options)
        if isinstance(start, blend.BlendedModel) and len(start.options) > 1:
            start = _chosen_on(with_earlier(held.tuning) if examiner.by_item else held.tuning, start, examiner)
    model = fit(replace(prepared, events=held.training), options, start)
    return Trial(held, model, examiner, examiner.answers(model, held.test))


def _measure(prepared: Prepared, options: TrainingOptions, trial: Trial) -> dict[str, float]:
    measured = metrics.ranking_metrics(trial.answers, len(prepared.item_ids))
    if options.events_config:
        measured |= metrics.weighted_gain_metrics(trial.answers)
    if options.optimization_objective:
        rewards = personalization.objective_values(prepared, options)
        longer = trial.examiner.answers(trial.model, trial.held.test, _REWARD_LIST)
        measured["average_rewards_at_k"] = metrics.average_rewards(longer, rewards)
    if isinstance(trial.model, popularity.TrendingModel):
        interval = trial.model.facts["interval"]
        # Guess: the name of the metric of Trending-Now, `trend_prediction_accuracy`.
        measured["trend_prediction_accuracy"] = popularity.trend_accuracy(prepared.events, interval)
    return measured


def _chosen_on(cases: list[Case], model: blend.BlendedModel, examiner: Examiner) -> Model:
    """The model with the blend that is best for these users, whom it has not seen.

    A model that ranks given lists is asked to rank lists: what the user takes next among other popular items. One of related
    items recommends as many different ones as it can without loss.
    """
    ranking = RECIPES[model.recipe].type == "PERSONALIZED_RANKING"
    popularity = examiner.popularity()
    random = np.random.default_rng(len(cases))

    def case(held: Case) -> blend.Case:
        score, seen = model.asked(examiner.query(held))
        relevant = np.array(sorted(examiner.relevant(held)), np.int64)
        listed = random.choice(len(popularity), _LIST, p=popularity) if ranking else None
        return blend.Case(score, np.unique(seen), relevant, listed)

    trials = blend.Trials((case(held) for held in cases), model.options)
    chosen = blend.choose(trials, model.blend)
    if examiner.by_item:
        chosen = blend.widened(trials, chosen)
    return model.with_blend(blend.calibrated(trials, chosen, 0 if ranking else len(model.item_ids)))
