"""The role that Amazon Personalize assumes to read and write the data bucket, for this account's resources only."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks import names
from stacks.grants import Grant


def personalize_role(scope: Construct, description: str) -> iam.Role:
    """The role, allowed nothing yet. docs: personalize/latest/dg/aws-personalize-set-up-permissions.html"""
    return iam.Role(
        scope,
        "PersonalizeRole",
        assumed_by=iam.ServicePrincipal(
            "personalize.amazonaws.com",
            conditions={
                "StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID},
                "ArnLike": {"aws:SourceArn": f"{names.personalize_prefix()}:*"},
            },
        ),
        description=description,
    )


def hand_over(role: iam.Role) -> Grant:
    """To pass the role to Personalize, and to no other service."""
    only = {"StringEquals": {"iam:PassedToService": "personalize.amazonaws.com"}}
    return Grant(["iam:PassRole"], [role.role_arn], conditions=only)
