"""Queues for what could not be delivered."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.acknowledged import acknowledge


def add_dead_letters(scope: Construct, id_: str, name: str, visibility_timeout: cdk.Duration | None = None) -> sqs.Queue:
    """Keeps its messages for 14 days, the most that SQS allows."""
    queue = sqs.Queue(
        scope,
        id_,
        queue_name=name,
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=cdk.Duration.days(14),
        visibility_timeout=visibility_timeout,
    )
    acknowledge(queue, {"AwsSolutions-SQS3": "this queue is where dead letters end"})
    return queue
