"""Batch inference and batch segment jobs."""

from collections.abc import Mapping
from typing import Any

from personalize_emulator.errors import InvalidInput
from personalize_emulator.quotas import check_pending
from personalize_emulator.resources.context import Context, Operation, Request
from personalize_emulator.resources.records import Resource
from personalize_emulator.resources.solution_config import find_recipe, refuse
from personalize_rules.filters import parse_filter
from personalize_rules.limits import MAX_RESULTS
from personalize_rules.recipes import Recipe
from personalize_rules.solutions import check_exploration

_DEFAULT_RESULTS = 25
_THEME_REGIONS = ("us-east-1", "us-west-2", "ap-northeast-1")


class BatchJobs:
    def __init__(self, context: Context) -> None:
        self.context = context

    def operations(self) -> dict[str, Operation]:
        """The operations of this module by their API names."""
        return {
            "CreateBatchInferenceJob": self.create_batch_inference_job,
            "CreateBatchSegmentJob": self.create_batch_segment_job,
        }

    def create_batch_inference_job(self, request: Request) -> dict[str, Any]:
        version = self.context.find_active("solution-version", request["solutionVersionArn"])
        recipe = find_recipe(version.fields["recipeArn"])
        if not recipe.batch or recipe.type == "USER_SEGMENTATION":
            raise InvalidInput(f"solutionVersionArn: recipe {recipe.name} does not support batch inference")
        config = request.get("batchInferenceJobConfig", {})
        member = "batchInferenceJobConfig.itemExplorationConfig"
        refuse(check_exploration(config.get("itemExplorationConfig"), recipe, member))
        quota = self.context.quotas.pending_batch_inference_jobs
        mode = request.get("batchInferenceJobMode", "BATCH_INFERENCE")
        work = {"item_name": self._item_name(request, mode, version, recipe)}
        job = self._create("batch-inference-job", request, version, quota, {"batchInferenceJobMode": mode}, work)
        return {"batchInferenceJobArn": job.arn}

    def _item_name(self, request: Request, mode: str, version: Resource, recipe: Recipe) -> str | None:
        """The column with the items' names, if the job shall generate themes.

        docs: personalize/latest/dg/themed-batch-recommendations.html
        """
        config = request.get("themeGenerationConfig")
        if mode != "THEME_GENERATION":
            if config is not None:
                raise InvalidInput("themeGenerationConfig needs the batchInferenceJobMode THEME_GENERATION")
            return None
        if recipe.name != "aws-similar-items":
            raise InvalidInput("batchInferenceJobMode: THEME_GENERATION is supported by the recipe aws-similar-items only")
        if self.context.region not in _THEME_REGIONS:
            raise InvalidInput(f"batchInferenceJobMode: THEME_GENERATION is available in {', '.join(_THEME_REGIONS)} only")
        if config is None:
            raise InvalidInput("themeGenerationConfig must be given with the batchInferenceJobMode THEME_GENERATION")
        items = self.context.stores.schemas(str(version.group)).get("ITEMS")
        name = config["fieldsForThemeGeneration"]["itemName"]
        field = items.field(name) if items else None
        if items is None or field is None or not field.is_text:
            raise InvalidInput(f"themeGenerationConfig.fieldsForThemeGeneration.itemName: Items has no string column {name}")
        if not any(f.textual for f in items.fields):
            raise InvalidInput("batchInferenceJobMode: THEME_GENERATION needs a textual column of Items")
        return field.name

    def create_batch_segment_job(self, request: Request) -> dict[str, Any]:
        version = self.context.find_active("solution-version", request["solutionVersionArn"])
        recipe = find_recipe(version.fields["recipeArn"])
        if recipe.type != "USER_SEGMENTATION":
            raise InvalidInput(f"solutionVersionArn: recipe {recipe.name} does not support batch segment jobs")
        quota = self.context.quotas.pending_batch_segment_jobs
        return {"batchSegmentJobArn": self._create("batch-segment-job", request, version, quota, {}, {}).arn}

    def _create(
        self,
        resource_type: str,
        request: Request,
        version: Resource,
        quota: int,
        fields: Mapping[str, Any],
        work: Mapping[str, Any],
    ) -> Resource:
        context = self.context
        results = request.get("numResults", _DEFAULT_RESULTS)
        if not 1 <= results <= MAX_RESULTS[resource_type]:
            raise InvalidInput(f"numResults must be from 1 to {MAX_RESULTS[resource_type]}, not {results}")
        source = request["jobInput"]["s3DataSource"]["path"]
        destination = request["jobOutput"]["s3DataDestination"]["path"]
        if not source.startswith("s3://"):
            raise InvalidInput("Invalid S3 input path")
        if not destination.startswith("s3://") or destination.rstrip("/") == source.rstrip("/"):
            raise InvalidInput("Invalid S3 output path")
        check_pending(len(context.in_transition(resource_type)), quota)
        return context.create(
            resource_type,
            f"{resource_type}/{request['jobName']}",
            request,
            group=version.group,
            parent=version.arn,
            fields={"numResults": results, **fields},
            job=context.data_of(str(version.group))
            | context.new_output()
            | {
                **work,
                "kind": resource_type,
                "role": request["roleArn"],
                "model": version.internal["model"],
                "config": request.get("batchInferenceJobConfig", {}),
                "filter": self._filter(request.get("filterArn"), version, resource_type),
                "num_results": results,
                "source": source,
                "destination": destination,
                "most_files": context.quotas.batch_input_files,
            },
        )

    def _filter(self, arn: str | None, version: Resource, resource_type: str) -> str | None:
        """The expression of the filter of a job."""
        if arn is None:
            return None
        found = self.context.find_active("filter", arn)
        if found.group != version.group:
            raise InvalidInput(f"filterArn: {arn} is of another dataset group than the solution version")
        expression: str = found.fields["filterExpression"]
        target = "UserID" if resource_type == "batch-segment-job" else "ItemID"
        if parse_filter(expression).target != target:
            raise InvalidInput(f"filterArn: a {resource_type} needs a filter on {target}")
        return expression
