"""The alarms of ingestion. docs/ingestion.md says what to do in each alarm."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from lambdas.config import Config
from stacks.alarms import Alarms
from stacks.archive import Archive
from stacks.metrics import Metrics

_FIVE_MINUTES = cdk.Duration.minutes(5)
#: When the data of erased users are deleted from Personalize, UTC.
DAILY = "cron(30 1 * * ? *)"
_RUNBOOK = "docs/ingestion.md#when-an-alarm-rings"


def add_alarms(
    scope: Construct,
    config: Config,
    put_events: lambda_.Function,
    put_records: lambda_.Function,
    delete_user_data: lambda_.Function,
    dead_letters: sqs.Queue,
    stuck: sqs.Queue,
    archive: Archive,
) -> None:
    """Each mails through the deployment's topic, `<name>-runs`."""
    alarms, metrics = Alarms(scope, config), Metrics(config)
    minute = cdk.Duration.minutes(1)

    def add(name: str, metric: cloudwatch.IMetric, threshold: float, periods: int = 1) -> None:
        alarms.add(name, metric, threshold, runbook=_RUNBOOK, periods=periods)

    def waiting(queue: sqs.Queue) -> cloudwatch.Metric:
        return queue.metric_approximate_number_of_messages_visible(statistic="Maximum", period=minute)

    age = put_events.metric("IteratorAge", statistic="Maximum", period=minute)
    add("events-late", age, 60_000, periods=5)
    add("dead-letters", waiting(dead_letters), 1)
    add("records-stuck", waiting(stuck), 1)
    throttled = metrics.own("put_events", "PutEventsThrottled")
    add("put-events-throttled", throttled, 100, periods=3)
    add("put-events-errors", put_events.metric_errors(period=_FIVE_MINUTES), 1, periods=3)
    add("put-records-errors", put_records.metric_errors(period=_FIVE_MINUTES), 1, periods=3)
    failed = metrics.own("delete_user_data", "DeletionJobsFailed")
    add("user-deletion-failed", failed, 1)
    add("user-deletion-errors", delete_user_data.metric_errors(period=_FIVE_MINUTES), 1)
    ended = metrics.own("delete_user_data", "DeletionRuns")
    alarms.add_overdue(
        "user-deletion-overdue", "The daily deletion of erased users did not succeed", ended, DAILY, runbook=_RUNBOOK
    )
    freshness = cloudwatch.Metric(
        namespace="AWS/Firehose",
        metric_name="DeliveryToS3.DataFreshness",
        dimensions_map={"DeliveryStreamName": archive.name},
        statistic="Maximum",
        period=_FIVE_MINUTES,
    )
    add("archive-late", freshness, 900, periods=3)
