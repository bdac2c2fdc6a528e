"""The snapshot of a popularity count: a batch job on its newest version, which nobody waits for."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from lambdas.aws import clients
from lambdas.aws.ensure import IN_TRANSITION, ResourceFailed, StepResult, active, create_or_wait, found_status, short
from lambdas.config import Config, environment
from lambdas.config.names import arn, fingerprint, own_name
from lambdas.config.tags import deployment_tags
from lambdas.stores.prefixes import address
from lambdas.stores.snapshots import LENGTH, input_key, output_key, output_prefix


def ensure_snapshot(config: Config, solution: str, version: str, run_started: datetime) -> StepResult:
    """The snapshot of this version, there or under way: ACTIVE in both cases, since the one before serves until it is done.

    A job that failed in an earlier run, or whose output is no longer there, is followed by another. Raises ResourceFailed for one
    of this run.
    """
    latest = _latest_job(version, _output_address(solution))
    if latest is not None:
        job, ours = latest["batchInferenceJobArn"], latest["creationDateTime"] >= run_started
        if latest["status"] in IN_TRANSITION or (latest["status"] == "ACTIVE" and _is_there(solution)):
            return active(job)
        if ours:
            found_status(job, latest)
            raise ResourceFailed(f"{short(job)}: it is done, and its output {output_key(solution)} is not in the data bucket")
    name = own_name(config, f"{solution}-{fingerprint(f'{version} {run_started.isoformat()}')}")
    return create_or_wait(arn(f"batch-inference-job/{name}"), lambda: create_job(config, solution, version, name))


def _latest_job(version: str, output: str) -> dict[str, Any] | None:
    """The newest job on the version that writes to this place: other jobs on it make the lists of a batch."""
    client = clients.personalize()
    pages = client.get_paginator("list_batch_inference_jobs").paginate(solutionVersionArn=version)
    listed: list[dict[str, Any]] = [dict(job) for page in pages for job in page["batchInferenceJobs"]]
    for job in sorted(listed, key=lambda job: job["creationDateTime"], reverse=True):
        described = client.describe_batch_inference_job(batchInferenceJobArn=job["batchInferenceJobArn"])["batchInferenceJob"]
        if described["jobOutput"]["s3DataDestination"]["path"] == output:
            return dict(described)
    return None


def _is_there(solution: str) -> bool:
    """Whether the data bucket has a snapshot."""
    listed = clients.s3().list_objects_v2(Bucket=environment.current().data_bucket, Prefix=output_key(solution))
    return bool(listed["KeyCount"])


def _output_address(solution: str) -> str:
    return address(environment.current().data_bucket, output_prefix(solution))


def create_job(config: Config, solution: str, version: str, name: str) -> None:
    bucket = environment.current().data_bucket
    clients.s3().put_object(Bucket=bucket, Key=input_key(solution), Body=json.dumps({"userId": "anyone"}).encode())
    clients.personalize().create_batch_inference_job(
        jobName=name,
        solutionVersionArn=version,
        numResults=LENGTH,
        jobInput={"s3DataSource": {"path": address(bucket, input_key(solution))}},
        jobOutput={"s3DataDestination": {"path": _output_address(solution)}},
        roleArn=environment.current().personalize_role_arn,
        tags=deployment_tags(config),
    )
