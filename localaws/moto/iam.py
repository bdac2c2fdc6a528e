"""IAM's simulation of a role's policies, which moto lacks. docs: IAM/latest/APIReference/API_SimulatePrincipalPolicy.html"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from moto.core.responses import ActionResult
from moto.iam.exceptions import NotFoundException
from moto.iam.responses import IamResponse

from localaws.iam.policies import Access, allowed_by
from localaws.patching import locate


def install() -> None:
    """Let the backend of IAM answer SimulatePrincipalPolicy for roles."""
    locate("moto.iam.responses:IamResponse.backend")
    IamResponse.simulate_principal_policy = _simulate_principal_policy  # type: ignore[attr-defined]


def _simulate_principal_policy(response: IamResponse) -> ActionResult:
    arn = response._get_param("PolicySourceArn")
    statements = list(_statements(response.backend, arn))
    keys = response._get_param("ContextEntries", [])
    context = {entry["ContextKeyName"]: entry["ContextKeyValues"][0] for entry in keys}
    results = [
        {"EvalActionName": action, "EvalResourceName": resource, "EvalDecision": _decision(statements, action, resource, context)}
        for action in response._get_param("ActionNames")
        for resource in response._get_param("ResourceArns", ["*"])
    ]
    return ActionResult({"EvaluationResults": results, "IsTruncated": False})


def _decision(statements: list[Mapping[str, Any]], action: str, resource: str, context: Mapping[str, str]) -> str:
    allowing = [statement for statement in statements if statement["Effect"] == "Allow"]
    denying = [{**statement, "Effect": "Allow"} for statement in statements if statement["Effect"] == "Deny"]
    access = Access(action, resource, context)
    if allowed_by(denying, access):
        return "explicitDeny"
    return "allowed" if allowed_by(allowing, access) else "implicitDeny"


def _statements(backend: Any, arn: str) -> Iterator[Mapping[str, Any]]:
    """Of a role's own policies and those attached to it. Raises NotFoundException."""
    role = next((role for role in backend.get_roles() if role.arn == arn), None)
    if role is None:
        raise NotFoundException(f"Policy source {arn} not found")
    documents = [*role.policies.values(), *(policy.document for policy in role.managed_policies.values())]
    for document in documents:
        parsed = json.loads(document) if isinstance(document, str) else document
        statement = parsed["Statement"]
        yield from statement if isinstance(statement, list) else [statement]
