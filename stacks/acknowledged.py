"""Findings of the security rules that are accepted, each with the reason an auditor would ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
from constructs import IConstruct


def acknowledge(scope: IConstruct, findings: Mapping[str, str]) -> None:
    """Accept the findings (by rule id) on a construct and all below it."""
    for rule, reason in findings.items():
        cdk.Validations.of(scope).acknowledge(cdk.Acknowledgment(id=rule, reason=reason))


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
