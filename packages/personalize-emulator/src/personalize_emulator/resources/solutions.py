"""Solutions and solution versions."""

from collections.abc import Mapping
from typing import Any

from personalize_emulator.clock import DAY, HOUR
from personalize_emulator.errors import InvalidInput, ResourceAlreadyExists, ResourceInUse
from personalize_emulator.quotas import check_active, check_pending
from personalize_emulator.resources.context import Context, Operation, Request, new_id
from personalize_emulator.resources.records import Resource
from personalize_emulator.resources.solution_config import (
    AUTOML_RECIPES,
    check_create_solution,
    find_recipe,
    refuse,
    training_options,
)
from personalize_rules.recipes import RECIPES
from personalize_rules.solutions import DEFAULT_SCHEDULE, check_events_config, check_schedule, schedule_days


class Solutions:
    def __init__(self, context: Context) -> None:
        self.context = context
        context.lifecycle.finish("solution", "delete", self._deleted)
        context.lifecycle.finish("solution", "create", self._updated, on="latestSolutionUpdate")
        context.lifecycle.finish("solution-version", "create", self._trained)

    def operations(self) -> dict[str, Operation]:
        """The operations of this module by their API names."""
        return {
            "CreateSolution": self.create_solution,
            "UpdateSolution": self.update_solution,
            "DeleteSolution": self.delete_solution,
            "CreateSolutionVersion": self.create_solution_version,
            "StopSolutionVersionCreation": self.stop_solution_version_creation,
            "GetSolutionMetrics": self.get_solution_metrics,
        }

    def create_solution(self, request: Request) -> dict[str, Any]:
        context = self.context
        group = context.find_active("dataset-group", request["datasetGroupArn"])
        check_create_solution(request, context.stores.schemas(group.arn))
        present = context.store.of_type("solution", group=group.arn)
        check_active(len(present), context.quotas.solutions_per_dataset_group, "solution")
        fields = {
            "performHPO": request.get("performHPO", False),
            "performAutoML": request.get("performAutoML", False),
            "performAutoTraining": request.get("performAutoTraining", True),
        }
        if request.get("recipeArn", "").endswith("aws-semantic-similarity"):
            fields["performIncrementalUpdate"] = request.get("performIncrementalUpdate", True)
        path = f"solution/{request['name']}"
        # docs: none; answers recorded by AWS show a solution ACTIVE with its date of creation as its last change, and a version
        # of it created within the same second.
        solution = context.create("solution", path, request, group=group.arn, fields=fields, course=None)
        self._schedule(solution)
        context.store.put(solution)
        return {"solutionArn": solution.arn}

    def _schedule(self, solution: Resource) -> None:
        """The first automatic training comes within an hour of the solution, or of a changed schedule."""
        solution.internal |= {"scheduled": self.context.clock.now(), "first_training": True}
        solution.internal["next_training"] = self.context.clock.after(HOUR)

    def update_solution(self, request: Request) -> dict[str, Any]:
        context = self.context
        solution = context.find_active("solution", request["solutionArn"])
        if solution.in_transition:
            raise ResourceInUse(f"Resource Arn {solution.arn} is being updated")
        config = request.get("solutionUpdateConfig", {})
        refuse(check_schedule(config.get("autoTrainingConfig", {}).get("schedulingExpression", DEFAULT_SCHEDULE)))
        if "eventsConfig" in config:
            if "recipeArn" not in solution.fields:
                raise InvalidInput("solutionUpdateConfig.eventsConfig is not supported with performAutoML")
            refuse(check_events_config(config["eventsConfig"], find_recipe(solution.fields["recipeArn"])))
        update = {k: v for k, v in request.items() if k != "solutionArn"}
        solution.fields["latestSolutionUpdate"] = update | {"creationDateTime": context.clock.now()}
        fail = context.faults.creation_failure("UpdateSolution")
        context.lifecycle.begin(solution, "create", on="latestSolutionUpdate", fail=fail)
        return {"solutionArn": solution.arn}

    def _updated(self, solution: Resource, _: Mapping[str, Any]) -> None:
        update = solution.fields["latestSolutionUpdate"]
        for member in ("performAutoTraining", "performIncrementalUpdate"):
            if member in update:
                solution.fields[member] = update[member]
        config = update.get("solutionUpdateConfig", {})
        solution.fields["solutionConfig"] = solution.fields.get("solutionConfig", {}) | config
        if "autoTrainingConfig" in config or update.get("performAutoTraining"):
            self._schedule(solution)

    def delete_solution(self, request: Request) -> None:
        context = self.context
        solution = context.find("solution", request["solutionArn"])
        versions = context.store.of_type("solution-version", parent=solution.arn)
        users = [version for version in versions if version.in_transition]
        for campaign in context.store.of_type("campaign", group=solution.group):
            used = [campaign.parent]
            if "latestCampaignUpdate" in campaign.transitions:
                target = context.store.get(campaign.fields["latestCampaignUpdate"]["solutionVersionArn"])
                used.append(target.parent if target else None)
            if solution.arn in used:
                users.append(campaign)
        for resource_type in ("batch-inference-job", "batch-segment-job"):
            for version in versions:
                users += context.in_transition(resource_type, parent=version.arn)
        context.refuse_while(solution, users)
        context.delete(solution)

    def _deleted(self, solution: Resource, _: Mapping[str, Any]) -> None:
        for version in self.context.store.of_type("solution-version", parent=solution.arn):
            self.context.store.remove(version)
            self.context.discard_models(version)

    def create_solution_version(self, request: Request) -> dict[str, Any]:
        # Guess: AUTOTRAIN trains like FULL.
        mode = request.get("trainingMode", "FULL")
        return {"solutionVersionArn": self.train(request, mode, "MANUAL").arn}

    def train(self, request: Request, mode: str, training_type: str) -> Resource:
        """Begin a new solution version of request["solutionArn"]."""
        context = self.context
        solution = context.find_active("solution", request["solutionArn"])
        versions = context.store.of_type("solution-version", parent=solution.arn)
        name = request.get("name")
        if name and any(version.name == name for version in versions):
            raise ResourceAlreadyExists(f"Solution {solution.arn} already has a version of the name {name}")
        base = self._base(solution, versions) if mode == "UPDATE" else None
        check_pending(len(context.in_transition("solution-version")), context.quotas.pending_solution_versions)
        solution.internal["trained_data"] = context.stores.data_version(str(solution.group))
        context.store.put(solution)
        identifier = new_id()
        copied = ("performHPO", "performAutoML", "performIncrementalUpdate", "recipeArn", "eventType", "solutionConfig")
        return context.create(
            "solution-version",
            f"solution/{solution.name}/{identifier}",
            # docs: none; the recorded name of a version that was given none
            {"name": f"{solution.name}/{identifier}", **request},
            group=solution.group,
            parent=solution.arn,
            fields={k: solution.fields[k] for k in copied if k in solution.fields}
            | {"trainingMode": mode, "trainingType": training_type},
            internal={"id": identifier},
            job=self._training_job(solution, identifier, base),
        )

    def _base(self, solution: Resource, versions: list[Resource]) -> Resource:
        recipe = find_recipe(solution.fields["recipeArn"]) if "recipeArn" in solution.fields else None
        if recipe is None or not recipe.update_mode:
            raise InvalidInput("trainingMode UPDATE is supported by the recipe aws-user-personalization only")
        full = [v for v in versions if v.status == "ACTIVE" and v.fields["trainingMode"] == "FULL"]
        if not full:
            raise InvalidInput("trainingMode UPDATE needs an ACTIVE solution version that was trained with FULL")
        return full[-1]

    def _training_job(self, solution: Resource, identifier: str, base: Resource | None) -> dict[str, Any]:
        context, group = self.context, str(solution.group)
        data = context.data_of(group)
        model = str(context.directory / "models" / identifier / "0")
        if base:
            return data | {"kind": "update-model", "base": base.internal["model"], "model": model, "of": base.arn}
        if solution.fields["performAutoML"]:
            config = solution.fields.get("solutionConfig", {}).get("autoMLConfig", {})
            recipes = [arn.rsplit("/", 1)[-1] for arn in config.get("recipeList", [])] or list(AUTOML_RECIPES)
        else:
            recipes = [find_recipe(solution.fields["recipeArn"]).name]
        schemas = context.stores.schemas(group)
        tune = solution.fields["performHPO"]
        options = [training_options(recipe, solution.fields, schemas, tune=tune) for recipe in recipes]
        return data | {"kind": "train", "options": [o for o, _ in options], "tuned": options[0][1], "model": model}

    def _trained(self, version: Resource, result: Mapping[str, Any]) -> None:
        context = self.context
        base = context.store.get(result["of"]) if "of" in result else None
        version.internal["model"] = result["model"]
        version.internal["metrics"] = base.internal["metrics"] if base else result["metrics"]
        version.internal["updated"] = context.clock.now()
        version.fields["trainingHours"] = result["training_hours"]
        if version.fields["performHPO"]:
            version.fields["tunedHPOParams"] = {"algorithmHyperParameters": result.get("tuned", {})}
        if version.fields["performAutoML"]:
            version.fields["recipeArn"] = RECIPES[result["recipe"]].arn
            solution = context.find("solution", str(version.parent))
            solution.fields["autoMLResult"] = {"bestRecipeArn": version.fields["recipeArn"]}
            context.store.put(solution)

    def stop_solution_version_creation(self, request: Request) -> None:
        version = self.context.find("solution-version", request["solutionVersionArn"])
        if version.status == "CREATE PENDING":
            del version.transitions["status"]
            version.status, version.updated = "CREATE STOPPED", self.context.clock.now()
            self.context.store.put(version)
        elif version.status == "CREATE IN_PROGRESS":
            self.context.lifecycle.begin(version, "stop-training")
        else:
            raise InvalidInput(f"Resource Arn {version.arn} is {version.status}: its creation cannot be stopped")

    def get_solution_metrics(self, request: Request) -> dict[str, Any]:
        version = self.context.find_active("solution-version", request["solutionVersionArn"])
        return {"solutionVersionArn": version.arn, "metrics": version.internal["metrics"]}

    def latest_version(self, solution: Resource) -> Mapping[str, Any]:
        """What DescribeSolution shows beside the record."""
        versions = self.context.store.of_type("solution-version", parent=solution.arn)
        if not versions:
            return {}
        latest = versions[-1]
        return {
            "latestSolutionVersion": latest.fields
            | {
                "solutionVersionArn": latest.arn,
                "status": latest.status,
                "creationDateTime": latest.created,
                "lastUpdatedDateTime": latest.updated,
            }
        }

    def train_automatically(self, solution: Resource) -> None:
        """Called when an automatic training is due: train if there is a reason, and set the next time.

        docs: personalize/latest/dg/solution-config-auto-training.html
        """
        context = self.context
        config = solution.fields.get("solutionConfig", {}).get("autoTrainingConfig", {})
        days = schedule_days(config.get("schedulingExpression", DEFAULT_SCHEDULE))
        solution.internal["next_training"] = context.clock.after((days or 1) * DAY)
        versions = context.store.of_type("solution-version", parent=solution.arn)
        first = solution.internal.pop("first_training", False)
        trained_by_hand = any(v.created >= solution.internal["scheduled"] for v in versions)
        context.store.put(solution)
        new_data = context.stores.data_version(str(solution.group)) != solution.internal.get("trained_data")
        if new_data and not (first and trained_by_hand):
            self.train({"solutionArn": solution.arn}, "FULL", "AUTOMATIC")
