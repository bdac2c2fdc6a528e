"""The metrics of a deployment, by the names of its resources: for the dashboard and the alarms."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

from lambdas.config import Config
from lambdas.config.names import campaign_name
from lambdas.config.recipes import RECIPES
from stacks import names

_FIVE_MINUTES = cdk.Duration.minutes(5)


class Metrics:
    """Each method gives a metric over five minutes."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def _metric(self, namespace: str, name: str, statistic: str, label: str | None, **dimensions: str) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace=namespace,
            metric_name=name,
            dimensions_map=dimensions,
            statistic=statistic,
            period=_FIVE_MINUTES,
            label=label,  # an alarm on a metric with a label would become one on an expression
        )

    def own(self, folder: str, name: str, label: str | None = None) -> cloudwatch.Metric:
        """What a function counts itself (docs/operations.md has the list)."""
        return self._metric(f"recostack/{self.config.name}", name, "Sum", label, service=folder)

    def of_function(self, folder: str, name: str, statistic: str, label: str | None = None) -> cloudwatch.Metric:
        return self._metric("AWS/Lambda", name, statistic, label, FunctionName=names.function(self.config, folder))

    def of_api(self, name: str, statistic: str, label: str | None = None) -> cloudwatch.Metric:
        """Of the servers' API."""
        return self._metric("AWS/ApiGateway", name, statistic, label, ApiName=self.config.name, Stage="v1")

    def of_browser_api(self, name: str, statistic: str) -> cloudwatch.Metric:
        return self._metric("AWS/ApiGateway", name, statistic, None, ApiName=names.browser_api(self.config), Stage="v1")

    def of_stream(self, name: str, statistic: str, label: str | None = None) -> cloudwatch.Metric:
        return self._metric("AWS/Kinesis", name, statistic, label, StreamName=names.event_stream(self.config))

    def of_queue(self, queue: str, label: str | None = None) -> cloudwatch.Metric:
        return self._metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", label, QueueName=queue)

    def of_archive(self) -> cloudwatch.Metric:
        """Seconds for which the oldest record has been waiting."""
        stream = names.archive_stream(self.config)
        return self._metric("AWS/Firehose", "DeliveryToS3.DataFreshness", "Maximum", "archive, s", DeliveryStreamName=stream)

    def of_table(self, table: str, name: str, label: str) -> cloudwatch.Metric:
        return self._metric("AWS/DynamoDB", name, "Sum", label, TableName=table)

    def of_runs(self, machine: str, name: str, label: str) -> cloudwatch.Metric:
        arn = (
            f"arn:{cdk.Aws.PARTITION}:states:{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}"
            f":stateMachine:{names.state_machine(self.config, machine)}"
        )
        return self._metric("AWS/States", name, "Sum", label, StateMachineArn=arn)

    def of_solution(self, solution: str, name: str) -> cloudwatch.Metric:
        """An offline metric of a solution's versions, as the report of each train run writes it."""
        return self._metric(
            "recostack", name, "Average", solution, deployment=self.config.name, solution=solution, service="report"
        )

    def of_campaign(self, solution: str, name: str, statistic: str) -> cloudwatch.Metric:
        """docs: personalize/latest/dg/cloudwatch-metrics.html"""
        arn = f"{names.personalize_prefix()}:campaign/{campaign_name(self.config, solution)}"
        return self._metric("AWS/Personalize", name, statistic, solution, CampaignArn=arn)

    def used_tps(self, solution: str, key: str) -> cloudwatch.MathExpression:
        """Transactions a second that a campaign answers; `key` keeps the expressions of one graph apart."""
        ranks = RECIPES[self.config.solutions[solution].recipe].type == "PERSONALIZED_RANKING"
        calls = self.of_campaign(solution, "GetPersonalizedRanking" if ranks else "GetRecommendations", "Sum")
        return cloudwatch.MathExpression(
            expression=f"{key}a / PERIOD({key}a)",
            using_metrics={f"{key}a": calls},
            label=f"{solution}, used",
            period=_FIVE_MINUTES,
        )

    def utilization(self, solution: str, key: str, provisioned_tps: int) -> cloudwatch.MathExpression:
        """Percent of a campaign's provisioned transactions a second that are used."""
        return cloudwatch.MathExpression(
            expression=f"100 * {key} / {provisioned_tps}",
            using_metrics={key: self.used_tps(solution, f"{key}x")},
            label=f"{solution}, % of {provisioned_tps} TPS",
            period=_FIVE_MINUTES,
        )
