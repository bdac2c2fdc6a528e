"""Recommendations for placements: the function that asks campaigns and answers the API, users' recent items, the alarms."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from constructs import Construct

from lambdas.shared.config import Config
from lambdas.shared.deployment import parameter_name, rules_parameter_name
from stacks import names
from stacks.functions import Functions
from stacks.grants import OWN_NAMES, Grant
from stacks.tables import add_table


class ServingStack(cdk.Stack):
    """The function `recommend`; the API calls it by its name."""

    def __init__(self, scope: Construct, id_: str, config: Config, **kwargs: Any) -> None:
        super().__init__(scope, id_, **kwargs)
        self.config = config
        recent_items = self._recent_items()
        self._recommend(recent_items)
        topic = self.format_arn(service="sns", resource=names.run_topic(config))
        self.action = actions.SnsAction(sns.Topic.from_topic_arn(self, "Topic", topic))
        self._alarm("rules-override-broken", "RulesOverrideBroken", "The rules override in SSM is not valid", 1)
        self._alarm("personalize-failing", "PersonalizeFailed", "Personalize often fails to answer: fallbacks do", 100)
        self._alarm("short-lists", "MissingItems", "Answers hold fewer items than were asked for", 1000)

    def _recent_items(self) -> dynamodb.Table:
        """Written by `put_events`, read for rules and for the local twins of filters."""
        return add_table(
            self, "RecentItems", names.recent_items_table(self.config), partition="user_id", sort="what", ttl="expires"
        )

    def _recommend(self, recent_items: dynamodb.Table) -> lambda_.Function:
        config = self.config
        deployed, rules, table = parameter_name(config.name), rules_parameter_name(config.name), names.catalogue_table(config)
        ours = [f"{names.personalize_prefix()}:{kind}/{config.name}-*" for kind in ("campaign", "filter")]
        bucket = f"arn:{cdk.Aws.PARTITION}:s3:::{names.data_bucket(config)}"
        parameters = [self.format_arn(service="ssm", resource=f"parameter{name}") for name in (deployed, rules)]
        return Functions(self, config).add(
            "recommend",
            description="Answers recommendations and rankings for placements",
            may=[
                Grant(["personalize:GetRecommendations", "personalize:GetPersonalizedRanking"], ours, OWN_NAMES),
                Grant(["ssm:GetParameter"], parameters),
                Grant(["dynamodb:BatchGetItem"], [self.format_arn(service="dynamodb", resource=f"table/{table}")]),
                Grant(["dynamodb:Query"], [recent_items.table_arn]),
                Grant(["s3:GetObject"], [f"{bucket}/snapshots/*"], "each popularity count has a snapshot"),
                *([Grant(["kms:Decrypt"], [config.kms_key])] if config.kms_key else []),
            ],
            environment={
                "CATALOGUE_TABLE": table,
                "DATA_BUCKET": names.data_bucket(config),
                "DEPLOYMENT_PARAMETER": deployed,
                "RECENT_ITEMS_TABLE": recent_items.table_name,
                "RULES_PARAMETER": rules,
            },
            memory_mb=1024,
            timeout=cdk.Duration.seconds(10),
        )

    def _alarm(self, name: str, metric: str, description: str, threshold: int) -> None:
        alarm = cloudwatch.Alarm(
            self,
            metric,
            alarm_name=f"{self.config.name}-{name}",
            alarm_description=f"{description} (docs/serving.md#alarms)",
            metric=cloudwatch.Metric(
                namespace=f"recostack/{self.config.name}",
                metric_name=metric,
                dimensions_map={"service": "recommend"},
                statistic="Sum",
                period=cdk.Duration.minutes(5),
            ),
            threshold=threshold,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(self.action)
