"""Asks IAM whether each role of a deployment may make the calls that it makes here, and those that services make with it.

docs: IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reco.account.grants import Grants
from reco.account.on_behalf import CALLS, OF_SOME_CONFIGS, Call, calls_with_key
from reco.account.stacks import StackResources
from reco.target import Target

#: The calls that `make permissions` saw: role -> [action, resource, condition keys].
FILE = Path(__file__).with_name("calls.json")
#: `{name}`, `{account}`, `{region}`, `{role:training/PersonalizeRole}`, `{output:storage/DataBucket}`, `{bucket:…}`.
_PLACE = re.compile(r"\{([a-z]+)(?::([\w-]+)/(\w+))?\}")


@dataclass(frozen=True)
class Denied:
    """A call that the role may not make, in the account."""

    role: str
    action: str
    resource: str
    decision: str


@dataclass(frozen=True)
class Simulated:
    """How many calls of how many roles IAM was asked about, and what it denied; `unlisted` roles have no calls in the list."""

    roles: int
    calls: int
    denied: list[Denied]
    unlisted: list[str]


def _recorded_calls() -> dict[str, list[Call]]:
    """What each role was seen to call, in deployments of several configs."""
    recorded = json.loads(FILE.read_text()) if FILE.exists() else {}
    return {role: [(action, resource, dict(context)) for action, resource, context in made] for role, made in recorded.items()}


def simulate(
    target: Target,
    grants: Grants,
    account: str,
    region: str,
    key: str | None = None,
    tell: Callable[[str], None] = lambda role: None,
) -> Simulated:
    """Ask for every role that the deployment has: its calls, where the config makes them at all, and those on its behalf.

    `key`: the config's `kms_key`, which who reads or writes objects of the data bucket has to use.
    """
    stacks, recorded = StackResources(target), _recorded_calls()
    listed = recorded.keys() | CALLS.keys()
    values = {"account": account, "region": region, "name": target.deployment}

    def value(place: re.Match[str]) -> str:
        kind, stack, name = place.groups()
        if kind == "role":
            return f"arn:aws:iam::{account}:role/{stacks.roles.get(f'{stack}/{name}', 'no-such-role')}"
        if kind == "bucket":
            return stacks.bucket(stack, name)
        return target.output(stack, name) if kind == "output" else values[kind]

    asked, denied = 0, list[Denied]()
    roles = {name: physical for name, physical in stacks.roles.items() if name in listed}
    for name, physical in sorted(roles.items()):
        tell(name)
        some = [*recorded.get(name, []), *OF_SOME_CONFIGS.get(name, [])]
        calls = [(action, _PLACE.sub(value, resource), context) for action, resource, context in some]
        calls = [call for call in calls if grants.holds(name, call[0], call[1])]
        calls += [(action, _PLACE.sub(value, resource), context) for action, resource, context in CALLS.get(name, [])]
        if key:
            calls += calls_with_key(name, calls, f"arn:aws:s3:::{target.output('storage', 'DataBucket')}", key)
        asked += len(calls)
        denied += _denied(target.client("iam"), name, f"arn:aws:iam::{account}:role/{physical}", calls)
    return Simulated(len(roles), asked, denied, sorted(stacks.roles.keys() - listed))


def _denied(iam: Any, name: str, arn: str, calls: list[Call]) -> Iterator[Denied]:
    """One question for all resources of an action under the same condition keys."""
    questions: dict[tuple[str, str], list[str]] = defaultdict(list)
    for action, resource, context in calls:
        questions[action, json.dumps(context, sort_keys=True)].append(resource)
    for (action, held), resources in questions.items():
        keys = [
            {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
            for key, value in json.loads(held).items()
        ]
        pages = iam.get_paginator("simulate_principal_policy").paginate(
            PolicySourceArn=arn, ActionNames=[action], ResourceArns=sorted(set(resources)), ContextEntries=keys
        )
        for result in (result for page in pages for result in page["EvaluationResults"]):
            if result["EvalDecision"] != "allowed":
                yield Denied(name, action, result.get("EvalResourceName", "*"), result["EvalDecision"])
