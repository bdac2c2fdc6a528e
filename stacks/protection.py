"""What the config's `protection` means for resources: how long logs are kept, and what outlives its stack.

What a failed first deployment made is deleted with it (RetainExceptOnCreate): it holds no data, and its
name would block the next. So a table has no deletion protection of DynamoDB's: CloudFormation could not roll it back.
docs: AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html
"""

from __future__ import annotations

from typing import cast

import aws_cdk as cdk
import jsii
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct, IConstruct

from lambdas.config import Protection
from stacks.acknowledged import acknowledge


@jsii.implements(cdk.IAspect)
class Protect:
    """Applies to every log group, table and bucket below it, so that no stack has to say it again."""

    def __init__(self, protection: Protection) -> None:
        self.log_days = protection.log_days
        self.keep = protection.keep

    def visit(self, node: IConstruct) -> None:
        if isinstance(node, logs.CfnLogGroup):
            node.retention_in_days = self.log_days
        elif isinstance(node, dynamodb.CfnTable):
            self._protect_table(node)
        elif isinstance(node, s3.CfnBucket):
            node.apply_removal_policy(
                cdk.RemovalPolicy.DESTROY if self.keep == "nothing" else cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
            )

    def _protect_table(self, table: dynamodb.CfnTable) -> None:
        kept = self.keep == "everything"
        table.apply_removal_policy(cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if kept else cdk.RemovalPolicy.DESTROY)
        if self.keep == "nothing":
            table.point_in_time_recovery_specification = None
            parent = cast(Construct, table.node.scope)
            reason = "this environment keeps nothing: its data can be loaded again"
            acknowledge(parent, {"AwsSolutions-DDB3": reason, "CKV_AWS_28": reason})
