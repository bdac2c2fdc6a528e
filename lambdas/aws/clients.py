"""The AWS clients of all functions, made at the first use, kept for the life of the worker: boto3's, and ours for calls that come
by the thousand, for which boto3 takes most of a function's processor time.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from lambdas.aws.signed import DYNAMODB, PERSONALIZE_EVENTS, SignedClient

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_events import EventBridgeClient
    from types_boto3_personalize import PersonalizeClient
    from types_boto3_s3 import S3Client
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient
    from types_boto3_ssm import SSMClient
    from types_boto3_stepfunctions import SFNClient

#: Control planes throttle; waiting inside the call costs less than a failed state.
_PATIENT: dict[str, Any] = {"retries": {"mode": "standard", "max_attempts": 6}}
#: A page is waiting: give up early.
_PROMPT: dict[str, Any] = {"retries": {"mode": "standard", "total_max_attempts": 1}, "connect_timeout": 0.5, "read_timeout": 2}
#: Records are put by this many threads: a call waits for the network most of its time.
PARALLEL_PUTS = 8
#: One attempt a call: lambdas.aws.retry makes the others.
_STREAMING: dict[str, Any] = {"connect_seconds": 1, "seconds": 5, "connections": PARALLEL_PUTS}


def _made(service: str, settings: dict[str, Any]) -> Any:
    import boto3  # not at the top: a worker that answers the API has no use for it
    from botocore.config import Config

    return boto3.client(service, config=Config(**settings))  # type: ignore[call-overload]


@cache
def personalize() -> PersonalizeClient:
    client: PersonalizeClient = _made("personalize", _PATIENT)
    return client


@cache
def personalize_events() -> SignedClient:
    """For what is put to Personalize, by several threads."""
    return SignedClient(PERSONALIZE_EVENTS, **_STREAMING)


@cache
def s3() -> S3Client:
    client: S3Client = _made("s3", _PATIENT)
    return client


@cache
def dynamodb() -> DynamoDBClient:
    client: DynamoDBClient = _made("dynamodb", _PATIENT)
    return client


@cache
def bulk_dynamodb() -> SignedClient:
    """For many rows at once, by several threads."""
    return SignedClient(DYNAMODB, **_STREAMING)


@cache
def ssm() -> SSMClient:
    client: SSMClient = _made("ssm", _PATIENT)
    return client


@cache
def apigateway() -> Any:
    return _made("apigateway", _PATIENT)


@cache
def prompt_secretsmanager() -> Any:
    """For secrets without which a call can't be judged."""
    return _made("secretsmanager", _PROMPT)


@cache
def stepfunctions() -> SFNClient:
    client: SFNClient = _made("stepfunctions", _PATIENT)
    return client


@cache
def events() -> EventBridgeClient:
    client: EventBridgeClient = _made("events", _PATIENT)
    return client


@cache
def sns() -> SNSClient:
    client: SNSClient = _made("sns", _PATIENT)
    return client


@cache
def sqs() -> SQSClient:
    client: SQSClient = _made("sqs", _PATIENT)
    return client
