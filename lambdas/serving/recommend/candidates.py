"""Candidates for one call: from its sources in turn, and what the rules choose from them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from lambdas.aws.observability import count, logger
from lambdas.config import BATCH, GIVEN, Batch
from lambdas.serving.recommend.api import Item, RuleEffect
from lambdas.serving.recommend.apply_rules import apply, named_items
from lambdas.serving.recommend.catalogue import Known
from lambdas.serving.recommend.rule_terms import Call, Candidate, Effect, Named
from lambdas.serving.recommend.sources import SourceFailed, batch_list, prepare, ranking, recommendations, snapshot
from lambdas.serving.recommend.task import Task

#: How many candidates are asked for at first where rules may take some away, and at most (docs: API_RS_GetRecommendations).
SPARE, MOST = 1.5, 500
#: The source of an answer that nobody could give, and that of an item which a rule put into the list.
NOBODY, PINNED = "none", "pin"


@dataclass(frozen=True, slots=True)
class Brought:
    """What one call to a source gave: candidates, best first; the id where the placement's own campaign answered.

    `published_at` is when the lists of a batch became current.
    """

    candidates: Sequence[Candidate]
    recommendation_id: str | None = None
    published_at: datetime | None = None


class Gathered:
    """The candidates so far, and what the rules choose from them. A ranking's rules add nothing to what it was given."""

    def __init__(self, task: Task, wanted: int, *, adds: bool = True) -> None:
        self.task, self.wanted, self.adds = task, wanted, adds
        self.names = named_items(task.rules, Call(task.request.context))
        self.named: Named | None = None
        self.candidates: dict[str, Candidate] = {}
        self.gone = set[str]()
        self.chosen: list[Candidate] = []
        self.effects: list[Effect] = []
        self.recommendation_id: str | None = None
        self.published_at: datetime | None = None

    def add(self, brought: Brought) -> None:
        """Take in the candidates that are new and that the shop still has, and choose again."""
        self.recommendation_id = brought.recommendation_id or self.recommendation_id
        self.published_at = brought.published_at or self.published_at
        new = [candidate for candidate in brought.candidates if candidate.item_id not in self.candidates]
        named = self.names if self.named is None else []
        if not new and not named:
            return
        known = self.task.known([*(candidate.item_id for candidate in new), *named])
        if named:
            self.named = self.look_at_named(known)
        for candidate in new:
            if self.task.complete_catalogue and known.is_gone(candidate.item_id):
                self.gone.add(candidate.item_id)
                continue
            candidate.attributes = known.attributes(candidate.item_id)
            self.candidates[candidate.item_id] = candidate
        everything = list(self.candidates.values())
        self.chosen, self.effects = apply(self.task.rules, everything, self.wanted, self.task.rule_call(), self.named)

    def look_at_named(self, known: Known) -> Named:
        """Which of the items that rules name may stand in this list: those of the shop that the placement's filter keeps."""
        if not self.adds:
            return Named((), dict.fromkeys(self.names, "it is not among the given items"))
        refused = {item_id: reason for item_id in self.names if (reason := self.task.unavailable(item_id, known))}
        there = [
            Candidate(item_id, PINNED, attributes=known.attributes(item_id)) for item_id in self.names if item_id not in refused
        ]
        kept = self.task.filtered(there) if there else []
        filtered_out = {candidate.item_id for candidate in there} - {candidate.item_id for candidate in kept}
        return Named(kept, refused | dict.fromkeys(filtered_out, f"the filter '{self.task.of.filter}' takes it out"))

    @property
    def source(self) -> str:
        """Who made the beginning of the list; pinned items only where nobody made the rest."""
        return next((candidate.source for candidate in (*self.candidates.values(), *self.chosen)), NOBODY)

    def items(self) -> list[Item]:
        source = self.source
        return [item(candidate, source) for candidate in self.chosen]

    def explanation(self) -> list[RuleEffect] | None:
        """What each rule did, for a call that asks for it."""
        if not self.task.request.explain:
            return None
        return [RuleEffect(**{slot: getattr(effect, slot) for slot in Effect.__slots__}) for effect in self.effects]

    def count(self) -> None:
        """Tell the metrics of places that fallbacks filled or that stayed empty, and of what was left out or came too late."""
        first = BATCH if isinstance(self.task.of, Batch) else self.task.of.solution
        fallbacks = sum(candidate.source not in (first, PINNED) for candidate in self.chosen)
        counts = {
            "FallbackItems": fallbacks,
            "MissingItems": self.wanted - len(self.chosen),
            "GoneItems": len(self.gone),
            "DegradedAnswers": int(bool(self.task.degraded)),
        }
        count(**{name: n for name, n in counts.items() if n})


def gather(task: Task, wanted: int) -> Gathered:
    """The list of a placement or batch. Raises NotDeployed."""
    gathered = Gathered(task, wanted)
    for source in (task.of.solution, *task.fallbacks):
        if source != BATCH and task.config.has_snapshot(source):
            prepare(source)
    for brought in from_sources(task, wanted):
        gathered.add(brought)
        if len(gathered.chosen) == wanted:
            break
    gathered.add(Brought(()))  # pinned items stand there without any source
    return gathered


def gather_ranking(task: Task, given: Sequence[str]) -> Gathered:
    """The given items in the user's order, or as they came. Raises NotDeployed."""
    gathered = Gathered(task, len(given), adds=False)
    source = task.of.solution
    try:
        gathered.add(Brought(*ranking(task.call(source) | {"inputList": given}, source, task.budget)))
    except SourceFailed as error:
        failed(source, error)
        if GIVEN in task.fallbacks:
            gathered.add(Brought(task.filtered([Candidate(item_id, GIVEN) for item_id in given])))
    return gathered


def from_sources(task: Task, wanted: int) -> Iterator[Brought]:
    """Candidates, the best source first; a source that can't answer is passed over."""
    first = BATCH if isinstance(task.of, Batch) else task.of.solution
    for source in (first, *task.fallbacks):
        try:
            if source == BATCH:
                yield from_batch(task)
            else:
                yield from from_solution(task, source, wanted)
        except SourceFailed as error:
            failed(source, error)


def from_solution(task: Task, source: str, wanted: int) -> Iterator[Brought]:
    """From the campaign, more when the first were not enough, then from the snapshot. Raises SourceFailed, NotDeployed."""
    first = (min(math.ceil(wanted * SPARE), MOST) if task.rules else wanted) if source == task.of.solution else MOST
    try:
        for length in (first, MOST) if task.config.solutions[source].campaign else ():
            found = from_campaign(task, source, length)
            yield found
            if len(found.candidates) < length or length == MOST:
                break
    except SourceFailed as error:
        if not task.config.has_snapshot(source):
            raise
        failed(source, error)
    if task.config.has_snapshot(source):
        yield Brought(task.filtered(snapshot(source, task.budget)))


def from_campaign(task: Task, source: str, length: int) -> Brought:
    """At most `length` candidates of a solution's campaign. Raises SourceFailed, NotDeployed."""
    found, recommendation_id = recommendations(task.call(source) | {"numResults": length}, source, task.budget)
    kept = found if task.filtered_by_service(source) else task.filtered(found)
    return Brought(kept, recommendation_id if source == task.of.solution else None)


def from_batch(task: Task) -> Brought:
    """The list that was made ahead of time. Raises SourceFailed."""
    key = task.batch_key
    if task.batch is None or not key:
        raise SourceFailed("the call does not name whose list it wants")
    found = batch_list(task.batch, key, task.budget)
    reasons = found.reasons or [[]] * len(found.item_ids)
    scores = found.scores or [None] * len(found.item_ids)
    listed = zip(found.item_ids, scores, reasons, strict=True)
    listing = [Candidate(item_id, BATCH, score, reason or None) for item_id, score, reason in listed]
    return Brought(task.filtered(listing), published_at=found.published_at)


def failed(source: str, error: SourceFailed) -> None:
    logger.warning("a source did not answer", extra={"source": source, "reason": str(error)})
    count(SourceFailed=1)


def item(candidate: Candidate, source: str) -> Item:
    brought = candidate.source if candidate.source != source else None
    return Item(candidate.item_id, candidate.score, candidate.reason, brought, candidate.attributes)
