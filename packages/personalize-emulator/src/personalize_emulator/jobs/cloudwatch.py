"""The metrics of metric attributions in CloudWatch, where AWS_ENDPOINT_URL_CLOUDWATCH or AWS_ENDPOINT_URL names one.

docs: personalize/latest/dg/event-metrics.html, metric-attribution-requirements.html
"""

import logging
import os
import time
from collections.abc import Iterable, Mapping
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from personalize_emulator.datasets.attribution import Row

# Guess: the namespace and the dimensions; the guide says that the metrics are in CloudWatch, and not how they are called.
_NAMESPACE = "AWS/Personalize"
_OLDEST = 14 * 86400
_PER_CALL = 500
_ENDPOINTS = ("AWS_ENDPOINT_URL_CLOUDWATCH", "AWS_ENDPOINT_URL")
log = logging.getLogger(__name__)


def reported(environment: Mapping[str, str]) -> bool:
    """Whether there is a CloudWatch to report to: never that of AWS, which would take the metrics of a test for real ones."""
    return any(environment.get(name) for name in _ENDPOINTS)


def put_metrics(rows: Iterable[Row]) -> None:
    """Report those rows that are not older than 14 days. A CloudWatch that refuses them is a line in the log."""
    if not reported(os.environ):
        return
    since = time.time() - _OLDEST
    data: list[Any] = [
        {
            "MetricName": row.metric,
            "Dimensions": [
                {"Name": "EventType", "Value": row.event_type},
                {"Name": "EventAttributionSource", "Value": row.source},
            ],
            "Timestamp": row.timestamp,
            "Value": row.value,
        }
        for row in rows
        if row.timestamp >= since
    ]
    key = None if "AWS_ACCESS_KEY_ID" in os.environ else "test"
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    client = boto3.client("cloudwatch", region_name=region, aws_access_key_id=key, aws_secret_access_key=key)
    try:
        for begin in range(0, len(data), _PER_CALL):
            client.put_metric_data(Namespace=_NAMESPACE, MetricData=data[begin : begin + _PER_CALL])
    except (ClientError, BotoCoreError) as error:
        log.warning("CloudWatch: %s", error)
