"""Answers for a placement: candidates from its sources in turn, until the rules let through as many as were asked for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from lambdas.recommend.api import Answer, BadRequest, Item, RankingRequest, RecommendationRequest, RuleEffect
from lambdas.recommend.catalogue import attributes
from lambdas.recommend.rules import Candidate, Effect, apply
from lambdas.recommend.sources import SourceFailed, ranking, recommendations, snapshot
from lambdas.recommend.task import Task
from lambdas.shared.config import GIVEN, Config, Placement
from lambdas.shared.deployment import Deployment
from lambdas.shared.observability import count, logger
from lambdas.shared.recipes import RECIPES

#: How many candidates are asked for at first where rules may take some away, and at most (docs: API_RS_GetRecommendations).
SPARE, MOST = 1.5, 500
#: The source of an answer that nobody could give.
NOBODY = "none"


class NoSuchPlacement(Exception):
    """The config has no placement of that name."""


def recommend(config: Config, deployed: Deployment, name: str, request: RecommendationRequest) -> Answer:
    """Recommendations for one placement. Raises NoSuchPlacement, BadRequest, NotDeployed."""
    placement = find(config, name)
    recipe = RECIPES[config.solutions[placement.solution].recipe]
    if recipe.type == "PERSONALIZED_RANKING":
        raise BadRequest("placement", f"'{name}' ranks given items: call POST /rankings/{name}")
    if recipe.type == "USER_PERSONALIZATION" and request.user_id is None:
        raise BadRequest("user_id", "is required for this placement")
    if recipe.type == "RELATED_ITEMS" and request.item_id is None:
        raise BadRequest("item_id", "is required for this placement")
    task = Task(config, deployed, placement, request)
    wanted = request.num_results or placement.num_results
    gathered = Gathered(task, wanted)
    for batch in batches(task, wanted):
        gathered.add(batch)
        if len(gathered.chosen) == wanted:
            break
    return gathered.answer(name, wanted, request.explain)


def rank(config: Config, deployed: Deployment, name: str, request: RankingRequest) -> Answer:
    """The given items in the order that suits the user. Raises NoSuchPlacement, BadRequest, NotDeployed."""
    placement = find(config, name)
    if RECIPES[config.solutions[placement.solution].recipe].type != "PERSONALIZED_RANKING":
        raise BadRequest("placement", f"'{name}' does not rank: call GET /recommendations/{name}")
    task = Task(config, deployed, placement, request)
    given = list(dict.fromkeys(request.item_ids))
    gathered = Gathered(task, len(given))
    try:
        found, task.recommendation_id = ranking(
            task.call(placement.solution) | {"inputList": given}, placement.solution, task.budget
        )
        gathered.add(found)
    except SourceFailed as error:
        failed(placement.solution, error)
        if GIVEN in placement.fallback:
            gathered.add(task.filtered([Candidate(item_id, GIVEN) for item_id in given]))
    answer = gathered.answer(name, len(given), request.explain)
    kept = {item.item_id for item in answer.items}
    return answer.model_copy(update={"filtered": [item_id for item_id in given if item_id not in kept]})


def find(config: Config, name: str) -> Placement:
    if name not in config.placements:
        raise NoSuchPlacement(f"there is no placement '{name}' (there are: {', '.join(config.placements)})")
    return config.placements[name]


def batches(task: Task, wanted: int) -> Iterator[Sequence[Candidate]]:
    """Candidates, the best source first; a source that can't answer is passed over."""
    placement = task.placement
    first = min(math.ceil(wanted * SPARE), MOST) if placement.rules else wanted
    for source in (placement.solution, *placement.fallback):
        lengths = [first, MOST] if source == placement.solution else [MOST]
        for length in lengths if task.config.solutions[source].campaign else []:
            try:
                found = from_campaign(task, source, length)
            except SourceFailed as error:
                failed(source, error)
                break
            yield found
            if len(found) < length:
                break
        if task.config.has_snapshot(source):
            try:
                yield task.filtered(snapshot(source, task.budget))
            except SourceFailed as error:
                failed(source, error)


def from_campaign(task: Task, source: str, length: int) -> list[Candidate]:
    """At most `length` candidates of a solution's campaign. Raises SourceFailed, NotDeployed."""
    found, recommendation_id = recommendations(task.call(source) | {"numResults": length}, source, task.budget)
    if source == task.placement.solution:
        task.recommendation_id = recommendation_id
    return found if task.filtered_by_service(source) else task.filtered(found)


def failed(source: str, error: SourceFailed) -> None:
    logger.warning("a source did not answer", extra={"source": source, "reason": str(error)})
    count(SourceFailed=1)


class Gathered:
    """The candidates so far, and what the rules choose from them."""

    def __init__(self, task: Task, wanted: int) -> None:
        self.task, self.wanted = task, wanted
        self.candidates: dict[str, Candidate] = {}
        self.chosen: list[Candidate] = []
        self.effects: list[Effect] = []

    def add(self, batch: Sequence[Candidate]) -> None:
        """Take in the candidates that are new, and choose again."""
        new = [candidate for candidate in batch if candidate.item_id not in self.candidates]
        if not new:
            return
        known = attributes([candidate.item_id for candidate in new], self.task.budget)
        for candidate in new:
            candidate.attributes = known.get(candidate.item_id, {})
            self.candidates[candidate.item_id] = candidate
        self.chosen, self.effects = apply(self.task.rules, list(self.candidates.values()), self.wanted, self.task.rule_call())

    def answer(self, name: str, wanted: int, explain: bool) -> Answer:
        """What was found, in the shape of the API."""
        source = next(iter(self.candidates.values())).source if self.candidates else NOBODY
        fallbacks = sum(candidate.source != self.task.placement.solution for candidate in self.chosen)
        count(**{metric: n for metric, n in {"FallbackItems": fallbacks, "MissingItems": wanted - len(self.chosen)}.items() if n})
        return Answer(
            placement=name,
            recommendation_id=self.task.recommendation_id,
            source=source,
            items=[item(candidate, source) for candidate in self.chosen],
            requested=wanted,
            returned=len(self.chosen),
            explain=[RuleEffect(**{slot: getattr(effect, slot) for slot in Effect.__slots__}) for effect in self.effects]
            if explain
            else None,
        )


def item(candidate: Candidate, source: str) -> Item:
    return Item.model_construct(
        item_id=candidate.item_id,
        score=candidate.score,
        reason=candidate.reason,
        source=candidate.source if candidate.source != source else None,
        attributes=candidate.attributes,
    )
