"""One dataset: its schema, the dataset, and an import job for the CSVs that are not in it yet."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from lambdas.aws import clients
from lambdas.aws.ensure import (
    IN_TRANSITION,
    ConfigurationDrift,
    StepResult,
    create_or_wait,
    described,
    found_status,
    newest,
    pending,
    short,
)
from lambdas.config import Config, environment
from lambdas.config.names import arn, dataset_arn, dataset_group_arn, import_job_name, imported_files, own_name, schema_name
from lambdas.config.schemas import RECORD_NAME, DatasetKind
from lambdas.config.tags import deployment_tags
from lambdas.training.imports import import_jobs


def ensure_dataset(config: Config, kind: DatasetKind) -> StepResult:
    """The dataset, with its schema; the schema is there at once."""
    dataset = dataset_arn(config, kind)
    there = described(lambda: dict(clients.personalize().describe_dataset(datasetArn=dataset)))
    schema = ensure_schema(config, kind)
    if there is not None:
        return _follow_schema(config, kind, schema, there)
    return create_or_wait(
        dataset,
        lambda: clients.personalize().create_dataset(
            name=own_name(config, kind),
            schemaArn=schema,
            datasetGroupArn=dataset_group_arn(config),
            datasetType=RECORD_NAME[kind],
            tags=deployment_tags(config),
        ),
    )


def _follow_schema(config: Config, kind: DatasetKind, schema: str, there: dict[str, Any]) -> StepResult:
    """The dataset with the config's schema: one that only adds nullable columns to items or users is taken over in place.

    Raises ConfigurationDrift for any other change (personalize/latest/dg/updating-dataset-schema.html).
    """
    dataset = dataset_arn(config, kind)
    looked = found_status(dataset, there)
    update = there.get("latestDatasetUpdate") or {}
    if update.get("status") in IN_TRANSITION:
        return pending(dataset)
    if there["schemaArn"] == schema or not looked.active:
        return looked
    refused = update.get("failureReason", "") if update.get("schemaArn") == schema else ""
    if kind == "interactions" or refused:
        raise _drift(config, kind, schema, there, refused or "the schema of interactions can't be changed")
    try:
        return create_or_wait(dataset, lambda: clients.personalize().update_dataset(datasetArn=dataset, schemaArn=schema))
    except clients.personalize().exceptions.InvalidInputException as error:
        raise _drift(config, kind, schema, there, error.response["Error"]["Message"]) from None


def _drift(config: Config, kind: DatasetKind, schema: str, there: dict[str, Any], reason: str) -> ConfigurationDrift:
    return ConfigurationDrift(
        f"datasets.{kind}.schema: the config wants {short(schema)}, the dataset has {short(there['schemaArn'])}, and can't take "
        f"the other: {reason}. Only nullable columns may be added, to items and users. Otherwise change the schema back, or "
        f"deploy it under another deployment name."
    )


def ensure_schema(config: Config, kind: DatasetKind) -> str:
    """The ARN of the schema, made if need be."""
    name = schema_name(config, kind)
    if described(lambda: dict(clients.personalize().describe_schema(schemaArn=arn(f"schema/{name}")))) is None:
        text = config.datasets.present()[kind].avro.text
        # When botocore repeats a call that had succeeded, the schema is there.
        with suppress(clients.personalize().exceptions.ResourceAlreadyExistsException):
            clients.personalize().create_schema(name=name, schema=text)
    return arn(f"schema/{name}")


def _jobs_since_it_was_made(dataset: str) -> list[dict[str, Any]]:
    """The dataset's import jobs. Those of a dataset of the same name that was deleted say nothing about what this one holds."""
    made = clients.personalize().describe_dataset(datasetArn=dataset)["dataset"]["creationDateTime"]
    return [job for job in import_jobs(dataset) if job["creationDateTime"] >= made]


def ensure_import(config: Config, kind: DatasetKind, location: Callable[[], str], files: str, run_id: str) -> StepResult:
    """The import of the CSVs whose fingerprint is `files`: nothing to do when the newest import took in the same, else of what
    `location` names.

    An import that failed in an earlier run is tried again; one that failed in this run raises ResourceFailed. The look says by
    `import_mode` whether the files are all that the dataset holds from CSVs (FULL).
    """
    dataset = dataset_arn(config, kind)
    latest = newest(_jobs_since_it_was_made(dataset))
    name = import_job_name(config, kind, files, run_id)
    if latest is not None:
        unchanged = "FAILED" not in latest["status"] and imported_files(latest["jobName"]) == files
        if unchanged or latest["jobName"] == name:
            return found_status(latest["datasetImportJobArn"], latest, import_mode=latest.get("importMode", "FULL"))
    mode = config.datasets.present()[kind].import_mode
    return create_or_wait(
        arn(f"dataset-import-job/{name}"),
        lambda: clients.personalize().create_dataset_import_job(
            jobName=name,
            datasetArn=dataset,
            dataSource={"dataLocation": location()},
            roleArn=environment.current().personalize_role_arn,
            importMode=mode if latest is not None else "FULL",
            tags=deployment_tags(config),
        ),
    )
