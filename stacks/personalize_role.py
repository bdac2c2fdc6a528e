"""The role that Amazon Personalize assumes to read and write the data bucket, for this account's resources only."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks import names
from stacks.grants import Grant


def for_this_account() -> dict[str, dict[str, str]]:
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
        assumed_by=iam.ServicePrincipal("personalize.amazonaws.com", conditions=for_this_account()),
        description=description,
    )


def hand_over(role: iam.Role) -> Grant:
    """To pass the role to Personalize, and to no other service."""
    only = {"StringEquals": {"iam:PassedToService": "personalize.amazonaws.com"}}
    return Grant(["iam:PassRole"], [role.role_arn], conditions=only)
