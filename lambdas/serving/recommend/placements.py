"""Answers for placements and batches: who is asked for whom, by which variant of an experiment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import TypeVar

from lambdas.config import Config, Placement
from lambdas.config.events import Exposure
from lambdas.config.recipes import RECIPES
from lambdas.serving.recommend import experiments
from lambdas.serving.recommend.api import Answer, BadRequest, BatchAnswer, RankingRequest, RecommendationRequest
from lambdas.serving.recommend.candidates import Gathered, gather, gather_ranking
from lambdas.serving.recommend.task import Task
from lambdas.stores.deployment import Deployment

Named = TypeVar("Named")


class NoSuchPlacement(Exception):
    """The config has no placement of that name, or no batch: `field` says which."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class Assigned:
    """A placement as this call has it: by its variant, where it has an experiment and the call names whom it is for."""

    def __init__(self, name: str, placement: Placement, request: RecommendationRequest | RankingRequest) -> None:
        self.name, self.placement, self.user_id = name, placement, request.user_id
        self.session_id = None if request.user_id else getattr(request, "session_id", None)
        self.experiment = self.variant = None
        if placement.experiment is None:
            return
        unit = self.user_id or self.session_id
        if unit is not None:
            self.experiment, self.variant = placement.experiment.name, experiments.variant_of(placement.experiment, unit)
        self.placement = placement.of_variant(self.variant or next(iter(placement.experiment.variants)))

    def record(self, task: Task) -> Future[None] | None:
        """Begin to write to the archive who got which variant."""
        if self.experiment is None or self.variant is None:
            return None
        exposure = Exposure.model_construct(
            experiment=self.experiment,
            variant=self.variant,
            placement=self.name,
            user_id=self.user_id,
            session_id=self.session_id,
        )
        return experiments.record(exposure, task.tombstone)


def recommend(config: Config, deployed: Deployment, name: str, request: RecommendationRequest) -> Answer:
    """Recommendations for one placement. Raises NoSuchPlacement, BadRequest, NotDeployed."""
    placement = find("placement", config.placements, name)
    if RECIPES[config.solutions[placement.solution].recipe].type == "PERSONALIZED_RANKING":
        raise BadRequest("placement", f"'{name}' ranks given items: call POST /rankings/{name}")
    assigned = Assigned(name, placement, request)
    wanted = request.num_results or placement.num_results
    task = require_subject(Task(config, deployed, assigned.placement, request), "placement")
    return answer(assigned, task, lambda of: gather(of, wanted))


def rank(config: Config, deployed: Deployment, name: str, request: RankingRequest) -> Answer:
    """The given items in the order that suits the user. Raises NoSuchPlacement, BadRequest, NotDeployed."""
    placement = find("placement", config.placements, name)
    if RECIPES[config.solutions[placement.solution].recipe].type != "PERSONALIZED_RANKING":
        raise BadRequest("placement", f"'{name}' does not rank: call GET /recommendations/{name}")
    assigned = Assigned(name, placement, request)
    given = list(dict.fromkeys(request.item_ids))
    ranked = answer(assigned, Task(config, deployed, assigned.placement, request), lambda of: gather_ranking(of, given))
    kept = {item.item_id for item in ranked.items}
    ranked.filtered = [item_id for item_id in given if item_id not in kept]
    return ranked


def read_batch(config: Config, deployed: Deployment, name: str, request: RecommendationRequest) -> BatchAnswer:
    """The list that was made for a user ahead of time, or what fallbacks have.

    Raises NoSuchPlacement, BadRequest, NotDeployed.
    """
    batch = find("batch", config.batch, name)
    wanted = request.num_results or batch.num_results
    task, found = for_whom(require_subject(Task(config, deployed, batch, request), "batch"), lambda of: gather(of, wanted))
    return BatchAnswer.model_construct(
        batch=name,
        published_at=found.published_at,
        source=found.source,
        items=found.items(),
        requested=wanted,
        returned=len(found.chosen),
        degraded=sorted(task.degraded) or None,
        explain=found.explanation(),
    )


def answer(assigned: Assigned, task: Task, gathering: Callable[[Task], Gathered]) -> Answer:
    """What the placement answers; the exposure is written meanwhile."""
    exposure = assigned.record(task)
    task, found = for_whom(task, gathering)
    counted = task.request.user_id == assigned.user_id
    made = Answer.model_construct(
        placement=assigned.name,
        recommendation_id=found.recommendation_id,
        experiment=assigned.experiment if counted else None,
        variant=assigned.variant if counted else None,
        source=found.source,
        items=found.items(),
        requested=found.wanted,
        returned=len(found.chosen),
        degraded=sorted(task.degraded) or None,
        explain=found.explanation(),
    )
    experiments.finish(exposure)
    return made


def for_whom(task: Task, gathering: Callable[[Task], Gathered]) -> tuple[Task, Gathered]:
    """The list for the user; for one who asked to be forgotten, that of somebody who is not known."""
    found = gathering(task)
    if task.erased:
        task = task.anonymous()
        found = gathering(task)
    found.count()
    return task, found


def require_subject(task: Task, kind: str) -> Task:
    """The task, if it says what its solution needs. Raises BadRequest."""
    lacking = task.lacks(task.of.solution)
    if lacking:
        raise BadRequest(lacking, f"is required for this {kind}")
    return task


def find(kind: str, known: Mapping[str, Named], name: str) -> Named:
    if name not in known:
        there = ", ".join(known) or "none"
        raise NoSuchPlacement(kind, f"there is no {kind} '{name}' (there are: {there})")
    return known[name]
