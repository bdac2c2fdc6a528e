"""What the service does by itself: automatic trainings and updates, and campaigns that follow their solution."""

import logging
from collections.abc import Callable
from typing import Any

from personalize_emulator.clock import HOUR
from personalize_emulator.errors import PersonalizeError
from personalize_emulator.jobs.cloudwatch import reported
from personalize_emulator.resources.attributions import report_of
from personalize_emulator.resources.campaigns import Campaigns
from personalize_emulator.resources.context import Context, upkeep_key
from personalize_emulator.resources.recommenders import RETRAINING, Recommenders
from personalize_emulator.resources.records import Resource
from personalize_emulator.resources.solution_config import find_recipe
from personalize_emulator.resources.solutions import Solutions
from personalize_rules.recipes import Recipe

_AUTO_UPDATE = 2 * HOUR
_INCREMENTAL_UPDATE = HOUR / 2  # of semantic-similarity
_ROUND = HOUR / 6
_SHORTEST_ROUND = 0.25  # real seconds
log = logging.getLogger(__name__)


class Upkeep:
    """Looks through the resources every ten simulated minutes for what is due."""

    def __init__(self, context: Context, solutions: Solutions, campaigns: Campaigns, recommenders: Recommenders) -> None:
        self._context = context
        self._solutions = solutions
        self._campaigns = campaigns
        self._recommenders = recommenders

    def start(self) -> None:
        context = self._context
        context.timers.at(max(context.clock.after(_ROUND), context.clock.now() + _SHORTEST_ROUND), self._round)

    def _round(self) -> None:
        try:
            with self._context.store.transaction():
                for resource_type, look in (
                    ("solution", self._solution),
                    ("solution-version", self._version),
                    ("recommender", self._recommender),
                    ("campaign", self._campaigns.sync),
                    ("metric-attribution", self._attribution),
                ):
                    for resource in self._context.store.of_type(resource_type):
                        self._look(resource, look)
        finally:
            self.start()

    def _look(self, resource: Resource, look: Callable[[Resource], None]) -> None:
        try:
            look(resource)
        except PersonalizeError as error:
            log.warning("upkeep of %s: %s", resource.arn, error.message)

    def _solution(self, solution: Resource) -> None:
        due = solution.internal.get("next_training", float("inf"))
        wanted = solution.status == "ACTIVE" and solution.fields["performAutoTraining"]
        if wanted and due <= self._context.clock.now():
            self._solutions.train_automatically(solution)

    def _version(self, version: Resource) -> None:
        """The automatic update: only of the latest version, trained with FULL, in a campaign."""
        if version.status != "ACTIVE" or version.fields["trainingMode"] != "FULL":
            return
        recipe = find_recipe(version.fields["recipeArn"])
        if not recipe.auto_update or not version.fields.get("performIncrementalUpdate", True):
            return
        siblings = self._context.store.of_type("solution-version", parent=version.parent)
        if any(s.created > version.created and s.status == "ACTIVE" for s in siblings):
            return
        campaigns = self._context.store.of_type("campaign", parent=version.parent)
        if any(c.fields["solutionVersionArn"] == version.arn and c.status == "ACTIVE" for c in campaigns):
            self._refresh(version, recipe)

    def _recommender(self, recommender: Resource) -> None:
        if recommender.status != "ACTIVE" or recommender.in_transition:
            return
        recipe = find_recipe(recommender.fields["recipeArn"])
        if recommender.internal["next_training"] <= self._context.clock.now():
            recommender.internal["next_training"] = self._context.clock.after(RETRAINING)
            self._run(recommender, self._recommenders.retraining_job(recommender), self._recommenders.trained)
        elif recipe.auto_update:
            self._refresh(recommender, recipe)

    def _attribution(self, attribution: Resource) -> None:
        """Report the new events to CloudWatch, where there is one."""
        context = self._context
        data = context.stores.of(str(attribution.group))
        if attribution.status != "ACTIVE" or not reported(context.runner.environment):
            return
        put = data.statistics("INTERACTIONS")["put"]
        if put == attribution.internal.get("events_seen", 0):
            return
        attribution.internal["events_seen"] = put
        job = context.data_of(str(attribution.group)) | report_of(context, attribution)
        job |= {"kind": "report-events", "after": attribution.internal.get("events_reported", 0)}
        self._run(attribution, job, self._reported)

    def _reported(self, attribution: Resource, result: dict[str, Any]) -> None:
        attribution.internal["events_reported"] = result["last"]

    def _refresh(self, resource: Resource, recipe: Recipe) -> None:
        context = self._context
        every = _INCREMENTAL_UPDATE if recipe.family == "semantic" else _AUTO_UPDATE
        if context.clock.now() < resource.internal["updated"] + every / context.clock.speed:
            return
        resource.internal["updated"] = context.clock.now()
        data = context.stores.data_version(str(resource.group))
        if data == resource.internal.get("updated_data"):
            return
        resource.internal["updated_data"] = data
        job = context.data_of(str(resource.group)) | {
            "kind": "update-model",
            "base": resource.internal["model"],
            "model": context.new_model(resource),
        }
        self._run(resource, job, self._refreshed)

    def _refreshed(self, resource: Resource, result: dict[str, Any]) -> None:
        resource.internal["model"] = result["model"]

    def _run(self, resource: Resource, job: dict[str, Any], then: Callable[[Resource, dict[str, Any]], object]) -> None:
        context, arn, created = self._context, resource.arn, resource.created

        def done(result: dict[str, Any]) -> None:
            with context.store.transaction():
                now = context.store.get(arn)
                if now is None or now.created != created:
                    return
                if "failure" in result:
                    log.warning("upkeep of %s: %s", arn, result["failure"])
                else:
                    then(now, result)
                context.store.put(now)

        context.store.put(resource)
        context.runner.submit(upkeep_key(resource), job, done)
