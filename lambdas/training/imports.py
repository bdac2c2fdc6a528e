"""The import jobs of a dataset."""

from __future__ import annotations

from typing import Any

from lambdas.aws import clients


def import_jobs(dataset_arn: str) -> list[dict[str, Any]]:
    """The summaries of all jobs; they can't be deleted, so there are more with every run that had new data."""
    pages = clients.personalize().get_paginator("list_dataset_import_jobs").paginate(datasetArn=dataset_arn)
    return [dict(job) for page in pages for job in page["datasetImportJobs"]]
