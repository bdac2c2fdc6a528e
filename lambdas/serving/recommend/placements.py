"""Answers for placements and batches: who is asked for whom, by which variant of an experiment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from typing import TypeVar

from lambdas.config import Placement
from lambdas.config.events import Exposure
from lambdas.config.recipes import RECIPES
from lambdas.serving.recommend import experiments
from lambdas.serving.recommend.api import Answer, BadRequest, BatchAnswer, RankingRequest, RecommendationRequest
from lambdas.serving.recommend.candidates import Gathered, gather, gather_ranking
from lambdas.serving.recommend.lookups import Lookups, begin
from lambdas.serving.recommend.task import Task
from lambdas.serving.recommend.worker import Worker

Named = TypeVar("Named")


class NoSuchPlacement(Exception):
    """The config has no placement of that name, or no batch: `field` says which."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class _Assigned:
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

    def record(self, lookups: Lookups) -> Future[None] | None:
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
        return lookups.worker.exposures.record(exposure, lookups.deletion_record)


def recommend(worker: Worker, name: str, request: RecommendationRequest) -> Answer:
    """Recommendations for one placement. Raises NoSuchPlacement, BadRequest, NotDeployed."""
    config, deployed = worker.documents.config(), worker.documents.deployment()
    placement = find("placement", config.placements, name)
    if RECIPES[config.solutions[placement.solution].recipe].type == "PERSONALIZED_RANKING":
        raise BadRequest("placement", f"'{name}' ranks given items: call POST /rankings/{name}")
    assigned = _Assigned(name, placement, request)
    wanted = request.num_results or placement.num_results
    task = Task.read(config, deployed, assigned.placement, request)
    return answer(assigned, worker, _require_subject(task, "placement"), lambda lookups: gather(lookups, wanted))


def rank(worker: Worker, name: str, request: RankingRequest) -> Answer:
    """The given items in the order that suits the user. Raises NoSuchPlacement, BadRequest, NotDeployed."""
    config, deployed = worker.documents.config(), worker.documents.deployment()
    placement = find("placement", config.placements, name)
    if RECIPES[config.solutions[placement.solution].recipe].type != "PERSONALIZED_RANKING":
        raise BadRequest("placement", f"'{name}' does not rank: call GET /recommendations/{name}")
    assigned = _Assigned(name, placement, request)
    given = list(dict.fromkeys(request.item_ids))
    task = Task.read(config, deployed, assigned.placement, request)
    ranked = answer(assigned, worker, task, lambda lookups: gather_ranking(lookups, given))
    kept = {item.item_id for item in ranked.items}
    ranked.filtered = [item_id for item_id in given if item_id not in kept]
    return ranked


def read_batch(worker: Worker, name: str, request: RecommendationRequest) -> BatchAnswer:
    """The list that was made for a user ahead of time, or what fallbacks have.

    Raises NoSuchPlacement, BadRequest, NotDeployed.
    """
    config, deployed = worker.documents.config(), worker.documents.deployment()
    batch = find("batch", config.batch, name)
    wanted = request.num_results or batch.num_results
    task = _require_subject(Task.read(config, deployed, batch, request), "batch")
    _, found = _for_whom(begin(worker, task), lambda lookups: gather(lookups, wanted))
    return BatchAnswer.model_construct(
        batch=name,
        published_at=found.published_at,
        source=found.source,
        items=found.items(),
        requested=wanted,
        returned=len(found.chosen),
        degraded=sorted(found.degraded) or None,
        explain=found.explanation() if request.explain else None,
    )


def answer(assigned: _Assigned, worker: Worker, task: Task, gathering: Callable[[Lookups], Gathered]) -> Answer:
    """What the placement answers; the exposure is written meanwhile."""
    lookups = begin(worker, task)
    exposure = assigned.record(lookups)
    erased, found = _for_whom(lookups, gathering)
    made = Answer.model_construct(
        placement=assigned.name,
        recommendation_id=found.recommendation_id,
        experiment=None if erased else assigned.experiment,
        variant=None if erased else assigned.variant,
        source=found.source,
        items=found.items(),
        requested=found.wanted,
        returned=len(found.chosen),
        degraded=sorted(found.degraded) or None,
        explain=found.explanation() if task.request.explain else None,
    )
    experiments.finish(exposure)
    return made


def _for_whom(lookups: Lookups, gathering: Callable[[Lookups], Gathered]) -> tuple[bool, Gathered]:
    """Whether the user asked to be forgotten, and the list: for such a user, that of somebody who is not known."""
    found = gathering(lookups)
    erased = lookups.erased
    if erased.value:
        found = gathering(begin(lookups.worker, lookups.task.anonymous(), lookups.budget))
    found = replace(found, degraded=found.degraded | erased.degraded)
    found.count(lookups.task.of)
    return erased.value, found


def _require_subject(task: Task, kind: str) -> Task:
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
