"""The runtime API: recommendations from campaigns and recommenders.

Nothing here takes the lock of the records: models, data and compiled filters are opened once and kept.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from personalize_emulator.datasets import Entities
from personalize_emulator.errors import InvalidInput, ResourceNotFound
from personalize_emulator.filters import CompiledFilter
from personalize_emulator.recipes import Model
from personalize_emulator.resources.context import Context, Operation, Request
from personalize_emulator.resources.records import Resource
from personalize_emulator.runtime import Promotion, Serving, rank, recommend, recommend_actions
from personalize_rules.filters import parse_filter

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """The latest values by key; each is made once, also if many ask at the same time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[Any, Value] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Any, make: Callable[[], Value], fresh: Callable[[Value], bool] = lambda _: True) -> Value:
        """The value of a key; made if there is none yet, or if it is not fresh any more."""
        value = self._values.get(key)
        if value is None or not fresh(value):
            with self._lock:
                value = self._values.get(key)
                if value is None or not fresh(value):
                    value = self._values[key] = make()
                    if len(self._values) > self._most:
                        self._values.popitem(last=False)
        return value

    def clear(self) -> None:
        with self._lock:
            self._values.clear()


@dataclass(frozen=True)
class Deployed:
    """What answers a request: the ARN of a campaign or recommender, its dataset group, its model's directory."""

    arn: str
    group: str
    model: str


class Runtime:
    def __init__(self, context: Context) -> None:
        self.context = context
        self._models: Kept[Model] = Kept(32)
        self._filters: Kept[tuple[Entities | None, CompiledFilter]] = Kept(256)

    def operations(self) -> dict[str, Operation]:
        """The operations of this module by their API names."""
        return {
            "GetRecommendations": self.get_recommendations,
            "GetPersonalizedRanking": self.get_personalized_ranking,
            "GetActionRecommendations": self.get_action_recommendations,
        }

    def clear(self) -> None:
        self._models.clear()
        self._filters.clear()

    def get_recommendations(self, request: Request) -> dict[str, Any]:
        if ("campaignArn" in request) == ("recommenderArn" in request):
            raise InvalidInput("Exactly one of campaignArn and recommenderArn must be given")
        member = "campaignArn" if "campaignArn" in request else "recommenderArn"
        deployed, serving = self._serving(member, request, "GetRecommendations")
        promotion = None
        for wanted in request.get("promotions", []):
            compiled = self._filter(wanted.get("filterArn"), deployed, serving)
            percent = wanted.get("percentPromotedItems", 100)
            promotion = Promotion(wanted.get("name", ""), percent, compiled, wanted.get("filterValues", {}))
        compiled = self._filter(request.get("filterArn"), deployed, serving)
        now = self.context.clock.now()
        return recommend(serving, request, compiled_filter=compiled, promotion=promotion, now=now)

    def get_personalized_ranking(self, request: Request) -> dict[str, Any]:
        deployed, serving = self._serving("campaignArn", request, "GetPersonalizedRanking")
        compiled = self._filter(request.get("filterArn"), deployed, serving)
        return rank(serving, request, compiled_filter=compiled, now=self.context.clock.now())

    def get_action_recommendations(self, request: Request) -> dict[str, Any]:
        deployed, serving = self._serving("campaignArn", request, "GetActionRecommendations")
        compiled = self._filter(request.get("filterArn"), deployed, serving)
        return recommend_actions(serving, request, compiled_filter=compiled, now=self.context.clock.now())

    def _serving(self, member: str, request: Request, operation: str) -> tuple[Deployed, Serving]:
        if member not in request:
            raise InvalidInput(f"{member} must be given")
        context, arn = self.context, request[member]
        resource = self._active(arn, member.removesuffix("Arn"))
        context.rates.take(f"{operation} {arn}", context.quotas.recommendations_per_second)
        self._provisioned(resource)
        if resource.type == "campaign":
            version = context.store.get(resource.fields["solutionVersionArn"])
            if version is None:
                raise ResourceNotFound(f"Resource Arn {resource.fields['solutionVersionArn']} does not exist.")
            path, config = version.internal["model"], resource.fields["campaignConfig"]
        else:
            path, config = resource.internal["model"], resource.fields["recommenderConfig"]
        model = self._models.get(path, lambda: Model.load(Path(path)))
        group = str(resource.group)
        return Deployed(arn, group, path), Serving(model, context.stores.of(group), config, resource.internal["id"])

    def _provisioned(self, resource: Resource) -> None:
        """Raises Throttling above what is provisioned for a campaign or recommender, until it is scaled."""
        context, fields = self.context, resource.fields
        config = fields.get("recommenderConfig", {})
        least = fields.get("minProvisionedTPS") or config.get("minRecommendationRequestsPerSecond") or 1
        seconds = sum(context.clock.durations["scaling"]) / context.clock.speed
        context.capacity.take(resource.arn, least, context.quotas.recommendations_per_second, seconds)

    def _active(self, arn: str, resource_type: str) -> Resource:
        resource = self.context.store.get(arn)
        if resource is None or resource.type != resource_type:
            raise ResourceNotFound(f"Resource Arn {arn} does not exist.")
        if resource.status != "ACTIVE":
            # Guess: a campaign, recommender or filter that is not ACTIVE is not found by a call of the runtime.
            raise ResourceNotFound(f"Resource Arn {arn} is not ACTIVE: its status is {resource.status}")
        return resource

    def _filter(self, arn: str | None, deployed: Deployed, serving: Serving) -> CompiledFilter | None:
        if arn is None:
            return None
        resource = self._active(arn, "filter")
        if resource.group != deployed.group:
            raise InvalidInput(f"filterArn: {arn} is of another dataset group than {deployed.arn}")
        parsed = parse_filter(resource.fields["filterExpression"])
        entities = serving.store.entities(parsed.target_kind)
        _, compiled = self._filters.get(
            (arn, resource.created, deployed.model, self.context.stores.generation(deployed.group)),
            lambda: (entities, CompiledFilter(parsed, serving.model.ranked_ids, entities, serving.store)),
            fresh=lambda kept: kept[0] is entities,
        )
        return compiled
