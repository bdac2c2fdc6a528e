"""The types of resources and how the API names them."""

import copy
from dataclasses import dataclass
from typing import Any

from personalize_emulator.resources.records import Resource


@dataclass(frozen=True)
class ResourceType:
    """One type. `member` is its name in the API ("datasetGroup"), `listed_under` the filter of its List."""

    name: str
    member: str
    listed_under: str | None = "datasetGroupArn"
    job: bool = False
    taggable: bool = True

    @property
    def arn_member(self) -> str:
        return f"{self.member}Arn"

    @property
    def name_member(self) -> str:
        return "jobName" if self.job else "name"

    @property
    def operation_suffix(self) -> str:
        """DatasetGroup: what follows Create, Describe, Delete."""
        return self.member[0].upper() + self.member[1:]

    @property
    def list_member(self) -> str:
        """The key of the answer of its List operation; that of ListFilters alone is in upper case."""
        return "Filters" if self.name == "filter" else f"{self.member}s"

    def shown(self, resource: Resource) -> dict[str, Any]:
        """Every member that Describe or List may show of a resource."""
        return {
            **copy.deepcopy(resource.fields),  # an answer is written after the lock is released
            self.name_member: resource.name,
            self.arn_member: resource.arn,
            "datasetGroupArn": resource.group,
            "status": resource.status,
            "creationDateTime": resource.created,
            "lastUpdatedDateTime": resource.updated,
        }


TYPES = {
    t.name: t
    for t in (
        ResourceType("schema", "schema", None, taggable=False),
        ResourceType("dataset-group", "datasetGroup", None),
        ResourceType("dataset", "dataset"),
        ResourceType("dataset-import-job", "datasetImportJob", "datasetArn", job=True),
        ResourceType("dataset-export-job", "datasetExportJob", "datasetArn", job=True),
        ResourceType("data-deletion-job", "dataDeletionJob", job=True),
        ResourceType("event-tracker", "eventTracker"),
        ResourceType("filter", "filter"),
        ResourceType("solution", "solution"),
        ResourceType("solution-version", "solutionVersion", "solutionArn"),
        ResourceType("campaign", "campaign", "solutionArn"),
        ResourceType("recommender", "recommender"),
        ResourceType("batch-inference-job", "batchInferenceJob", "solutionVersionArn", job=True),
        ResourceType("batch-segment-job", "batchSegmentJob", "solutionVersionArn", job=True),
        ResourceType("metric-attribution", "metricAttribution", taggable=False),
    )
}
