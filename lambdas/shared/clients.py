"""The AWS clients of all functions: made at the first use, kept for the life of the worker."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_events import EventBridgeClient
    from types_boto3_personalize import PersonalizeClient
    from types_boto3_personalize_runtime import PersonalizeRuntimeClient
    from types_boto3_s3 import S3Client
    from types_boto3_sns import SNSClient
    from types_boto3_ssm import SSMClient
    from types_boto3_stepfunctions import SFNClient

#: Control planes throttle; waiting inside the call costs less than a failed state.
PATIENT = Config(retries={"mode": "standard", "max_attempts": 6})
#: A page is waiting: give up early and let the caller fall back.
PROMPT = Config(retries={"mode": "standard", "max_attempts": 2}, connect_timeout=1, read_timeout=2)


@cache
def personalize() -> PersonalizeClient:
    return boto3.client("personalize", config=PATIENT)


@cache
def personalize_runtime() -> PersonalizeRuntimeClient:
    return boto3.client("personalize-runtime", config=PROMPT)


@cache
def s3() -> S3Client:
    return boto3.client("s3", config=PATIENT)


@cache
def dynamodb() -> DynamoDBClient:
    return boto3.client("dynamodb", config=PATIENT)


@cache
def ssm() -> SSMClient:
    return boto3.client("ssm", config=PATIENT)


@cache
def stepfunctions() -> SFNClient:
    return boto3.client("stepfunctions", config=PATIENT)


@cache
def events() -> EventBridgeClient:
    return boto3.client("events", config=PATIENT)


@cache
def sns() -> SNSClient:
    return boto3.client("sns", config=PATIENT)
