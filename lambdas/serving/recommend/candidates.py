"""Candidates for one call: from its sources in turn, and what the rules choose from them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from lambdas.aws.observability import count, logger
from lambdas.config import BATCH, GIVEN, Batch, Placement
from lambdas.serving.recommend.api import Item, RuleEffect
from lambdas.serving.recommend.apply_rules import apply, named_items
from lambdas.serving.recommend.catalogue import Known
from lambdas.serving.recommend.lookups import Found, Lookups
from lambdas.serving.recommend.rule_terms import Call, Candidate, Effect, Named
from lambdas.serving.recommend.sources import SourceFailed, batch_list
from personalize_rules.limits import MAX_RECOMMENDATIONS

#: How many candidates are asked for at first where rules may take some away; at most what one call gives.
SPARE, MOST = 1.5, MAX_RECOMMENDATIONS
#: The source of an answer that no source could give, and that of an item which a rule put into the list.
NOBODY, PINNED = "none", "pin"


@dataclass(frozen=True, slots=True)
class _Brought:
    """What one call to a source gave: candidates, best first; the id where the placement's own campaign answered.

    `published_at` is when the lists of a batch became current; `degraded` names what the source's filter had to do without.
    """

    candidates: Sequence[Candidate]
    recommendation_id: str | None = None
    published_at: datetime | None = None
    degraded: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Gathered:
    """A list, best first: what the rules chose from the candidates of the sources, and what each rule did.

    `wanted` is the number of items that were asked for; `gone` are those that the shop has no more; `degraded` names what did not
    come in time.
    """

    wanted: int
    candidates: Mapping[str, Candidate] = field(default_factory=dict)
    chosen: Sequence[Candidate] = ()
    effects: Sequence[Effect] = ()
    named: Named | None = None
    gone: frozenset[str] = frozenset()
    degraded: frozenset[str] = frozenset()
    recommendation_id: str | None = None
    published_at: datetime | None = None

    @property
    def source(self) -> str:
        """The source of the list's beginning; pinned items only where no source brought the rest."""
        return next((candidate.source for candidate in (*self.candidates.values(), *self.chosen)), NOBODY)

    def items(self) -> list[Item]:
        source = self.source
        return [_item(candidate, source) for candidate in self.chosen]

    def explanation(self) -> list[RuleEffect]:
        """What each rule did."""
        return [RuleEffect(**{slot: getattr(effect, slot) for slot in Effect.__slots__}) for effect in self.effects]

    def count(self, of: Placement | Batch) -> None:
        """Count places that fallbacks filled or that stayed empty, and what was left out or came too late."""
        fallbacks = sum(candidate.source not in (_first(of), PINNED) for candidate in self.chosen)
        counts = {
            "FallbackItems": fallbacks,
            "MissingItems": self.wanted - len(self.chosen),
            "GoneItems": len(self.gone),
            "DegradedAnswers": int(bool(self.degraded)),
        }
        count(**{name: n for name, n in counts.items() if n})


def gather(lookups: Lookups, wanted: int) -> Gathered:
    """The list of a placement or batch. Raises NotDeployed."""
    task = lookups.task
    for source in (task.of.solution, *task.fallbacks):
        if source != BATCH and task.config.has_snapshot(source):
            lookups.worker.snapshots.prepare(source)
    gathered = Gathered(wanted)
    for brought in _from_sources(lookups, wanted):
        gathered = _with(gathered, brought, lookups)
        if len(gathered.chosen) == wanted:
            break
    return _with(gathered, _Brought(()), lookups)  # pinned items stand there without any source


def gather_ranking(lookups: Lookups, given: Sequence[str]) -> Gathered:
    """The given items in the user's order, or as they came. Raises NotDeployed."""
    task = lookups.task
    source, gathered = task.of.solution, Gathered(len(given))
    try:
        call = task.call(source) | {"inputList": given}
        return _with(gathered, _Brought(*lookups.worker.campaigns.ranking(call, source, lookups.budget)), lookups, adds=False)
    except SourceFailed as error:
        _failed(source, error)
    if GIVEN not in task.fallbacks:
        return gathered
    kept = lookups.filtered([Candidate(item_id, GIVEN) for item_id in given])
    return _with(gathered, _Brought(kept.value, degraded=kept.degraded), lookups, adds=False)


def _with(before: Gathered, brought: _Brought, lookups: Lookups, *, adds: bool = True) -> Gathered:
    """The list with candidates that are new and that the shop still has, chosen again.

    Without `adds`, rules put no items into it: a ranking holds what it was given.
    """
    task = lookups.task
    gathered = replace(
        before,
        recommendation_id=brought.recommendation_id or before.recommendation_id,
        published_at=brought.published_at or before.published_at,
        degraded=before.degraded | brought.degraded,
    )
    new = [candidate for candidate in brought.candidates if candidate.item_id not in before.candidates]
    names = named_items(task.rules, Call(task.request.context)) if before.named is None else []
    if not new and not names:
        return gathered
    known = lookups.known([*(candidate.item_id for candidate in new), *names])
    named = _look_at_named(names, known.value, lookups, adds=adds) if names else Found(before.named)
    gone = known.value.gone().intersection(c.item_id for c in new) if task.complete_catalogue else set[str]()
    candidates, items = dict(before.candidates), known.value.items
    for candidate in new:
        if candidate.item_id not in gone:
            candidate.attributes = items.get(candidate.item_id) or {}
            candidates[candidate.item_id] = candidate
    recent = lookups.recent if task.rules_need_recent else Found({})
    call = Call(task.request.context, recent.value)
    chosen, effects = apply(task.rules, list(candidates.values()), before.wanted, call, named.value)
    return replace(
        gathered,
        candidates=candidates,
        chosen=chosen,
        effects=effects,
        named=named.value,
        gone=before.gone | gone,
        degraded=gathered.degraded | known.degraded | named.degraded | recent.degraded,
    )


def _look_at_named(names: Sequence[str], known: Known, lookups: Lookups, *, adds: bool) -> Found[Named]:
    """Which of the items that rules name may stand in this list: those of the shop that the placement's filter keeps."""
    if not adds:
        return Found(Named((), dict.fromkeys(names, "it is not among the given items")))
    task = lookups.task
    refused = {item_id: reason for item_id in names if (reason := task.unavailable(item_id, known))}
    there = [Candidate(item_id, PINNED, attributes=known.attributes(item_id)) for item_id in names if item_id not in refused]
    kept: Found[Sequence[Candidate]] = lookups.filtered(there) if there else Found([])
    filtered_out = {candidate.item_id for candidate in there} - {candidate.item_id for candidate in kept.value}
    said = refused | dict.fromkeys(filtered_out, f"the filter '{task.of.filter}' takes it out")
    return Found(Named(kept.value, said), kept.degraded)


def _from_sources(lookups: Lookups, wanted: int) -> Iterator[_Brought]:
    """Candidates, the best source first; a source that can't answer is passed over."""
    for source in (_first(lookups.task.of), *lookups.task.fallbacks):
        try:
            if source == BATCH:
                yield _from_batch(lookups)
            else:
                yield from _from_solution(lookups, source, wanted)
        except SourceFailed as error:
            _failed(source, error)


def _first(of: Placement | Batch) -> str:
    """The source that is asked first."""
    return BATCH if isinstance(of, Batch) else of.solution


def _from_solution(lookups: Lookups, source: str, wanted: int) -> Iterator[_Brought]:
    """From the campaign, more when the first were not enough, then from the snapshot. Raises SourceFailed, NotDeployed."""
    task = lookups.task
    first = (min(math.ceil(wanted * SPARE), MOST) if task.rules else wanted) if source == task.of.solution else MOST
    try:
        for length in (first, MOST) if task.config.solutions[source].campaign else ():
            found, recommendation_id = lookups.worker.campaigns.recommendations(
                task.call(source) | {"numResults": length}, source, lookups.budget
            )
            kept: Found[Sequence[Candidate]] = Found(found) if task.filtered_by_service(source) else lookups.filtered(found)
            own_id = recommendation_id if source == task.of.solution else None
            yield _Brought(kept.value, own_id, degraded=kept.degraded)
            if len(kept.value) < length or length == MOST:
                break
    except SourceFailed as error:
        if not task.config.has_snapshot(source):
            raise
        _failed(source, error)
    if task.config.has_snapshot(source):
        kept = lookups.filtered(lookups.worker.snapshots.candidates(source, lookups.budget))
        yield _Brought(kept.value, degraded=kept.degraded)


def _from_batch(lookups: Lookups) -> _Brought:
    """The list that was made ahead of time. Raises SourceFailed."""
    batch, key = lookups.task.batch, lookups.task.batch_key
    if batch is None or not key:
        raise SourceFailed("the call does not name whose list it wants")
    found = batch_list(lookups.worker.batch_lists, batch, key, lookups.budget)
    reasons = found.reasons or [[]] * len(found.item_ids)
    scores = found.scores or [None] * len(found.item_ids)
    listed = zip(found.item_ids, scores, reasons, strict=True)
    kept = lookups.filtered([Candidate(item_id, BATCH, score, reason or None) for item_id, score, reason in listed])
    return _Brought(kept.value, published_at=found.published_at, degraded=kept.degraded)


def _failed(source: str, error: SourceFailed) -> None:
    logger.warning("a source did not answer", extra={"source": source, "reason": str(error)})
    count(SourceFailed=1)


def _item(candidate: Candidate, source: str) -> Item:
    brought = candidate.source if candidate.source != source else None
    return Item(candidate.item_id, candidate.score, candidate.reason, brought, candidate.attributes)
