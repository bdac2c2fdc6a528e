"""Evaluates a deployment's solutions on events that no training has seen, beyond the metrics of the service.

A throw-away dataset group is trained on all but the newest tenth of each user's events, asked for recommendations for a sample of
those users, and removed. It is asked through temporary campaigns rather than batch inference: at the known prices a call costs
less ($0.056 per 1,000 against $0.086), and it needs no role that may write to the bucket. What a campaign costs in its minutes of
existence is bounded, since its solution's turn ends with its deletion.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lambdas.config import Config
from lambdas.config.recipes import RECIPES
from lambdas.config.schemas import DATASET_TYPES, DatasetKind
from personalize_emulator.metrics import Answer, ranking_metrics
from personalize_rules.limits import MAX_RANKED_ITEMS
from reco.errors import RecoError
from reco.evaluation.beyond_accuracy import EXPECTED, Reference, qualities, unit_rows
from reco.evaluation.group import CAMPAIGNS_AT_ONCE, EvaluationGroup
from reco.evaluation.holdout import Case, Catalogue, Holdout, split
from reco.target import Target

LENGTH = 25
METRICS = {
    "normalized_discounted_cumulative_gain_at_25": "NDCG@25",
    "mean_reciprocal_rank_at_25": "MRR@25",
    "precision_at_25": "P@25",
    "coverage": "coverage",
    "novelty_at_25": "novelty (bits)",
    "diversity_at_25": "diversity",
    "serendipity_at_25": "serendipity",
}
BASELINE = "(popularity, counted)"
_Tell = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """The split data: what will be trained on, and who will be asked about what."""

    files: dict[DatasetKind, list[Path]]
    catalogue: Catalogue
    holdout: Holdout
    solutions: list[str]


@dataclass
class Evaluation:
    """Metrics by solution (the last, BASELINE, needs no recommender), and why the other solutions have none."""

    users: int
    training_events: int
    held_events: int
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    recipes: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def plan(config: Config, files: Mapping[DatasetKind, list[Path]], folder: Path, users: int) -> Plan:
    """Split the interactions among `files`; the training part is written below `folder`. Raises RecoError for unusable CSVs."""
    if not files.get("interactions"):
        raise RecoError("There are no CSVs of interactions: load them first, or name a folder with --data.")
    present = config.datasets.present()
    found: dict[DatasetKind, list[Path]] = {kind: files[kind] for kind in DATASET_TYPES if kind in files and kind in present}
    catalogue, training = Catalogue(), folder / "training" / "interactions.csv"
    training.parent.mkdir(parents=True, exist_ok=True)
    if "items" in found:
        catalogue.read_items(found["items"], present["items"].avro)
    holdout = split(found["interactions"], training, catalogue, users)
    solutions = [name for name, solution in config.solutions.items() if RECIPES[solution.recipe].campaign]
    return Plan(found | {"interactions": [training]}, catalogue, holdout, solutions)


def evaluate(target: Target, config: Config, planned: Plan, tell: _Tell = lambda said: None) -> Evaluation:
    """Train, ask, measure, remove. Raises RecoError when nothing could be trained at all."""
    holdout, judge = planned.holdout, _Judge(planned)
    result = Evaluation(len(holdout.cases), holdout.training_events, holdout.held_events)
    result.left_out = {
        name: f"{solution.recipe} recommends users, not items"
        for name, solution in config.solutions.items()
        if name not in planned.solutions
    }
    with EvaluationGroup(target, config, tell) as group:
        group.load(planned.files)
        versions = group.train(planned.solutions)
        names = list(versions)
        for start in range(0, len(names), CAMPAIGNS_AT_ONCE):
            campaigns = group.deploy({name: versions[name] for name in names[start : start + CAMPAIGNS_AT_ONCE]})
            for name, campaign in campaigns.items():
                tell(f"asking {name} for {len(holdout.cases)} users")
                recipe = config.solutions[name].recipe
                lists = judge.ask(target.client("personalize-runtime"), campaign, recipe)
                result.metrics[name], result.recipes[name] = judge.measure(lists), recipe
            group.undeploy(campaigns)
        result.left_out |= group.failures
    result.metrics[BASELINE], result.recipes[BASELINE] = judge.measure(judge.reference.expected), ""
    return result


class _Judge:
    """Asks for the test users' lists and holds them against what the users did."""

    def __init__(self, planned: Plan) -> None:
        self.cases = planned.holdout.cases
        self.index = planned.catalogue.index
        self.item_ids = list(self.index)
        self.popular = np.argsort(-planned.holdout.share, kind="stable")
        features = planned.catalogue.features()
        alike = None if features is None else unit_rows(features)
        self.reference = Reference(planned.holdout.share, alike, [self._unseen_popular(case) for case in self.cases])

    def ask(self, runtime: Any, campaign: str, recipe: str) -> list[NDArray[np.int64]]:
        """The first 25 items for each test user: for the user, for the newest item that was trained on, or of the 500 most
        popular items, ranked, as the recipe has it."""
        kind = RECIPES[recipe].type
        if kind == "PERSONALIZED_RANKING":
            items = [self.item_ids[position] for position in self.popular[:MAX_RANKED_ITEMS]]
            answers = (
                runtime.get_personalized_ranking(campaignArn=campaign, userId=case.user_id, inputList=items)[
                    "personalizedRanking"
                ]
                for case in self.cases
            )
        else:
            answers = (
                runtime.get_recommendations(campaignArn=campaign, numResults=LENGTH, **self._input(kind, case))["itemList"]
                for case in self.cases
            )
        return [self._positions(answer) for answer in answers]

    def _input(self, kind: str, case: Case) -> dict[str, str]:
        if kind == "RELATED_ITEMS":
            return {"itemId": self.item_ids[case.history[-1]]}
        return {"userId": case.user_id}

    def _positions(self, answer: Sequence[Mapping[str, str]]) -> NDArray[np.int64]:
        return np.array([self.index[item["itemId"]] for item in answer[:LENGTH]], np.int64)

    def _unseen_popular(self, case: Case) -> NDArray[np.int64]:
        candidates = self.popular[: EXPECTED + len(case.history)]
        return candidates[~np.isin(candidates, case.history)][:EXPECTED]

    def measure(self, lists: Sequence[NDArray[np.int64]]) -> dict[str, float]:
        """Those of METRICS that can be told: diversity needs categories of items."""
        answers = [Answer(shown, dict.fromkeys(case.relevant, 1.0)) for shown, case in zip(lists, self.cases, strict=True)]
        found = ranking_metrics(answers, len(self.index)) | qualities(answers, self.reference, LENGTH)
        return {metric: found[metric] for metric in METRICS if metric in found}
