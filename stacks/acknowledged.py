"""Findings of the security rules that are accepted, each with the reason an auditor would ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import aws_cdk as cdk
import jsii
from constructs import IConstruct

#: What checkov asks of every resource of a kind, and a deployment does otherwise by decision.
BY_KIND: Mapping[str, Mapping[str, str]] = {
    "AWS::Lambda::Function": {
        "CKV_AWS_115": "callers bound it: the API's throttle, the mappings, the machines; a reservation takes from all others",
        "CKV_AWS_116": "callers keep what failed: the state machine, the mappings' failure destinations, the next day's run",
        "CKV_AWS_117": "it calls AWS's own endpoints over TLS and nothing else: a VPC would hold nothing for it to reach",
        "CKV_AWS_173": "the variables are names and ARNs; there is no secret in them",
    },
    "AWS::DynamoDB::Table": {"CKV_AWS_119": "encrypted at rest with DynamoDB's own key; roles decide who reads"},
    "AWS::Logs::LogGroup": {"CKV_AWS_158": "encrypted at rest by CloudWatch Logs; log lines hold no personal data"},
    "AWS::SQS::Queue": {"CKV_AWS_27": "encrypted with SQS's own keys (SqsManagedSseEnabled), which the rule does not know"},
}


def acknowledge(scope: IConstruct, findings: Mapping[str, str]) -> None:
    """Accept the findings (by rule id) on a construct; those of cdk-nag on all below it too, those of checkov (CKV_...) not."""
    for rule, reason in findings.items():
        if rule.startswith("CKV_"):
            _skip(cast(cdk.CfnResource, scope.node.default_child or scope), rule, reason)
        else:
            cdk.Validations.of(scope).acknowledge(cdk.Acknowledgment(id=rule, reason=reason))


def _skip(resource: cdk.CfnResource, rule: str, reason: str) -> None:
    """docs: checkov.io, Suppressing and Skipping Policies: CloudFormation metadata."""
    skipped = (resource.get_metadata("checkov") or {}).get("skip", [])
    resource.add_metadata("checkov", {"skip": [*skipped, {"id": rule, "comment": reason}]})


@jsii.implements(cdk.IAspect)
class AcknowledgeByKind:
    """Applies BY_KIND to every resource below it, so that no stack has to say it again."""

    def visit(self, node: IConstruct) -> None:
        if isinstance(node, cdk.CfnResource) and node.cfn_resource_type in BY_KIND:
            acknowledge(node, BY_KIND[node.cfn_resource_type])


def wildcard(scope: IConstruct, resource: str) -> str:
    """The rule id under which a policy's wildcard resource is reported: parameters stand in angle brackets."""
    return f"AwsSolutions-IAM5[Resource::{_as_printed(cdk.Stack.of(scope).resolve(resource))}]"


def _as_printed(value: Any) -> str:
    if isinstance(value, str):
        return value
    if "Ref" in value:
        return f"<{value['Ref']}>"
    if "Fn::GetAtt" in value:
        return f"<{'.'.join(value['Fn::GetAtt'])}>"
    separator, parts = value["Fn::Join"]
    return str(separator).join(_as_printed(part) for part in parts)
