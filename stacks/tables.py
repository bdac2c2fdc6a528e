"""A DynamoDB table as all capabilities have it: on demand, restorable to any point of the last 35 days."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from lambdas.stores.keys import EXPIRES


def add_table(scope: Construct, id_: str, name: str, *, attributes: tuple[str, ...], expires: bool = False) -> dynamodb.Table:
    """The table with the key of these attributes (lambdas/stores/keys.py); whether its rows expire."""
    partition, *sort = (dynamodb.Attribute(name=each, type=dynamodb.AttributeType.STRING) for each in attributes)
    return dynamodb.Table(
        scope,
        id_,
        table_name=name,
        partition_key=partition,
        sort_key=sort[0] if sort else None,
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        time_to_live_attribute=EXPIRES if expires else None,
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(point_in_time_recovery_enabled=True),
        removal_policy=cdk.RemovalPolicy.DESTROY,
    )
