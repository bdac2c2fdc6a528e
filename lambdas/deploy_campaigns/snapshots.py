"""The snapshot of a popularity count: a batch job on its newest version, which nobody waits for."""

from __future__ import annotations

import json
import os

from lambdas.shared import clients
from lambdas.shared.config import Config
from lambdas.shared.ensure import Look, active, create_or_wait, described, found_status
from lambdas.shared.snapshots import LENGTH, input_key, job_arn, job_name, output_prefix
from lambdas.shared.tags import deployment_tags


def ensure_snapshot(config: Config, solution: str, version: str) -> Look:
    """The job for this version, begun or done: ACTIVE in both cases, since the snapshot before serves until it is done."""
    job = job_arn(config, solution, version)
    there = described(lambda: dict(clients.personalize().describe_batch_inference_job(batchInferenceJobArn=job)))
    if there is not None:
        found_status(job, there)
        return active(job)
    bucket = os.environ["DATA_BUCKET"]
    clients.s3().put_object(Bucket=bucket, Key=input_key(solution), Body=json.dumps({"userId": "anyone"}).encode())
    return create_or_wait(
        job,
        lambda: clients.personalize().create_batch_inference_job(
            jobName=job_name(config, solution, version),
            solutionVersionArn=version,
            numResults=LENGTH,
            jobInput={"s3DataSource": {"path": f"s3://{bucket}/{input_key(solution)}"}},
            jobOutput={"s3DataDestination": {"path": f"s3://{bucket}/{output_prefix(solution)}"}},
            roleArn=os.environ["PERSONALIZE_ROLE_ARN"],
            tags=deployment_tags(config),
        ),
    )
