"""Decides whether policies allow a call, as IAM does: those of the caller, its boundary, and that of the resource.

Policies are evaluated here alone: for calls that are made here, for SimulatePrincipalPolicy and for the permission proof.
docs: IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from localaws.iam.conditions import UnknownCondition, holds, listed, matches, values_of

__all__ = ["Access", "Principal", "UnknownCondition", "Verdict", "allowed_by", "evaluate", "listed", "matches", "trusts"]

Statement = Mapping[str, Any]
#: Stands for a state machine that is known by its token alone.
OF_THE_TOKEN = "stateMachine:of-the-token"  # noqa: S105
#: Stands for the resource of a call of which only the action is known: any statement that names the action may hold for it.
NOT_KNOWN = "resource:not-known"


@dataclass(frozen=True)
class Access:
    """One call as IAM sees it: an action on a resource, and the condition keys that come with it."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Principal:
    """Who calls: a session of a role, or a service (`lambda.amazonaws.com`)."""

    arn: str
    role: str = ""
    account: str = ""
    service: str = ""


@dataclass(frozen=True)
class Verdict:
    """`allowed`, `implicitDeny` or `explicitDeny`, and in AWS's words why it is denied."""

    decision: Literal["allowed", "implicitDeny", "explicitDeny"]
    because: str = ""

    @property
    def allowed(self) -> bool:
        return self.decision == "allowed"


def evaluate(
    access: Access,
    identity: Iterable[Statement],
    boundary: Iterable[Statement] | None = None,
    resource: Iterable[Statement] = (),
    principal: Principal | None = None,
) -> Verdict:
    """Whether a call is allowed by the statements of the caller and of the resource, all in one account.

    Raises UnknownCondition. docs: IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html
    """
    of_caller = [one for one in identity if _covers(one, access)]
    within = None if boundary is None else [one for one in boundary if _covers(one, access)]
    of_resource = [one for one in resource if principal and _covers(one, access) and _names(one, principal)]
    for kind, statements in (
        ("an identity-based policy", of_caller),
        ("a permissions boundary", within or []),
        ("a resource-based policy", of_resource),
    ):
        if any(one["Effect"] == "Deny" for one in statements):
            return Verdict("explicitDeny", f"with an explicit deny in {kind}")
    if principal and any(not _through_the_account(one, principal) for one in of_resource):
        return Verdict("allowed")
    kind = "resource-based" if principal and principal.service else "identity-based"
    if not of_caller:
        return Verdict("implicitDeny", f"because no {kind} policy allows the {access.action} action")
    if within is not None and not within:
        return Verdict("implicitDeny", f"because no permissions boundary allows the {access.action} action")
    return Verdict("allowed")


def trusts(trust: Iterable[Statement], principal: Principal, access: Access) -> bool:
    """Whether a role's trust policy lets somebody assume it. Raises UnknownCondition."""
    found = [one for one in trust if _covers({**one, "Resource": "*"}, access) and _names(one, principal)]
    return bool(found) and all(one["Effect"] == "Allow" for one in found)


def allowed_by(statements: Iterable[Statement], access: Access) -> list[Statement]:
    """The statements that allow the access; none when it is not allowed, or denied. Raises UnknownCondition."""
    covering = [statement for statement in statements if _covers(statement, access)]
    return [] if any(statement["Effect"] == "Deny" for statement in covering) else covering


def statements_of(document: Mapping[str, Any]) -> list[Statement]:
    """A policy's statements. One without `Version` is of 2008-10-17, in which `${…}` is text and no variable.

    docs: IAM/latest/UserGuide/reference_policies_elements_version.html
    """
    found = listed(document.get("Statement") or [])
    variables = document.get("Version") == "2012-10-17"
    return [one if variables else {**one, _OLD: True} for one in found]


_OLD = "localaws:without-variables"


def _covers(statement: Statement, access: Access) -> bool:
    context = {} if statement.get(_OLD) else access.context
    return (
        _has(statement, "Action", lambda pattern: matches(pattern.lower(), access.action.lower()))
        and _has(statement, "Resource", lambda pattern: _covers_resource(statement, pattern, access.resource, context))
        and all(
            holds(operator, keys, access.context, variables=_OLD not in statement)
            for operator, keys in (statement.get("Condition") or {}).items()
        )
    )


def _has(statement: Statement, name: str, test: Callable[[str], bool]) -> bool:
    """Whether an entry of the element, or none of its opposite (NotAction), passes the test."""
    if f"Not{name}" in statement:
        return not any(map(test, listed(statement[f"Not{name}"])))
    return any(map(test, listed(statement.get(name) or [])))


def _covers_resource(statement: Statement, pattern: str, resource: str, context: Mapping[str, str]) -> bool:
    if resource == NOT_KNOWN:
        return pattern == "*" or statement["Effect"] == "Allow"
    if resource.endswith(OF_THE_TOKEN) and statement["Effect"] == "Allow":
        return ":stateMachine:" in pattern or matches(pattern, resource)
    return any(matches(value, resource) for value in values_of(pattern, context))


def _names(statement: Statement, principal: Principal) -> bool:
    if "NotPrincipal" in statement:
        return not _is_among(statement["NotPrincipal"], principal)
    return _is_among(statement.get("Principal") or {}, principal)


def _is_among(named: Any, principal: Principal) -> bool:
    if named == "*":
        return True
    if principal.service:
        return any(matches(one, principal.service) for one in listed(named.get("Service") or []))
    account = (principal.account, f"arn:aws:iam::{principal.account}:root")
    return any(one in ("*", principal.arn, principal.role, *account) for one in listed(named.get("AWS") or []))


def _through_the_account(statement: Statement, principal: Principal) -> bool:
    """Whether a resource's policy names the whole account, which leaves the decision to the policies of the caller."""
    named = statement.get("Principal") or {}
    if named == "*" or principal.service or "NotPrincipal" in statement:
        return False
    return not any(one in ("*", principal.arn, principal.role) for one in listed(named.get("AWS") or []))
