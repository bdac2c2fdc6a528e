"""An alarm as all of a deployment's are: it mails through the deployment's topic, and names the page that says what to do."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

from lambdas.config import Config
from stacks import names


class Alarms(Construct):
    """The alarms of one stack."""

    def __init__(self, scope: Construct, config: Config) -> None:
        super().__init__(scope, "Alarms")
        self.config = config
        topic = cdk.Stack.of(self).format_arn(service="sns", resource=names.run_topic(config))
        self.action = actions.SnsAction(sns.Topic.from_topic_arn(self, "Topic", topic))

    def add(
        self, name: str, description: str, metric: cloudwatch.IMetric, threshold: float, *, runbook: str, periods: int = 1
    ) -> None:
        """Rings when the metric reaches the threshold in that many periods on end; no data means that all is well.

        `runbook` is the page and section where an operator reads on.
        """
        alarm = cloudwatch.Alarm(
            self,
            name.title().replace("-", ""),
            alarm_name=f"{self.config.name}-{name}",
            alarm_description=f"{description} ({runbook})",
            metric=metric,
            threshold=threshold,
            evaluation_periods=periods,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(self.action)
