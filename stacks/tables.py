"""A DynamoDB table as all capabilities have it: on demand, restorable to any point of the last 35 days."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct


def add_table(
    scope: Construct, id_: str, name: str, *, partition: str, sort: str | None = None, ttl: str | None = None
) -> dynamodb.Table:
    """The table; its keys are strings, `ttl` names the attribute with the second at which a row leaves."""
    return dynamodb.Table(
        scope,
        id_,
        table_name=name,
        partition_key=dynamodb.Attribute(name=partition, type=dynamodb.AttributeType.STRING),
        sort_key=dynamodb.Attribute(name=sort, type=dynamodb.AttributeType.STRING) if sort else None,
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        time_to_live_attribute=ttl,
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(point_in_time_recovery_enabled=True),
        removal_policy=cdk.RemovalPolicy.DESTROY,
    )
