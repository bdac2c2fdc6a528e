"""The job in Personalize that makes a batch or a segment: one for each version, on the solution version that may serve.

docs: personalize/latest/dg/API_CreateBatchInferenceJob.html, personalize/latest/dg/API_CreateBatchSegmentJob.html
"""

from __future__ import annotations

import json
from typing import Any

from lambdas.aws import clients
from lambdas.aws.ensure import StepResult, create_or_wait, described, found_status
from lambdas.batch.runs import Making
from lambdas.config import Config, environment
from lambdas.config.names import arn, campaign_arn, filter_name, fingerprint, own_name
from lambdas.config.tags import deployment_tags
from lambdas.stores.runs import accepted


class NobodyToRecommendFor(Exception):
    """The input is empty."""


class NotTrained(Exception):
    """The solution has no version that may go live."""


def ensure_job(config: Config, making: Making) -> StepResult:
    """Look at the job; create it if there is none. Raises ResourceFailed, NobodyToRecommendFor, NotTrained."""
    name = own_name(config, f"{making.name}-{fingerprint(making.version)}")
    personalize = clients.personalize()
    if making.kind == "segment":
        job = arn(f"batch-segment-job/{name}")
        there = described(lambda: dict(personalize.describe_batch_segment_job(batchSegmentJobArn=job)))
    else:
        job = arn(f"batch-inference-job/{name}")
        there = described(lambda: dict(personalize.describe_batch_inference_job(batchInferenceJobArn=job)))
    if there is not None:
        return found_status(job, there)
    if _input_lines(making) == 0:
        raise NobodyToRecommendFor(f"nobody was active within {config.batch[making.name].active_within_days} days")
    call: dict[str, Any] = {
        "jobName": name,
        "jobInput": {"s3DataSource": {"path": making.address("input/")}},
        "jobOutput": {"s3DataDestination": {"path": making.address("output/")}},
        "roleArn": environment.current().personalize_role_arn,
        "tags": deployment_tags(config),
    }
    if making.kind == "segment":
        segment = config.segments[making.name]
        call |= {"solutionVersionArn": serving_version(config, segment.solution), "numResults": segment.num_users}
        return create_or_wait(job, lambda: personalize.create_batch_segment_job(**call))
    batch = config.batch[making.name]
    call |= {"solutionVersionArn": serving_version(config, batch.solution), "numResults": batch.num_results}
    if batch.filter:
        call["filterArn"] = arn(f"filter/{filter_name(config, batch.filter)}")
    return create_or_wait(job, lambda: personalize.create_batch_inference_job(**call))


def _input_lines(making: Making) -> int:
    body = clients.s3().get_object(Bucket=environment.current().data_bucket, Key=making.key("input.json"))["Body"]
    return int(json.loads(body.read())["lines"])


def serving_version(config: Config, solution: str) -> str:
    """The version that the campaign serves; without a campaign, the newest that passed. Raises NotTrained."""
    if config.solutions[solution].campaign is not None:
        campaign = campaign_arn(config, solution)
        there = described(lambda: dict(clients.personalize().describe_campaign(campaignArn=campaign)))
        version = (there or {}).get("solutionVersionArn")
    else:
        record = accepted(solution)
        version = record.version_arn if record else None
    if not version:
        raise NotTrained(f"'{solution}' has no version that may go live")
    return str(version)
