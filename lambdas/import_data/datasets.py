"""One dataset: its schema, the dataset, and an import job for the CSVs that are not in it yet."""

from __future__ import annotations

import os
from typing import Any

from lambdas.shared import clients
from lambdas.shared.config import Config
from lambdas.shared.ensure import Step, create_or_wait, found, newest, step_for
from lambdas.shared.names import arn, dataset_arn, dataset_group_arn, import_job_name, imported_files, schema_name
from lambdas.shared.schemas import RECORD_NAME, DatasetKind
from lambdas.shared.tags import deployment_tags


def ensure_dataset(config: Config, kind: DatasetKind) -> Step:
    """The dataset, with its schema; the schema is there at once."""
    dataset = dataset_arn(config, kind)
    there = found(lambda: dict(clients.personalize().describe_dataset(datasetArn=dataset)))
    if there is not None:
        return step_for(dataset, there)
    schema = ensure_schema(config, kind)
    return create_or_wait(
        dataset,
        lambda: clients.personalize().create_dataset(
            name=f"{config.name}-{kind}",
            schemaArn=schema,
            datasetGroupArn=dataset_group_arn(config),
            datasetType=RECORD_NAME[kind],
            tags=deployment_tags(config),
        ),
    )


def ensure_schema(config: Config, kind: DatasetKind) -> str:
    """The ARN of the schema, made if need be."""
    name = schema_name(config, kind)
    if found(lambda: dict(clients.personalize().describe_schema(schemaArn=arn(f"schema/{name}")))) is None:
        text = config.datasets.present()[kind].avro.text()
        clients.personalize().create_schema(name=name, schema=text)
    return arn(f"schema/{name}")


def ensure_import(config: Config, kind: DatasetKind, location: str, files: str, run_id: str) -> Step:
    """The import of the CSVs whose fingerprint is `files`: nothing to do when the newest import took in the same.

    An import that failed in an earlier run is tried again; one that failed in this run raises ResourceFailed.
    """
    dataset = dataset_arn(config, kind)
    latest = newest_import(dataset)
    name = import_job_name(config, kind, files, run_id)
    if latest is not None:
        if latest["jobName"] == name:
            return step_for(latest["datasetImportJobArn"], latest)
        if "FAILED" not in latest["status"] and imported_files(latest["jobName"]) == files:
            return step_for(latest["datasetImportJobArn"], latest)
    mode = config.datasets.present()[kind].import_mode
    return create_or_wait(
        arn(f"dataset-import-job/{name}"),
        lambda: clients.personalize().create_dataset_import_job(
            jobName=name,
            datasetArn=dataset,
            dataSource={"dataLocation": location},
            roleArn=os.environ["PERSONALIZE_ROLE_ARN"],
            importMode=mode if latest is not None else "FULL",
            tags=deployment_tags(config),
        ),
    )


def newest_import(dataset: str) -> dict[str, Any] | None:
    """The latest import job of a dataset, by its creation."""
    pages = clients.personalize().get_paginator("list_dataset_import_jobs").paginate(datasetArn=dataset)
    return newest([job for page in pages for job in page["datasetImportJobs"]])
