"""The AWS clients of all functions: made at the first use, kept for the life of the worker."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_events import EventBridgeClient
    from types_boto3_kinesis import KinesisClient
    from types_boto3_personalize import PersonalizeClient
    from types_boto3_personalize_events import PersonalizeEventsClient
    from types_boto3_personalize_runtime import PersonalizeRuntimeClient
    from types_boto3_s3 import S3Client
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient
    from types_boto3_ssm import SSMClient
    from types_boto3_stepfunctions import SFNClient

#: Control planes throttle; waiting inside the call costs less than a failed state.
PATIENT = Config(retries={"mode": "standard", "max_attempts": 6})
#: A page is waiting: give up early and let the caller fall back.
PROMPT = Config(
    retries={"mode": "standard", "total_max_attempts": 1},
    connect_timeout=0.5,
    read_timeout=2,
    parameter_validation=False,
    max_pool_connections=16,
    user_agent="recostack",
)
#: Records are put by this many threads: a call waits for the network most of its time.
PARALLEL_PUTS = 8
#: One attempt a call (lambdas.aws.retry makes the others), and no second validation of what we have validated.
STREAMING = Config(
    retries={"mode": "standard", "total_max_attempts": 1},
    connect_timeout=1,
    read_timeout=5,
    max_pool_connections=PARALLEL_PUTS,
    parameter_validation=False,
    user_agent="recostack",  # boto3 puts its own together anew for each call, a tenth of the call's CPU time
)


@cache
def personalize() -> PersonalizeClient:
    return boto3.client("personalize", config=PATIENT)


@cache
def personalize_runtime(seconds: float) -> PersonalizeRuntimeClient:
    """For answers that somebody waits for: it gives up a connection, or an answer on it, after so many seconds."""
    return boto3.client("personalize-runtime", config=PROMPT.merge(Config(connect_timeout=seconds, read_timeout=seconds)))


@cache
def personalize_events() -> PersonalizeEventsClient:
    return boto3.client("personalize-events", config=STREAMING)


@cache
def s3() -> S3Client:
    return boto3.client("s3", config=PATIENT)


@cache
def dynamodb() -> DynamoDBClient:
    return boto3.client("dynamodb", config=PATIENT)


@cache
def prompt_dynamodb() -> DynamoDBClient:
    """For answers that somebody waits for."""
    return boto3.client("dynamodb", config=PROMPT)


@cache
def prompt_kinesis() -> KinesisClient:
    """For what is written beside an answer that somebody waits for."""
    return boto3.client("kinesis", config=PROMPT)


@cache
def bulk_dynamodb() -> DynamoDBClient:
    """For many rows at once, by several threads."""
    return boto3.client("dynamodb", config=STREAMING)


@cache
def ssm() -> SSMClient:
    return boto3.client("ssm", config=PATIENT)


@cache
def prompt_ssm() -> SSMClient:
    """For documents of which whoever answers has a copy already, when they do not come."""
    return boto3.client("ssm", config=PROMPT)


@cache
def apigateway() -> Any:
    return boto3.client("apigateway", config=PATIENT)


@cache
def prompt_secretsmanager() -> Any:
    """For secrets without which a call can't be judged."""
    return boto3.client("secretsmanager", config=PROMPT)


@cache
def stepfunctions() -> SFNClient:
    return boto3.client("stepfunctions", config=PATIENT)


@cache
def events() -> EventBridgeClient:
    return boto3.client("events", config=PATIENT)


@cache
def sns() -> SNSClient:
    return boto3.client("sns", config=PATIENT)


@cache
def sqs() -> SQSClient:
    return boto3.client("sqs", config=PATIENT)
