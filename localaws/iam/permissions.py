"""Whether a caller may do what it asks for: identities, sessions, roles and resource policies, held against each other.

The administrator, which any key is that is neither a role's session nor a service's name, may do everything.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from localaws.iam.actions import ASSUME_ROLE, Caller, UnknownOperation, accesses, of_unknown_operation
from localaws.iam.policies import Access, Principal, UnknownCondition, Verdict, evaluate, trusts

_LOG = logging.getLogger(__name__)
_MOST_KEPT = 20_000
#: An access key that is the name of a service stands for the service itself: it can assume the roles that trust it.
_SERVICE_SUFFIX = ".amazonaws.com"
#: What a service does in its own name, without a role: publish its metrics.
_OF_SERVICES = frozenset({"cloudwatch:PutMetricData"})


@dataclass(frozen=True)
class RolePolicies:
    """What is known of a role: the statements of its policies, of its boundary if it has one, and of its trust policy."""

    identity: list[Mapping[str, Any]]
    trust: list[Mapping[str, Any]]
    boundary: list[Mapping[str, Any]] | None = None


class _Directory(Protocol):
    """Where policies and sessions are kept."""

    def session(self, key: str) -> Principal | None:
        """Who an access key belongs to; None if it is of no role's session."""

    def role(self, arn: str) -> RolePolicies | None:
        """The policies of a role; None if there is none of that ARN. The same object until they change."""

    def resource_policy(self, arn: str) -> list[Mapping[str, Any]]:
        """The statements of the policy of a resource."""


@dataclass(frozen=True)
class Denied(Exception):
    """A call that is refused, with the sentence in which AWS says so."""

    action: str
    message: str


#: A decision, after the role, the role to assume and the resource's policy of which it was made.
_Kept = tuple[RolePolicies | None, RolePolicies | None, list[Mapping[str, Any]], Verdict]


@dataclass
class Permissions:
    """Decides, keeps decisions until a policy changes, and lets each be written down by `note`."""

    caller: Caller
    directory: _Directory
    enforced: bool = True
    note: Callable[[str, Access, bool], None] = lambda role, access, allowed: None
    _decisions: dict[Any, _Kept] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def principal(self, key: str) -> Principal | None:
        """Who an access key stands for; None for the administrator."""
        if key.endswith(_SERVICE_SUFFIX):
            return self.service(key.removesuffix(_SERVICE_SUFFIX))
        return self.directory.session(key)

    def check_call(
        self, principal: Principal, service: str, operation: str, parameters: Mapping[str, Any], source: str = ""
    ) -> None:
        """Raises Denied unless the principal may make a call of an API. `source`: the ARN for which a service acts."""
        try:
            needed = accesses(self.caller, service, operation, parameters)
        except UnknownOperation:
            needed = [of_unknown_operation(service, operation)]
        for access in needed:
            self.check(principal, access, source)

    def check(self, principal: Principal, access: Access, source: str = "") -> None:
        """Raises Denied unless the principal is allowed the access."""
        if principal.role:
            self.note(principal.role, access, self._verdict(principal, access, source).allowed)
        self.check_quietly(principal, access, source)

    def check_quietly(self, principal: Principal, access: Access, source: str = "") -> None:
        """As `check`, for an access that a call only needs to be answered in another way: it is no lacking permission."""
        verdict = self._verdict(principal, access, source)
        if verdict.allowed or not self.enforced:
            return
        named = access.resource if ":" in access.resource else "*"
        quoted = f'"{named}"' if access.action.startswith("s3:") else named
        who = principal.arn if principal.service == "" else f"service {principal.service}"
        message = f"User: {who} is not authorized to perform: {access.action} on resource: {quoted} {verdict.because}"
        _LOG.info("AccessDenied: %s", message)
        raise Denied(access.action, message)

    def may(self, principal: Principal, access: Access, source: str = "") -> bool:
        """Whether `check` would pass."""
        try:
            self.check(principal, access, source)
        except Denied:
            return False
        return True

    def may_assume(self, role: str, service: str) -> bool:
        """Whether a role exists and trusts a service (`lambda`)."""
        return not self.enforced or self._verdict(self.service(service), Access(ASSUME_ROLE, role), "").allowed

    def service(self, name: str) -> Principal:
        """An AWS service (`lambda`) that calls in its own name."""
        return Principal(arn=f"{name}{_SERVICE_SUFFIX}", service=f"{name}{_SERVICE_SUFFIX}", account=self.caller.account)

    def _verdict(self, principal: Principal, access: Access, source: str) -> Verdict:
        """A decision is kept with the policies that it was made of, and made anew when these are others."""
        role = self.directory.role(principal.role) if principal.role else None
        resource = self.directory.resource_policy(access.resource)
        assumed = self.directory.role(access.resource) if access.action == ASSUME_ROLE else None
        key = (principal.arn, access.action, access.resource, tuple(sorted(access.context.items())), source)
        kept = self._decisions.get(key)
        if kept is not None and kept[0] is role and kept[1] is assumed and kept[2] == resource:
            return kept[3]
        verdict = self._decide(principal, self._with_context(principal, access, source), role, assumed, resource)
        with self._lock:
            if len(self._decisions) >= _MOST_KEPT:
                self._decisions.clear()
            self._decisions[key] = (role, assumed, resource, verdict)
        return verdict

    def _decide(
        self,
        principal: Principal,
        access: Access,
        role: RolePolicies | None,
        assumed: RolePolicies | None,
        resource: list[Mapping[str, Any]],
    ) -> Verdict:
        nothing = Verdict("implicitDeny", f"because no identity-based policy allows the {access.action} action")
        try:
            if access.action == ASSUME_ROLE and (assumed is None or not trusts(assumed.trust, principal, access)):
                return Verdict("implicitDeny", f"because no resource-based policy allows the {access.action} action")
            if principal.service:
                if access.action == ASSUME_ROLE or access.action in _OF_SERVICES:
                    return Verdict("allowed")
                return evaluate(access, [], resource=resource, principal=principal)
            if role is None:
                return nothing
            return evaluate(access, role.identity, role.boundary, resource, principal)
        except UnknownCondition as error:
            _LOG.warning("A policy about %s can't be evaluated: %s.", access.action, error)
            return nothing

    def _with_context(self, principal: Principal, access: Access, source: str) -> Access:
        """The condition keys that every call has. docs: IAM/latest/UserGuide/reference_policies_condition-keys.html"""
        account, region = self.caller.account, self.caller.region
        added = {
            "aws:SecureTransport": "true",
            "aws:RequestedRegion": region,
            "aws:ResourceAccount": account,
            "aws:PrincipalAccount": account,
        }
        if principal.service:
            service = principal.service.removesuffix(_SERVICE_SUFFIX)
            added |= {
                "aws:SourceAccount": account,
                "aws:SourceArn": source or self.caller.arn(service, "any"),
                "aws:PrincipalIsAWSService": "true",
                "aws:PrincipalServiceName": principal.service,
            }
        else:
            added |= {
                "aws:PrincipalArn": principal.role,
                "aws:PrincipalType": "AssumedRole",
                "aws:PrincipalIsAWSService": "false",
            }
        return replace(access, context={**added, **access.context})
