"""An alarm as all of a deployment's are: it mails through the deployment's topic, and names the page that says what to do."""

from __future__ import annotations

import re
from math import ceil
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

from lambdas.config import Config
from lambdas.config.names import own_name
from stacks import names
from stacks.alarm_texts import ALARM_TEXTS

#: How far back an alarm can look.
_LOOKS_BACK_DAYS = 7


class Alarms(Construct):
    """The alarms of one stack."""

    def __init__(self, scope: Construct, config: Config) -> None:
        super().__init__(scope, "Alarms")
        self.config = config
        topic = cdk.Stack.of(self).format_arn(service="sns", resource=names.run_topic(config))
        self.action = actions.SnsAction(sns.Topic.from_topic_arn(self, "Topic", topic))

    def add(
        self,
        name: str,
        metric: cloudwatch.IMetric,
        threshold: float,
        *,
        runbook: str,
        periods: int = 1,
        description: str | None = None,
    ) -> None:
        """Rings when the metric reaches the threshold in that many periods on end; no data means that all is well.

        `runbook` is the page and section where an operator reads on; the description is that of alarm_texts.py.
        """
        self._add(
            name,
            f"{description or ALARM_TEXTS[name]} ({runbook})",
            metric=metric,
            threshold=threshold,
            evaluation_periods=periods,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def add_overdue(self, name: str, what: str, successes: cloudwatch.Metric, schedule: str, *, runbook: str) -> None:
        """Rings when nothing has succeeded for so long that the schedule must have been missed, and after the first deployment
        until something succeeds. No alarm where more than a week lies between runs: CloudWatch looks no further back.
        docs: AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
        """
        gap = days_between_runs(schedule)
        if gap is None or gap > _LOOKS_BACK_DAYS:
            return
        days = min(gap + 1, _LOOKS_BACK_DAYS)
        self._add(
            name,
            f"{what} in the last {days} days: look at the alarm missed-starts and at the last execution ({runbook})",
            metric=successes.with_(period=cdk.Duration.days(1), statistic="Sum"),
            threshold=1,
            evaluation_periods=days,
            comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
        )

    def _add(self, name: str, description: str, **how: Any) -> None:
        alarm = cloudwatch.Alarm(
            self,
            name.title().replace("-", ""),
            alarm_name=own_name(self.config, name),
            alarm_description=description,
            **how,
        )
        alarm.add_alarm_action(self.action)


def days_between_runs(schedule: str) -> int | None:
    """The most days between two runs of a schedule of EventBridge Scheduler, rounded up; None where they are more than seven."""
    if rate := re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", schedule):
        days = ceil(int(rate[1]) / {"minute": 1440, "hour": 24, "day": 1}[rate[2]])
        return days if days <= _LOOKS_BACK_DAYS else None
    _, _, day, month, weekday, year = schedule.removeprefix("cron(").removesuffix(")").split()
    if month != "*" or year != "*" or day not in ("*", "?") or re.search("[#L]", weekday):
        return None
    return 1 if weekday in ("*", "?") else _LOOKS_BACK_DAYS
