"""IAM's policies and STS's sessions as moto keeps them, and IAM's simulation of a role's policies, which moto lacks.

docs: IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

from __future__ import annotations

import contextlib
import functools
import json
import threading
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any

from moto.awslambda.utils import get_backend
from moto.core.responses import ActionResult
from moto.iam.exceptions import NotFoundException
from moto.iam.models import AWSManagedPolicy, iam_backends
from moto.iam.responses import IamResponse
from moto.s3.models import s3_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends
from moto.sts.models import sts_backends

from localaws.clients import Aws
from localaws.iam.permissions import RolePolicies
from localaws.iam.policies import Access, Principal, evaluate, statements_of
from localaws.moto.function_versions import policy_of
from localaws.patching import intercept, locate, replace

_Statements = list[Mapping[str, Any]]


class Policies:
    """What `localaws.iam.permissions` has to know, read from moto. What is known of roles is kept until `forget`."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._roles: dict[str, RolePolicies | None] = {}
        self._sessions: dict[str, Principal] = {}
        self._lock = threading.Lock()

    def forget(self) -> None:
        """To be called when anything in IAM may have changed."""
        with self._lock:
            self._roles = {}

    def session(self, key: str) -> Principal | None:
        found = self._sessions.get(key)
        if found is None:
            assumed = sts_backends[self._aws.account]["aws"].get_assumed_role_from_access_key(key)
            if assumed is None:
                return None
            found = Principal(arn=assumed.arn, role=assumed.role_arn, account=self._aws.account)
            self._sessions[key] = found
        return found

    def role(self, arn: str) -> RolePolicies | None:
        roles = self._roles
        if arn not in roles:
            roles[arn] = self._read(arn)
        return roles[arn]

    def resource_policy(self, arn: str) -> _Statements:
        parts = arn.split(":", 5)
        if len(parts) < 6:
            return []
        account, region, service, name = self._aws.account, self._aws.region, parts[2], parts[5]
        text: str | bytes | None = None
        if service == "s3":
            bucket = s3_backends[account]["aws"].buckets.get(name.partition("/")[0])
            text = bucket.policy if bucket is not None else None
        elif service == "sqs":
            queue = sqs_backends[account][region].queues.get(name)
            text = queue.policy if queue is not None else None
        elif service == "sns":
            topic = sns_backends[account][region].topics.get(arn)
            text = topic.policy if topic is not None else None
        elif service == "lambda":
            with contextlib.suppress(Exception):  # moto's many ways to say that there is no such function, or no policy
                return list(policy_of(get_backend(account, region), arn).statements)
        return _parsed(text.decode() if isinstance(text, bytes) else text) if text else []

    def key_of_bucket(self, bucket: str) -> str | None:
        """The customer's KMS key with which a bucket encrypts, if it has one."""
        found = s3_backends[self._aws.account]["aws"].buckets.get(bucket)
        rules = ((found.encryption if found is not None else None) or {}).get("Rule")
        for rule in rules if isinstance(rules, list) else [rules] if rules else []:
            default = rule.get("ApplyServerSideEncryptionByDefault") or {}
            if default.get("KMSMasterKeyID"):
                return str(default["KMSMasterKeyID"])
        return None

    def has_object(self, bucket: str, key: str) -> bool:
        """Whether S3 has an object."""
        found = s3_backends[self._aws.account]["aws"].buckets.get(bucket)
        return found is None or key in found.keys

    def _read(self, arn: str) -> RolePolicies | None:
        backend = iam_backends[self._aws.account]["aws"]
        role = next((role for role in backend.get_roles() if role.arn == arn), None)
        if role is None:
            return None
        boundary = None
        if role.permissions_boundary_arn:
            with contextlib.suppress(NotFoundException):
                boundary = _statements([_document(backend.get_policy(role.permissions_boundary_arn))])
        return RolePolicies(_role_statements(role), _statements([role.assume_role_policy_document]), boundary)


def _role_statements(role: Any) -> _Statements:
    """Of a role's own policies and those attached to it."""
    return _statements([*role.policies.values(), *map(_document, role.managed_policies.values())])


def _document(policy: Any) -> Any:
    """Of the default version of a managed policy."""
    return next(version.document for version in policy.versions if version.version_id == policy.default_version_id)


def _statements(documents: Iterable[Any]) -> _Statements:
    parsed = [json.loads(document) if isinstance(document, str) else document for document in documents]
    return [statement for document in parsed for statement in statements_of(document)]


@functools.lru_cache(maxsize=500)
def _parsed(text: str) -> _Statements:
    return _statements([text])


def install() -> None:
    """Let the backend of IAM answer SimulatePrincipalPolicy for roles, and know AWS's own policies once they are attached.

    moto holds a bucket's policy against calls without looking at its conditions; `localaws.iam` looks at all of it.
    """
    # A policy without `Version` is one of 2008-10-17. docs: IAM/latest/UserGuide/reference_policies_elements_version.html
    neutral = locate("moto.iam.access_control:PermissionResult")[2].NEUTRAL
    replace("moto.s3.models:FakeBucket.get_permission", lambda bucket, action, resource: neutral)
    intercept("moto.iam.models:IAMBackend.attach_role_policy", _attach)
    replace("moto.iam.policy_validation:BaseIAMPolicyValidator._validate_version", lambda validator: None)
    locate("moto.iam.responses:IamResponse.backend")
    IamResponse.simulate_principal_policy = _simulate_principal_policy  # type: ignore[attr-defined]


def _attach(by_moto: Callable[..., None], backend: Any, policy_arn: str, role_name: str) -> None:
    name = policy_arn.rsplit("/", 1)[-1]
    known = policy_arn in backend.managed_policies or not policy_arn.startswith("arn:aws:iam::aws:policy/")
    if not known and (described := _aws_policies().get(name)):
        policy = AWSManagedPolicy.from_data(name, backend.account_id, backend.region_name, described)
        backend.managed_policies[policy.arn] = policy
    by_moto(backend, policy_arn, role_name)


@functools.cache
def _aws_policies() -> dict[str, Any]:
    """Those that AWS manages, by name; reading them takes a moment."""
    found: dict[str, Any] = json.loads(import_module("moto.iam.aws_managed_policies").aws_managed_policies_data)
    return found


def _simulate_principal_policy(response: IamResponse) -> ActionResult:
    """Raises NotFoundException."""
    arn = response._get_param("PolicySourceArn")
    role = next((role for role in response.backend.get_roles() if role.arn == arn), None)
    if role is None:
        raise NotFoundException(f"Policy source {arn} not found")
    statements = _role_statements(role)
    keys = response._get_param("ContextEntries", [])
    context = {entry["ContextKeyName"]: entry["ContextKeyValues"][0] for entry in keys}
    results = [
        {
            "EvalActionName": action,
            "EvalResourceName": resource,
            "EvalDecision": evaluate(Access(action, resource, context), statements).decision,
        }
        for action in response._get_param("ActionNames")
        for resource in response._get_param("ResourceArns", ["*"])
    ]
    return ActionResult({"EvaluationResults": results, "IsTruncated": False})
