"""One call to a placement or a batch: what Personalize is asked, the local twin of the filter, what rules may know."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from functools import cached_property
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.aws.observability import cause, count, logger
from lambdas.config import Batch, Config, Placement
from lambdas.config.local_filters import Facts, ItemFilter, parse_filter
from lambdas.config.recipes import RECIPES
from lambdas.serving.recommend import erased
from lambdas.serving.recommend.api import RankingRequest, RecommendationRequest
from lambdas.serving.recommend.budget import Budget, start
from lambdas.serving.recommend.catalogue import Known, look_up
from lambdas.serving.recommend.filters import placeholder_values, quoted
from lambdas.serving.recommend.rule_terms import Call, Candidate
from lambdas.serving.recommend.sources import SourceFailed, begin
from lambdas.stores.deployment import Deployment, NotDeployed
from lambdas.stores.recent_items import recent_items

_NOBODY = {"user_id": None, "session_id": None}
Recent = dict[str, dict[str, float]]


class Task:
    """Raises BadRequest for filter parameters that do not fit the placement or batch, `of`."""

    def __init__(
        self,
        config: Config,
        deployed: Deployment,
        of: Placement | Batch,
        request: RecommendationRequest | RankingRequest,
        budget: Budget | None = None,
    ) -> None:
        self.config, self.deployed, self.of, self.request = config, deployed, of, request
        self.budget = budget or begin(config.serving.time_budget_ms / 1000)
        self.fallbacks = config.fallbacks(of)
        self.degraded = set[str]()
        self.rules = {name: config.rules[name] for name in of.rules}
        self.needs_recent = any(rule.drop_recent for rule in self.rules.values())
        self.expression = config.filters[of.filter] if of.filter else ""
        self.values = placeholder_values(self.expression, request.filter_values)
        self.item_id = request.item_id if isinstance(request, RecommendationRequest) else None
        #: Whom Personalize is asked for: it knows an anonymous visitor by the session.
        #: docs: personalize/latest/dg/recording-events.html
        self.subject = request.user_id or (request.session_id if isinstance(request, RecommendationRequest) else None)
        self.tombstone: Future[bool] | None = None
        self._recent: Future[Recent] | None = None
        if request.user_id:
            self.tombstone = erased.look_up(request.user_id)
        if self.subject and self._asks_for_recent():
            self._recent = start(recent_items, self.subject)

    @cached_property
    def erased(self) -> bool:
        """Whether the user asked to be forgotten; without an answer in time, not as far as we know."""
        try:
            return self.tombstone is not None and self.budget.wait(self.tombstone)
        except (TimeoutError, ClientError, BotoCoreError) as error:
            logger.warning("the tombstone could not be looked up", extra={"reason": cause(error)})
            count(ErasedLookupFailed=1)
            self.degraded.add("erasures")
            return False

    def anonymous(self) -> Task:
        """The same call without its user, in the time that is left."""
        return Task(self.config, self.deployed, self.of, self.request.model_copy(update=_NOBODY), self.budget)

    @cached_property
    def twin(self) -> ItemFilter | None:
        """The filter for items that Personalize has not filtered. The config has one wherever it is needed."""
        return (
            parse_filter(self.expression, self.config.item_columns)
            if self.expression and self.config.needs_twin(self.of)
            else None
        )

    def _asks_for_recent(self) -> bool:
        return self.needs_recent or (self.twin is not None and bool(self.twin.event_types(self.config.event_types)))

    @cached_property
    def recent(self) -> Recent:
        """The user's recent items; without an answer in time, none."""
        if self._recent is None:
            return {}
        try:
            return self.budget.wait(self._recent)
        except (TimeoutError, ClientError, BotoCoreError) as error:
            logger.warning("the recent items did not come", extra={"reason": cause(error)})
            count(RecentItemsFailed=1)
            self.degraded.add("recent_items")
            return {}

    def known(self, item_ids: Iterable[str]) -> Known:
        """What the catalogue knows of items."""
        known = look_up(item_ids, self.budget)
        if not known.in_time:
            self.degraded.add("attributes")
        return known

    @property
    def complete_catalogue(self) -> bool:
        """Whether the catalogue has every item of the shop, so that one which it lacks is gone."""
        return self.config.datasets.items is not None and self.deployed.catalogue

    def unavailable(self, item_id: str, known: Known) -> str | None:
        """Why an item that a rule names can't be in the list, whatever its attributes are."""
        if item_id == self.item_id:
            return "it is the item of the call"
        if self.config.datasets.items is None or known.items.get(item_id) is not None:
            return None
        return "it is not in the catalogue" if known.is_gone(item_id) else "the catalogue did not answer in time"

    @property
    def batch(self) -> str | None:
        """The batch that is asked for, or the one whose lists are those of the placement's solution."""
        if isinstance(self.of, Placement):
            return self.config.batch_of(self.of.solution)
        return next(name for name, batch in self.config.batch.items() if batch is self.of)

    @property
    def batch_key(self) -> str | None:
        """Whose list it is: a user's, or that of the item to which others are related."""
        related = RECIPES[self.config.solutions[self.of.solution].recipe].type == "RELATED_ITEMS"
        return self.item_id if related else self.request.user_id

    def rule_call(self) -> Call:
        return Call(self.request.context, self.recent if self.needs_recent else {})

    def call(self, source: str) -> dict[str, Any]:
        """The parameters of a call to the campaign of a solution. Raises SourceFailed or NotDeployed when it can't be made."""
        if self.lacks(source):
            raise SourceFailed(f"'{source}' needs a user or an item that the call does not name")
        call: dict[str, Any] = {"campaignArn": self._deployed("campaign", source)}
        call |= {name: value for name, value in {"userId": self.subject, "itemId": self.item_id}.items() if value}
        if self.request.context:
            call["context"] = self.request.context
        if self.of.filter and self.filtered_by_service(source):
            call["filterArn"] = self._deployed("filter", self.of.filter)
            if self.values:
                call["filterValues"] = {name: quoted(texts) for name, texts in self.values.items()}
        return call

    def lacks(self, solution: str) -> str | None:
        """What a list of the solution needs and the call does not name: `user_id`, `item_id`, or nothing."""
        needed = RECIPES[self.config.solutions[solution].recipe].required_inputs
        if "userId" in needed and not self.subject:
            return "user_id"
        return "item_id" if "itemId" in needed and not self.item_id else None

    def _deployed(self, kind: str, name: str) -> str:
        """Raises NotDeployed where the placement has nobody else to ask, SourceFailed where it has."""
        arn = (self.deployed.campaigns if kind == "campaign" else self.deployed.filters).get(name)
        if arn is None:
            said = f"the {'campaign of solution' if kind == 'campaign' else 'filter'} '{name}' is not deployed yet"
            others = self.fallbacks or self.config.has_snapshot(self.of.solution)
            raise SourceFailed(said) if others else NotDeployed(said)
        return arn

    def filtered_by_service(self, source: str) -> bool:
        """Whether the service can apply the filter: one about the current item works with related items alone."""
        if self.twin is None or source == self.of.solution:
            return True
        return not self.twin.needs_current_item() or RECIPES[self.config.solutions[source].recipe].type == "RELATED_ITEMS"

    def filtered(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Those that the local twin of the filter keeps."""
        twin = self.twin
        if twin is None:
            return list(candidates)
        known = self.known([c.item_id for c in candidates] + ([self.item_id] if self.item_id else []))
        facts = Facts(self.values, known.attributes(self.item_id or ""), self.recent)
        return [c for c in candidates if twin.keeps(c.item_id, known.attributes(c.item_id), facts)]
