"""What an answer looks up beside the campaign's call: whether the user is erased, recent items, attributes of items.

Each result says what it had to do without.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Generic, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.aws.observability import cause, count, logger
from lambdas.serving.recommend.budget import Budget, start
from lambdas.serving.recommend.catalogue import Known
from lambdas.serving.recommend.rule_terms import Candidate
from lambdas.serving.recommend.task import Recent, Task
from lambdas.serving.recommend.worker import Worker

Value = TypeVar("Value")

#: Names of what did not come in time, as answers give them in `degraded`.
ATTRIBUTES, RECENT_ITEMS, ERASURES = "attributes", "recent_items", "erasures"


@dataclass(frozen=True, slots=True)
class Found(Generic[Value]):
    """A result, and the names of what it had to do without because it did not come in time."""

    value: Value
    degraded: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Lookups:
    """The lookups of one call, in its time budget; made by `begin`, which starts them."""

    worker: Worker
    task: Task
    budget: Budget
    deletion_record: Future[bool] | None = field(default=None)
    recent_items: Future[Recent] | None = field(default=None)

    @cached_property
    def erased(self) -> Found[bool]:
        """Whether the user asked to be forgotten; without an answer in time, not as far as we know."""
        if self.deletion_record is None:
            return Found(False)
        try:
            return Found(self.budget.wait(self.deletion_record))
        except (TimeoutError, ClientError, BotoCoreError) as error:
            logger.warning("the deletion record could not be looked up", extra={"reason": cause(error)})
            count(ErasedLookupFailed=1)
            return Found(False, frozenset({ERASURES}))

    @cached_property
    def recent(self) -> Found[Recent]:
        """The user's recent items; without an answer in time, none."""
        if self.recent_items is None:
            return Found({})
        try:
            return Found(self.budget.wait(self.recent_items))
        except (TimeoutError, ClientError, BotoCoreError) as error:
            logger.warning("the recent items did not come", extra={"reason": cause(error)})
            count(RecentItemsFailed=1)
            return Found({}, frozenset({RECENT_ITEMS}))

    def known(self, item_ids: Iterable[str]) -> Found[Known]:
        """What the catalogue knows of items."""
        catalogue = self.worker.catalogue
        known = catalogue.look_up(item_ids, self.budget)
        if self.task.complete_catalogue and known.lacks_some and catalogue.is_empty(self.budget):
            known = replace(known, empty=True)
        return Found(known, frozenset({ATTRIBUTES}) if known.empty or not known.in_time else frozenset())

    def filtered(self, candidates: Sequence[Candidate]) -> Found[Sequence[Candidate]]:
        """Those that the local filter keeps; all where there is none."""
        task, local = self.task, self.task.local_filter
        if local is None:
            return Found(candidates)
        known = self.known([c.item_id for c in candidates] + ([task.item_id] if task.item_id else []))
        return Found(task.kept_by(local, candidates, known.value, self.recent.value), known.degraded | self.recent.degraded)


def begin(worker: Worker, task: Task, budget: Budget | None = None) -> Lookups:
    """Start the lookups of a call; without a budget, its time begins now."""
    budget = budget or Budget(task.config.serving.time_budget_ms / 1000)
    user_id, subject = task.request.user_id, task.subject
    deletion_record = worker.erasures.look_up(user_id) if user_id else None
    recent = start(worker.recent_items, subject) if subject and task.needs_recent else None
    return Lookups(worker, task, budget, deletion_record, recent)
