"""Holds the calls that roles made in running environments against the policies that the templates gave them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from localaws.iam.actions import OF_THE_TOKEN
from localaws.iam.policies import Access, allowed_by, listed, matches
from tests.permissions.reasons import reason

#: The stacks of the product: `recostack-<deployment>-<capability>`. Others belong to tests of the local AWS environment.
STACK = re.compile(r"recostack-(.+)-(\w+)")

#: A bucket that CloudFormation names after its stack and its logical id, with the CDK's hash and a random end.
_GENERATED = re.compile(r"recostack-\{name\}-(\w+)-([a-z]+)[0-9a-f]{8}-[0-9a-z]{12,13}")


@dataclass
class Role:
    """One role of the templates, over all deployments that were run."""

    used: set[str] = field(default_factory=set)
    denied: set[str] = field(default_factory=set)
    allowed: set[str] = field(default_factory=set)
    reached: set[str] = field(default_factory=set)
    patterns: set[str] = field(default_factory=set)

    def unused(self) -> set[str]:
        """Actions that no call needed."""
        return self.allowed - self.used

    def unreached(self) -> set[str]:
        """Resources on which no call was made, of statements whose actions are used."""
        return self.patterns - self.reached


@dataclass(frozen=True)
class Finding:
    """Something that the proof does not accept."""

    role: str
    what: str


def prove(folder: Path) -> dict[str, Role]:
    """The roles by name (`training/FunctionsReportRole`), from the folder that was named in LOCALAWS_CALLS."""
    roles: dict[str, Role] = {}
    for environment in sorted(folder.iterdir()):
        if (environment / "roles.json").exists():
            _add(environment, roles)
    return roles


def findings(roles: dict[str, Role]) -> list[Finding]:
    """Denied calls, and what is allowed but neither used nor explained."""
    found: list[Finding] = []
    for name, role in sorted(roles.items()):
        found += [Finding(name, f"denied: {access}") for access in sorted(role.denied)]
        found += [Finding(name, f"never used: {action}") for action in sorted(role.unused()) if not reason(name, action)]
        found += [Finding(name, f"never reached: {pattern}") for pattern in sorted(role.unreached()) if not reason(name, pattern)]
    return found


def calls_by_role(folder: Path, kept: Mapping[str, list[list[Any]]]) -> dict[str, list[list[Any]]]:
    """One allowed call for each action and resource pattern of each role, as `[action, resource, condition keys]`, with places in
    it for what differs between deployments; of those in `kept`, the same again, so that ids of one run come and go no more."""
    found: dict[str, dict[tuple[str, str], list[Any]]] = {}
    for environment in sorted(folder.iterdir()):
        if (environment / "roles.json").exists():
            for role, key, call in _general_calls(environment):
                earlier = found.setdefault(role, {}).get(key)
                if earlier is None or call in kept.get(role, []):
                    found[role][key] = call
    return {role: sorted(calls.values(), key=json.dumps) for role, calls in sorted(found.items())}


def _general_calls(environment: Path) -> Iterator[tuple[str, tuple[str, str], list[Any]]]:
    """The role, what allows the call, and the call, in any deployment."""
    caller = json.loads((environment / "caller.json").read_text())
    everything: dict[str, dict[str, Any]] = json.loads((environment / "roles.json").read_text())
    described = {arn: role for arn, role in everything.items() if STACK.fullmatch(role["stack"])}
    for arn, access in _calls(environment):
        allowing = [] if arn not in described or isinstance(access, str) else _allowing(described[arn], access)
        for pattern in allowing:
            assert isinstance(access, Access)
            role, deployment = _name(described[arn])
            resource = pattern if access.resource.endswith(OF_THE_TOKEN) else access.resource
            texts = [resource, json.dumps(dict(access.context)), pattern]
            for passed, description in described.items():
                texts = [text.replace(passed, f"{{role:{_name(description)[0]}}}") for text in texts]
            for value, place in ((caller["account"], "{account}"), (caller["region"], "{region}")):
                texts = [text.replace(value, place) for text in texts]
            texts = [re.sub(rf"(?<![a-z0-9]){re.escape(deployment)}(?![a-z0-9])", "{name}", text) for text in texts]
            texts = [_GENERATED.sub(r"{bucket:\1/\2}", text) for text in texts]
            yield role, (access.action, texts[2]), [access.action, texts[0], json.loads(texts[1])]


def _allowing(description: Mapping[str, Any], access: Access) -> set[str]:
    """The resource patterns that allow the access."""
    statements = allowing_statements(description["statements"], access)
    return {pattern for statement in statements for pattern in listed(statement["Resource"]) if covers(pattern, access)}


def _add(environment: Path, roles: dict[str, Role]) -> None:
    everything: dict[str, dict[str, Any]] = json.loads((environment / "roles.json").read_text())
    described = {arn: role for arn, role in everything.items() if STACK.fullmatch(role["stack"])}
    for arn, access in _calls(environment):
        if arn not in described:
            continue  # not the product's, or of a stack that was deleted before its policies were read
        name, deployment = _name(described[arn])
        role = roles.setdefault(name, Role())
        if isinstance(access, str):
            role.denied.add(f"{access} (not known to the proof)")
            continue
        allowing = allowing_statements(described[arn]["statements"], access)
        if not allowing:
            role.denied.add(f"{access.action} on {access.resource}")
        for statement in allowing:
            role.used |= {action for action in listed(statement["Action"]) if matches(action.lower(), access.action.lower())}
            role.reached |= {
                _general(pattern, deployment) for pattern in listed(statement["Resource"]) if covers(pattern, access)
            }
    for description in described.values():
        name, deployment = _name(description)
        role = roles.setdefault(name, Role())
        for statement in description["statements"]:
            role.allowed |= set(listed(statement["Action"]))
            if any(not reason(name, action) for action in listed(statement["Action"])):
                role.patterns |= {_general(pattern, deployment) for pattern in listed(statement["Resource"])}


def allowing_statements(statements: list[dict[str, Any]], access: Access) -> list[Mapping[str, Any]]:
    """The statements that allow the access, of whichever state machine where the service alone knows that of the token."""
    if not access.resource.endswith(OF_THE_TOKEN):
        return allowed_by(statements, access)
    patterns = {pattern for statement in statements for pattern in listed(statement["Resource"])}
    machines = [replace(access, resource=pattern) for pattern in patterns if covers(pattern, access)]
    return [statement for machine in machines for statement in allowed_by(statements, machine)]


def covers(pattern: str, access: Access) -> bool:
    """Whether the resource of a statement is, or may be, that of the access."""
    return matches(pattern, access.resource) or (access.resource.endswith(OF_THE_TOKEN) and ":stateMachine:" in pattern)


def _calls(environment: Path) -> Iterator[tuple[str, Access | str]]:
    for file in environment.glob("calls-*.jsonl"):
        for line in file.read_text().splitlines():
            entry = json.loads(line)
            role = entry.pop("role")
            yield role, entry["unknown"] if "unknown" in entry else Access(**entry)


def _name(description: dict[str, Any]) -> tuple[str, str]:
    """The role's name in any deployment, and the deployment's."""
    deployment, capability = STACK.fullmatch(description["stack"]).groups()  # type: ignore[union-attr]
    return f"{capability}/{re.sub(r'[0-9A-F]{8}$', '', description['logical_id'])}", deployment


def _general(pattern: str, deployment: str) -> str:
    """The resource without what differs between deployments: their name, and what CloudFormation adds to a role's, cut where the
    whole would be too long."""
    return re.sub(r"-[A-Z0-9]{11,13}$|-[A-Z0-9]+-[0-9a-f]{8}$", "", pattern.replace(deployment, "{name}"))
