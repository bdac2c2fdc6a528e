"""What roles did in running environments, and what they were denied, beside what the templates allow them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localaws.iam.policies import NOT_KNOWN, OF_THE_TOKEN, Access, allowed_by, listed, matches
from tests.permissions.reasons import reason

#: The stacks of the product: `recostack-<deployment>-<capability>`. Others belong to tests of the local AWS environment.
STACK = re.compile(r"recostack-(.+)-(\w+)")

#: A bucket that CloudFormation names after its stack and its logical id, with the CDK's hash and a random end.
_GENERATED = re.compile(r"recostack-\{name\}-(\w+)-([a-z]+)[0-9a-f]{8}-[0-9a-z]{12,13}")
#: The id of the only API key that a function looks up.
_BROWSER_KEY = re.compile(r"(?<=/apikeys/)[a-z0-9]{10}")
#: A file of the CDK's, named by its content: it has another name in the next release.
_ASSET = re.compile(r"arn:aws:s3:::cdk-[a-z0-9]+-assets-.+")


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
    environments = [environment for environment in sorted(folder.iterdir()) if (environment / "roles.json").exists()]
    for environment in environments:
        _add(environment, roles)
    for environment in environments:
        _add_patterns(environment, roles)
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
    described = _described(environment)
    for arn, access, allowed in _calls(environment):
        known = allowed and arn in described and access.resource != NOT_KNOWN and not _ASSET.fullmatch(access.resource)
        for pattern in _allowing(described[arn], access) if known else ():
            role, deployment = _name(described[arn])
            resource = pattern if access.resource.endswith(OF_THE_TOKEN) else access.resource
            texts = [resource, json.dumps(dict(access.context)), pattern]
            for passed, description in described.items():
                texts = [text.replace(passed, f"{{role:{_name(description)[0]}}}") for text in texts]
            for value, place in ((caller["account"], "{account}"), (caller["region"], "{region}")):
                texts = [text.replace(value, place) for text in texts]
            texts = [_anywhere(text, deployment) for text in texts]
            yield role, (access.action, texts[2]), [access.action, texts[0], json.loads(texts[1])]


def _allowing(description: Mapping[str, Any], access: Access) -> set[str]:
    """The resource patterns that allow the access."""
    statements = allowed_by(description["statements"], access)
    return {pattern for statement in statements for pattern in listed(statement["Resource"]) if covers(pattern, access)}


def _add(environment: Path, roles: dict[str, Role]) -> None:
    described = _described(environment)
    for arn, access, allowed in _calls(environment):
        if arn not in described:
            continue  # not the product's, or of a stack that was deleted before its policies were read
        name, deployment = _name(described[arn])
        role = roles.setdefault(name, Role())
        if access.resource == NOT_KNOWN:
            role.denied.add(f"{access.action} (its resource is not known to localaws)")
            continue
        if not allowed:
            role.denied.add(f"{access.action} on {access.resource}")
        for statement in allowed_by(described[arn]["statements"], access):
            role.used |= {action for action in listed(statement["Action"]) if matches(action.lower(), access.action.lower())}
            role.reached |= {
                _general(pattern, deployment) for pattern in listed(statement["Resource"]) if covers(pattern, access)
            }
    for description in described.values():
        name, deployment = _name(description)
        role = roles.setdefault(name, Role())
        for statement in description["statements"]:
            role.allowed |= set(listed(statement["Action"]))


def _add_patterns(environment: Path, roles: dict[str, Role]) -> None:
    """The resources of statements of which an action is used, in any environment, or should be."""
    for description in _described(environment).values():
        name, deployment = _name(description)
        role = roles[name]
        for statement in description["statements"]:
            if any(action in role.used or not reason(name, action) for action in listed(statement["Action"])):
                role.patterns |= {_general(pattern, deployment) for pattern in listed(statement["Resource"])}


def _described(environment: Path) -> dict[str, dict[str, Any]]:
    """The product's roles by ARN, with their policies."""
    everything: dict[str, dict[str, Any]] = json.loads((environment / "roles.json").read_text())
    return {arn: role for arn, role in everything.items() if STACK.fullmatch(role["stack"])}


def covers(pattern: str, access: Access) -> bool:
    """Whether the resource of a statement is, or may be, that of the access."""
    return matches(pattern, access.resource) or (access.resource.endswith(OF_THE_TOKEN) and ":stateMachine:" in pattern)


def _calls(environment: Path) -> Iterator[tuple[str, Access, bool]]:
    """The role, what it asked for, and whether that was allowed."""
    file = environment / "calls.jsonl"
    for line in file.read_text().splitlines() if file.exists() else ():
        entry = json.loads(line)
        role, allowed = entry.pop("role"), entry.pop("allowed")
        yield role, Access(**entry), allowed


def _name(description: dict[str, Any]) -> tuple[str, str]:
    """The role's name in any deployment, and the deployment's."""
    deployment, capability = STACK.fullmatch(description["stack"]).groups()  # type: ignore[union-attr]
    return f"{capability}/{re.sub(r'[0-9A-F]{8}$', '', description['logical_id'])}", deployment


def _general(pattern: str, deployment: str) -> str:
    """The resource without what differs between deployments: their name, and what CloudFormation adds to a role's, cut where the
    whole would be too long."""
    return re.sub(r"-[A-Z0-9]{11,13}$|-[A-Z0-9]+-[0-9a-f]{8}$", "", _anywhere(pattern, deployment))


def _anywhere(text: str, deployment: str) -> str:
    """With places for the deployment's name (not for the same word inside a name: `shop_shop-window`) and for generated ids."""
    named = re.sub(rf"(?<![a-z0-9_]){re.escape(deployment)}(?![a-z0-9])", "{name}", text)
    return _BROWSER_KEY.sub("{output:api/BrowserKeyId}", _GENERATED.sub(r"{bucket:\1/\2}", named))
