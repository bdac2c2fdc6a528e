"""Recommenders of domain dataset groups: trained, deployed and kept up to date in one."""

from collections.abc import Mapping
from typing import Any

from personalize_emulator.clock import DAY
from personalize_emulator.errors import InvalidInput, ResourceInUse
from personalize_emulator.quotas import check_active
from personalize_emulator.resources.context import Context, Operation, Request, new_id
from personalize_emulator.resources.records import Resource
from personalize_emulator.resources.solution_config import (
    find_recipe,
    refuse,
    training_options,
)
from personalize_rules.solutions import check_excluded_columns, check_exploration, check_metadata

RETRAINING = 7 * DAY
_UPDATE = "latestRecommenderUpdate"


class Recommenders:
    def __init__(self, context: Context) -> None:
        self.context = context
        context.lifecycle.finish("recommender", "create", self.trained)
        context.lifecycle.finish("recommender", "create", self._updated, on=_UPDATE)
        context.lifecycle.finish("recommender", "delete", self._deleted)

    def operations(self) -> dict[str, Operation]:
        """The operations of this module by their API names."""
        return {
            "CreateRecommender": self.create_recommender,
            "UpdateRecommender": self.update_recommender,
            "StartRecommender": self.start_recommender,
            "StopRecommender": self.stop_recommender,
            "DeleteRecommender": self.delete_recommender,
        }

    def create_recommender(self, request: Request) -> dict[str, Any]:
        context = self.context
        group = context.find_active("dataset-group", request["datasetGroupArn"])
        recipe = find_recipe(request["recipeArn"])
        domain = group.fields.get("domain")
        if domain is None:
            raise InvalidInput(f"datasetGroupArn: {group.arn} is not a Domain dataset group")
        if recipe.domain != domain:
            raise InvalidInput(f"recipeArn: {recipe.name} is not a use case of domain {domain}")
        interactions = context.store.get(context.arn(f"dataset/{group.name}/INTERACTIONS"))
        if interactions is None:
            raise InvalidInput("datasetGroupArn: a recommender needs an Interactions dataset with data")
        context.find_active("dataset", interactions.arn)
        config = request.get("recommenderConfig", {})
        self._check_config(config, group.arn, request["recipeArn"])
        present = context.store.of_type("recommender", group=group.arn)
        check_active(len(present), context.quotas.recommenders_per_dataset_group, "recommender")
        identifier = new_id()
        recommender = context.create(
            "recommender",
            f"recommender/{request['name']}",
            request,
            group=group.arn,
            fields={"recommenderConfig": {"minRecommendationRequestsPerSecond": 1} | config},
            internal={"id": identifier},
            job=self._job(group.arn, recipe.name, config, str(context.directory / "models" / identifier / "0")),
        )
        return {"recommenderArn": recommender.arn}

    def _check_config(self, config: Mapping[str, Any], group: str, recipe_arn: str) -> None:
        recipe = find_recipe(recipe_arn)
        schemas = self.context.stores.schemas(group)
        refuse(check_exploration(config.get("itemExplorationConfig"), recipe, "recommenderConfig.itemExplorationConfig"))
        refuse(check_metadata(config, recipe, schemas))
        refuse(check_excluded_columns(config.get("trainingDataConfig"), schemas))

    def _job(self, group: str, recipe: str, config: Mapping[str, Any], model: str) -> dict[str, Any]:
        solution = {"solutionConfig": {"trainingDataConfig": config.get("trainingDataConfig")}}
        options, _ = training_options(recipe, solution, self.context.stores.schemas(group))
        return self.context.data_of(group) | {"kind": "train", "options": [options], "model": model}

    def retraining_job(self, recommender: Resource) -> dict[str, Any]:
        """The work of training a recommender anew with its present configuration."""
        return self._retraining_job(recommender, recommender.fields["recommenderConfig"])

    def _retraining_job(self, recommender: Resource, config: Mapping[str, Any]) -> dict[str, Any]:
        recipe = find_recipe(recommender.fields["recipeArn"])
        return self._job(str(recommender.group), recipe.name, config, self.context.new_model(recommender))

    def trained(self, recommender: Resource, result: Mapping[str, Any]) -> None:
        """A training has ended: its model serves from now on."""
        now = self.context.clock.now()
        recommender.internal |= {
            "model": result["model"],
            "updated": now,
            "next_training": self.context.clock.after(RETRAINING),
        }
        recommender.fields["modelMetrics"] = result["metrics"]

    def update_recommender(self, request: Request) -> dict[str, Any]:
        context = self.context
        recommender = context.find_active("recommender", request["recommenderArn"])
        if recommender.in_transition:
            raise ResourceInUse(f"Resource Arn {recommender.arn} is being updated")
        present = recommender.fields["recommenderConfig"]
        config = present | request["recommenderConfig"]
        self._check_config(config, str(recommender.group), recommender.fields["recipeArn"])
        retrain = config.get("trainingDataConfig") != present.get("trainingDataConfig")
        recommender.fields[_UPDATE] = {"recommenderConfig": config, "creationDateTime": context.clock.now()}
        context.lifecycle.begin(
            recommender,
            "create",
            on=_UPDATE,
            job=self._retraining_job(recommender, config) if retrain else None,
            fail=context.faults.creation_failure("UpdateRecommender"),
        )
        return {"recommenderArn": recommender.arn}

    def _updated(self, recommender: Resource, result: Mapping[str, Any]) -> None:
        recommender.fields["recommenderConfig"] = recommender.fields[_UPDATE]["recommenderConfig"]
        if result:
            self.trained(recommender, result)

    def stop_recommender(self, request: Request) -> dict[str, Any]:
        return self._switch(request, "ACTIVE", "stop")

    def start_recommender(self, request: Request) -> dict[str, Any]:
        return self._switch(request, "INACTIVE", "start")

    def _switch(self, request: Request, needed: str, course: str) -> dict[str, Any]:
        recommender = self.context.find("recommender", request["recommenderArn"])
        if recommender.in_transition:
            raise ResourceInUse(f"Resource Arn {recommender.arn} is {self.context.state_of(recommender)}")
        if recommender.status != needed:
            raise InvalidInput(f"Resource Arn {recommender.arn} must be {needed}, and it is {recommender.status}")
        self.context.lifecycle.begin(recommender, course)
        return {"recommenderArn": recommender.arn}

    def delete_recommender(self, request: Request) -> None:
        self.context.delete(self.context.find("recommender", request["recommenderArn"]))

    def _deleted(self, recommender: Resource, _: Mapping[str, Any]) -> None:
        self.context.discard_models(recommender)
