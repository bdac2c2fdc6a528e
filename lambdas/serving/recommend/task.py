"""One call to a placement or a batch: what is asked of Personalize, which filter and which rules apply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lambdas.config import Batch, Config, Placement
from lambdas.config.local_filters import Facts, ItemFilter, parse_filter
from lambdas.config.recipes import RECIPES
from lambdas.config.rules import Rule
from lambdas.serving.recommend.api import RankingRequest, RecommendationRequest
from lambdas.serving.recommend.catalogue import Known
from lambdas.serving.recommend.filters import placeholder_values, quoted
from lambdas.serving.recommend.rule_terms import Candidate
from lambdas.serving.recommend.sources import SourceFailed
from lambdas.stores.deployment import Deployment, NotDeployed

#: Without these a call is nobody's.
_NOBODY = {"user_id": None, "session_id": None}
#: A user's recent items by event type: item id to seconds since the event.
Recent = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Task:
    """A request and what the config says about it; `of` is the placement or the batch.

    `values` are those of the filter's placeholders. `local_filter` is for items that Personalize has not filtered; None where the
    config needs none.
    """

    config: Config
    deployed: Deployment
    of: Placement | Batch
    request: RecommendationRequest | RankingRequest
    values: Mapping[str, Sequence[str]]
    local_filter: ItemFilter | None
    rules: Mapping[str, Rule]
    fallbacks: Sequence[str]

    @classmethod
    def read(
        cls, config: Config, deployed: Deployment, of: Placement | Batch, request: RecommendationRequest | RankingRequest
    ) -> Task:
        """Raises BadRequest for filter parameters that do not fit the placement or batch."""
        expression = config.filters[of.filter] if of.filter else ""
        local = parse_filter(expression, config.item_columns) if expression and config.needs_local_filter(of) else None
        values = placeholder_values(expression, request.filter_values)
        rules = {name: config.rules[name] for name in of.rules}
        return cls(config, deployed, of, request, values, local, rules, config.fallbacks(of))

    def anonymous(self) -> Task:
        """The same call without its user."""
        return replace(self, request=self.request.model_copy(update=_NOBODY))

    @property
    def subject(self) -> str | None:
        """Whom Personalize is asked for: it knows an anonymous visitor by the session.

        docs: personalize/latest/dg/recording-events.html
        """
        session_id = self.request.session_id if isinstance(self.request, RecommendationRequest) else None
        return self.request.user_id or session_id

    @property
    def item_id(self) -> str | None:
        return self.request.item_id if isinstance(self.request, RecommendationRequest) else None

    @property
    def rules_need_recent(self) -> bool:
        return any(rule.drop_recent for rule in self.rules.values())

    @property
    def needs_recent(self) -> bool:
        """Whether rules or the local filter look at the user's recent items."""
        local = self.local_filter
        return self.rules_need_recent or (local is not None and bool(local.event_types(self.config.event_types)))

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
        if known.empty:
            return "the catalogue is empty"
        return "it is not in the catalogue" if item_id in known.items else "the catalogue did not answer in time"

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
        if self.local_filter is None or source == self.of.solution:
            return True
        related = RECIPES[self.config.solutions[source].recipe].type == "RELATED_ITEMS"
        return related or not self.local_filter.needs_current_item()

    def kept_by(self, local: ItemFilter, candidates: Sequence[Candidate], known: Known, recent: Recent) -> list[Candidate]:
        """The candidates that the local filter keeps."""
        facts = Facts(self.values, known.attributes(self.item_id or ""), recent)
        return [c for c in candidates if local.keeps(c.item_id, known.attributes(c.item_id), facts)]
