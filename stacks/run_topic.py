"""The topic through which runs and alarms mail."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from lambdas.config import Config
from stacks import names
from stacks.acknowledged import acknowledge


def run_topic(scope: Construct, config: Config) -> sns.Topic:
    """The deployment's topic. Its policy asks for TLS, and so replaces the one of SNS that would let CloudWatch's alarms in."""
    topic = sns.Topic(scope, "Runs", topic_name=names.run_topic(config), enforce_ssl=True)
    topic.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
            actions=["sns:Publish"],
            resources=[topic.topic_arn],
            conditions={"StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID}},
        )
    )
    acknowledge(
        topic,
        {"CKV_AWS_26": "alarms can't publish to a topic under SNS's own key; reports hold metrics and ARNs, no personal data"},
    )
    if config.alarms.email:
        topic.add_subscription(subscriptions.EmailSubscription(config.alarms.email))
    return topic
