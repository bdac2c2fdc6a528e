"""Where the shop's data lives: the data bucket (CSVs, archive, reports) and the catalogue table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from lambdas.config import Config
from lambdas.stores import keys, prefixes
from lambdas.stores.user_stores import expiring_prefixes
from stacks import names
from stacks.acknowledged import acknowledge
from stacks.personalize_role import reach_bucket
from stacks.tables import add_table


class StorageStack(cdk.Stack):
    """Outputs: DataBucket, CatalogueTable."""

    def __init__(self, scope: Construct, id_: str, config: Config, **kwargs: Any) -> None:
        super().__init__(scope, id_, **kwargs)
        bucket = self._data_bucket(config)
        allow_personalize(bucket, reach_bucket(config), "s3:GetObject", "s3:PutObject")
        table = add_table(self, "Catalogue", names.catalogue_table(config), attributes=keys.CATALOGUE)
        add_table(self, "Records", names.records_table(config), attributes=keys.RECORDS)
        cdk.CfnOutput(self, "DataBucket", value=bucket.bucket_name)
        cdk.CfnOutput(self, "CatalogueTable", value=table.table_name)

    def _data_bucket(self, config: Config) -> s3.Bucket:
        """Versioned, so that a bad upload can be taken back; old versions go after 30 days, those of what expires a
        day later, or they would live on. Tells EventBridge of new objects.
        """
        kept = config.archive.keep_days
        expiring = expiring_prefixes() | ({prefixes.EVENTS: kept} if kept else {})
        bucket = s3.Bucket(
            self,
            "Data",
            bucket_name=names.data_bucket(config),
            encryption=s3.BucketEncryption.KMS if config.kms_key else s3.BucketEncryption.S3_MANAGED,
            encryption_key=kms.Key.from_key_arn(self, "DataKey", config.kms_key) if config.kms_key else None,
            bucket_key_enabled=True if config.kms_key else None,
            enforce_ssl=True,
            versioned=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            server_access_logs_bucket=self._access_logs(),
            server_access_logs_prefix="data/",
            lifecycle_rules=[
                s3.LifecycleRule(
                    noncurrent_version_expiration=cdk.Duration.days(30),
                    abort_incomplete_multipart_upload_after=cdk.Duration.days(7),
                ),
                *(
                    s3.LifecycleRule(
                        prefix=prefix,
                        expiration=cdk.Duration.days(days),
                        noncurrent_version_expiration=cdk.Duration.days(1),
                    )
                    for prefix, days in expiring.items()
                ),
            ],
            removal_policy=cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        # The L2's own switch makes a custom resource; CloudFormation knows the property.
        bucket.node.default_child.add_property_override(  # type: ignore[union-attr]
            "NotificationConfiguration", {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
        )
        return bucket

    def _access_logs(self) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            "AccessLogs",
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            lifecycle_rules=[s3.LifecycleRule(expiration=cdk.Duration.days(90))],
            removal_policy=cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        acknowledge(
            bucket,
            {
                "CKV_AWS_18": "it holds the access logs: logging itself would never end",
                "CKV_AWS_21": "S3 writes each log under a name of its own and nobody overwrites one",
            },
        )
        return bucket


def allow_personalize(bucket: s3.Bucket, conditions: Mapping[str, Any] | None, *calls: str) -> None:
    """Personalize reads CSVs and writes batch results itself, and needs the bucket's permission beside its role's.

    docs: personalize/latest/dg/granting-personalize-s3-access.html
    """
    for actions, resource in (
        (["s3:ListBucket"], bucket.bucket_arn),
        (list(calls), bucket.arn_for_objects("*")),
    ):
        bucket.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("personalize.amazonaws.com")],
                actions=actions,
                resources=[resource],
                conditions=conditions,
            )
        )
