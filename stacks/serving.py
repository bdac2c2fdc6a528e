"""Recommendations for placements: the function that asks campaigns and answers the API, users' recent items, the alarms."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from lambdas.config import Config, environment
from lambdas.config.names import own_name
from lambdas.config.serving import RECOMMEND_MB
from lambdas.stores import keys, prefixes
from lambdas.stores.deployment import parameter_name, rules_parameter_name
from lambdas.stores.recent_items import NEWEST
from stacks import names
from stacks.acknowledged import acknowledge
from stacks.alarms import Alarms
from stacks.functions import Functions
from stacks.grants import OWN_NAMES, Grant, use_key
from stacks.metrics import Metrics
from stacks.tables import add_table

#: Alarm, metric of `recommend`, threshold in five minutes.
_ALARMS = [
    ("rules-override-broken", "RulesOverrideBroken", 1),
    ("personalize-failing", "PersonalizeFailed", 100),
    ("short-lists", "MissingItems", 1000),
]


class ServingStack(cdk.Stack):
    """The function `recommend`; the API calls it by its name."""

    def __init__(self, scope: Construct, id_: str, config: Config, **kwargs: Any) -> None:
        super().__init__(scope, id_, **kwargs)
        self.config = config
        recent_items = self._recent_items()
        recommend = self._recommend(recent_items)
        if config.serving.snap_start:
            self._publish(recommend)
        alarms, metrics = Alarms(self, config), Metrics(config)
        for name, metric, threshold in _ALARMS:
            alarms.add(name, metrics.own("recommend", metric), threshold, runbook="docs/serving.md#alarms")

    def _recent_items(self) -> dynamodb.Table:
        """Written by `put_events`, read for rules and for local filters."""
        table = add_table(self, "RecentItems", names.recent_items_table(self.config), attributes=keys.RECENT_ITEMS, expires=True)
        by_time = dynamodb.Attribute(name="at", type=dynamodb.AttributeType.NUMBER)
        table.add_local_secondary_index(index_name=NEWEST, sort_key=by_time)
        return table

    def _recommend(self, recent_items: dynamodb.Table) -> lambda_.Function:
        config, browsers = self.config, bool(self.config.api.browser_placements)
        if browsers:
            self._token_secrets()
        deployed, rules, table = parameter_name(config.name), rules_parameter_name(config.name), names.catalogue_table(config)
        erasures, lists, stream = names.erasures_table(config), names.batch_lists_table(config), names.event_stream(config)
        ours = [f"{names.personalize_prefix()}:{kind}/{own_name(config, '*')}" for kind in ("campaign", "filter")]
        bucket = f"arn:{cdk.Aws.PARTITION}:s3:::{names.data_bucket(config)}"
        parameters = [self.format_arn(service="ssm", resource=f"parameter{name}") for name in (deployed, rules)]
        return Functions(self, config, "serving").add(
            "recommend",
            description="Answers recommendations and rankings for placements",
            grants=[
                Grant(["personalize:GetRecommendations", "personalize:GetPersonalizedRanking"], ours, OWN_NAMES),
                Grant(["ssm:GetParameters"], parameters),
                Grant(["ssm:GetParameter"], parameters[:1]),
                Grant(["dynamodb:BatchGetItem", "dynamodb:Scan"], [self._table(table)]),
                Grant(["dynamodb:GetItem"], [self._table(erasures), self._table(lists)]),
                Grant(["dynamodb:Query"], [f"{recent_items.table_arn}/index/{NEWEST}"]),
                Grant(["kinesis:PutRecord"], [self.format_arn(service="kinesis", resource=f"stream/{stream}")]),
                Grant(["s3:GetObject"], [f"{bucket}/{prefixes.SNAPSHOTS}*"], "each popularity count has a snapshot"),
                *([Grant(["secretsmanager:GetSecretValue"], [names.token_secrets_arn(config)])] if browsers else []),
                *use_key(config, "Decrypt"),
            ],
            environment=environment.Recommend(
                batch_lists_table=lists,
                catalogue_table=table,
                data_bucket=names.data_bucket(config),
                deployment_parameter=deployed,
                erasures_table=erasures,
                event_stream=stream,
                recent_items_table=recent_items.table_name,
                rules_parameter=rules,
                token_secrets=names.token_secrets(config) if browsers else "",
            ),
            memory_mb=RECOMMEND_MB,
            timeout=cdk.Duration.seconds(10),
            snap_start=config.serving.snap_start,
        )

    def _publish(self, recommend: lambda_.Function) -> None:
        """Each change of the function's code or settings is a new version; the one before goes with the deployment."""
        lambda_.Alias(self, "Live", alias_name=names.LIVE, version=recommend.current_version, description="What the APIs call")
        cdk.Annotations.of(recommend).acknowledge_warning("@aws-cdk/aws-lambda:snapStartRequirePublish", "the alias is")

    def _token_secrets(self) -> None:
        """What the shop's servers sign the tokens of users with."""
        secret = secretsmanager.Secret(
            self,
            "TokenSecrets",
            secret_name=names.token_secrets(self.config),
            description=f"Signs the tokens with which pages ask for users of {self.config.name}",
            generate_secret_string=secretsmanager.SecretStringGenerator(password_length=64, exclude_punctuation=True),
        )
        acknowledge(
            secret,
            {
                "AwsSolutions-SMG4": "the shop's servers read it: the shop changes it when they can take up the new one",
                "CKV_AWS_149": "encrypted with the account's own key for Secrets Manager; roles decide who reads",
            },
        )

    def _table(self, name: str) -> str:
        return self.format_arn(service="dynamodb", resource=f"table/{name}")
