"""Import, export and deletion of data in bulk."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from personalize_emulator.errors import InvalidInput
from personalize_emulator.quotas import check_pending
from personalize_emulator.resources.attributions import report_of
from personalize_emulator.resources.context import Context, Operation, Request
from personalize_emulator.resources.records import Resource


class DataJobs:
    def __init__(self, context: Context) -> None:
        self.context = context
        context.lifecycle.finish("dataset-import-job", "create", self._imported)
        context.lifecycle.finish("data-deletion-job", "delete-data", self._data_deleted)

    def operations(self) -> dict[str, Operation]:
        """The operations of this module by their API names."""
        return {
            "CreateDatasetImportJob": self.create_dataset_import_job,
            "CreateDatasetExportJob": self.create_dataset_export_job,
            "CreateDataDeletionJob": self.create_data_deletion_job,
        }

    def create_dataset_import_job(self, request: Request) -> dict[str, Any]:
        context = self.context
        dataset = context.find_active("dataset", request["datasetArn"])
        location = _location(request)
        mode = request.get("importMode", "FULL")
        if mode == "INCREMENTAL" and not dataset.internal.get("imported"):
            raise InvalidInput("importMode: the first import job of a dataset must be FULL")
        check_pending(len(context.in_transition("dataset-import-job")), context.quotas.pending_import_jobs)
        job = (
            self._job(dataset, "import", request)
            | {"location": location, "mode": mode}
            | self._attribution(request, dataset, mode)
        )
        created = context.create(
            "dataset-import-job",
            f"dataset-import-job/{request['jobName']}",
            request,
            group=dataset.group,
            parent=dataset.arn,
            fields={"importMode": mode},
            job=job,
        )
        return {"datasetImportJobArn": created.arn}

    def _attribution(self, request: Request, dataset: Resource, mode: str) -> dict[str, Any]:
        """What an import job needs for its report, if there is a metric attribution.

        docs: personalize/latest/dg/event-metrics.html, "Publishing metric attribution reports to Amazon S3"
        """
        attributions = self.context.store.of_type("metric-attribution", group=dataset.group)
        if dataset.fields["datasetType"] != "INTERACTIONS" or not attributions or attributions[0].status != "ACTIVE":
            return {}
        report = report_of(self.context, attributions[0])
        folder = attributions[0].fields["metricsOutputConfig"].get("s3DataDestination", {}).get("path")
        # Guess: without an attribution that has a bucket, publishAttributionMetricsToS3 publishes nothing.
        if not request.get("publishAttributionMetricsToS3") or not folder:
            return {"attribution": report}
        moment = datetime.fromtimestamp(self.context.clock.now(), UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
        report["destination"] = f"{folder.rstrip('/')}/AggregatedAttributionMetrics - {mode} - {moment}.csv"
        return self.context.new_output() | {"attribution": report}

    def _imported(self, job: Resource, _: Mapping[str, Any]) -> None:
        dataset = self.context.store.get(str(job.parent))
        if dataset:
            dataset.internal["imported"] = True
            self.context.store.put(dataset)

    def create_dataset_export_job(self, request: Request) -> dict[str, Any]:
        context = self.context
        dataset = context.find_active("dataset", request["datasetArn"])
        check_pending(len(context.in_transition("dataset-export-job")), context.quotas.pending_export_jobs)
        mode = request.get("ingestionMode", "PUT")
        destination = request["jobOutput"]["s3DataDestination"]["path"]
        job = self._job(dataset, "export", request) | {"destination": destination, "ingestion_mode": mode}
        created = context.create(
            "dataset-export-job",
            f"dataset-export-job/{request['jobName']}",
            request,
            group=dataset.group,
            parent=dataset.arn,
            fields={"ingestionMode": mode},
            job=job | {"name": request["jobName"]} | context.new_output(),
        )
        return {"datasetExportJobArn": created.arn}

    def create_data_deletion_job(self, request: Request) -> dict[str, Any]:
        context = self.context
        group = context.find_active("dataset-group", request["datasetGroupArn"])
        pending = context.in_transition("data-deletion-job", group=group.arn)
        check_pending(len(pending), context.quotas.pending_deletion_jobs_per_dataset_group)
        created = context.create(
            "data-deletion-job",
            f"data-deletion-job/{request['jobName']}",
            request,
            group=group.arn,
            course="delete-data",
            job=self._data(group.arn, "delete-users", request) | {"location": _location(request)},
        )
        return {"dataDeletionJobArn": created.arn}

    def _data_deleted(self, job: Resource, result: Mapping[str, Any]) -> None:
        job.fields["numDeleted"] = result["deleted"]

    def _job(self, dataset: Resource, kind: str, request: Request) -> dict[str, Any]:
        return self._data(str(dataset.group), kind, request) | {"dataset": dataset.fields["datasetType"]}

    def _data(self, group: str, kind: str, request: Request) -> dict[str, Any]:
        return {"kind": kind, "role": request.get("roleArn")} | self.context.data_of(group)


def _location(request: Request) -> str:
    location = request["dataSource"].get("dataLocation")
    if not location:
        raise InvalidInput("dataSource.dataLocation: the location of the data is missing")
    if not location.startswith("s3://"):
        raise InvalidInput("Invalid S3 input path")
    return str(location)
