"""The role that Amazon Personalize assumes to read and write the data bucket, for this account's resources only."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from lambdas.config import Config
from stacks import names
from stacks.grants import Grant, use_key


def _for_this_account() -> dict[str, dict[str, str]]:
    """The conditions under which Personalize acts for this account's resources, and for nobody else's."""
    return {
        "StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID},
        "ArnLike": {"aws:SourceArn": f"{names.personalize_prefix()}:*"},
    }


def personalize_role(scope: Construct, description: str, id_: str = "PersonalizeRole") -> iam.Role:
    """The role, allowed nothing yet. docs: personalize/latest/dg/aws-personalize-set-up-permissions.html"""
    return iam.Role(
        scope,
        id_,
        assumed_by=iam.ServicePrincipal("personalize.amazonaws.com", conditions=_for_this_account()),
        description=description,
    )


def reach_bucket(config: Config) -> dict[str, dict[str, str]] | None:
    """The conditions of a bucket's policy for Personalize, which asks for none in its documentation."""
    return _for_this_account() if config.protection.personalize_conditions else None


def list_below(config: Config, bucket: str, *folders: str) -> Grant:
    """To list what is below folders (`datasets/`) of a bucket, for a role that Personalize assumes."""
    narrow = {"StringLike": {"s3:prefix": [f"{folder}*" for folder in folders]}}
    return Grant(["s3:ListBucket"], [bucket], conditions=narrow if config.protection.personalize_conditions else {})


def use_key_in_jobs(config: Config) -> list[Grant]:
    """The key of the data bucket, as the role of import and batch jobs needs it; `kms:CreateGrant` is for the key's own policy.

    docs: personalize/latest/dg/granting-personalize-key-access.html
    """
    return use_key(config, "Decrypt", "GenerateDataKey", "DescribeKey", "ListGrants")


def pass_role(role: iam.Role) -> Grant:
    """To pass the role to Personalize, and to no other service."""
    only = {"StringEquals": {"iam:PassedToService": "personalize.amazonaws.com"}}
    return Grant(["iam:PassRole"], [role.role_arn], conditions=only)
