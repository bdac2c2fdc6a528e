"""The alarms of ingestion. docs/ingestion.md says what to do when each rings."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from lambdas.shared.config import Config
from stacks import names
from stacks.archive import Archive

FIVE_MINUTES = cdk.Duration.minutes(5)


class IngestionAlarms(Construct):
    """Each alarm mails through the deployment's topic, `<name>-runs`."""

    def __init__(
        self,
        scope: Construct,
        config: Config,
        put_events: lambda_.Function,
        put_records: lambda_.Function,
        delete_user_data: lambda_.Function,
        dead_letters: sqs.Queue,
        stuck: sqs.Queue,
        archive: Archive,
    ) -> None:
        super().__init__(scope, "Alarms")
        self.config = config
        topic = cdk.Stack.of(self).format_arn(service="sns", resource=names.run_topic(config))
        self.action = actions.SnsAction(sns.Topic.from_topic_arn(self, "Topic", topic))
        age = put_events.metric("IteratorAge", statistic="Maximum", period=cdk.Duration.minutes(1))
        self._add("events-late", "Events wait for more than a minute before they reach Personalize", age, 60_000, periods=5)
        self._add("dead-letters", "There are dead letters", self._waiting(dead_letters), 1)
        self._add("records-stuck", "Items or users could not be put in a hundred attempts", self._waiting(stuck), 1)
        throttled = self._own("PutEventsThrottled", "put_events")
        self._add("put-events-throttled", "Personalize throttles PutEvents", throttled, 100, periods=3)
        self._add("put-events-errors", "put_events fails", put_events.metric_errors(period=FIVE_MINUTES), 1, periods=3)
        self._add("put-records-errors", "put_records fails", put_records.metric_errors(period=FIVE_MINUTES), 1, periods=3)
        failed = self._own("DeletionJobsFailed", "delete_user_data")
        self._add("user-deletion-failed", "Personalize failed to delete the data of erased users", failed, 1)
        broken = delete_user_data.metric_errors(period=FIVE_MINUTES)
        self._add("user-deletion-errors", "delete_user_data fails", broken, 1)
        freshness = cloudwatch.Metric(
            namespace="AWS/Firehose",
            metric_name="DeliveryToS3.DataFreshness",
            dimensions_map={"DeliveryStreamName": archive.name},
            statistic="Maximum",
            period=FIVE_MINUTES,
        )
        self._add("archive-late", "Events wait for more than 15 minutes before they are archived", freshness, 900, periods=3)

    def _waiting(self, queue: sqs.Queue) -> cloudwatch.Metric:
        return queue.metric_approximate_number_of_messages_visible(statistic="Maximum", period=cdk.Duration.minutes(1))

    def _own(self, metric: str, folder: str) -> cloudwatch.Metric:
        """A metric that the function counts itself."""
        return cloudwatch.Metric(
            namespace=f"recostack/{self.config.name}",
            metric_name=metric,
            dimensions_map={"service": folder},
            statistic="Sum",
            period=FIVE_MINUTES,
        )

    def _add(self, name: str, description: str, metric: cloudwatch.Metric, threshold: float, periods: int = 1) -> None:
        alarm = cloudwatch.Alarm(
            self,
            name.title().replace("-", ""),
            alarm_name=f"{self.config.name}-{name}",
            alarm_description=f"{description} (docs/ingestion.md#when-an-alarm-rings)",
            metric=metric,
            threshold=threshold,
            evaluation_periods=periods,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(self.action)
