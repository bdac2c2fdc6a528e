"""Writes down which calls each role makes, when asked to by an environment variable; the same access is written once.

The variable names a folder. Each environment makes a folder of its own in it, with a file of accesses, and one with the policies
that its roles had when they were deployed.
"""

from __future__ import annotations

import json
import os
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from localaws.iam.policies import Access, statements_of

#: The folder of all environments; that of this environment.
ALL, HERE = "LOCALAWS_CALLS", "LOCALAWS_CALLS_HERE"


def start(account: str, region: str) -> Callable[[str, Access, bool], None]:
    """Makes the folder of this environment, if calls are wanted; what writes an access of a role down, and if it was allowed."""
    if ALL not in os.environ:
        return lambda role, access, allowed: None
    folder = Path(os.environ[ALL]) / uuid.uuid4().hex
    folder.mkdir(parents=True)
    os.environ[HERE] = str(folder)
    (folder / "caller.json").write_text(json.dumps({"account": account, "region": region}))
    return _Calls(folder / "calls.jsonl").note


class _Calls:
    """The file of one environment."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._written: set[tuple[Any, ...]] = set()

    def note(self, role: str, access: Access, allowed: bool) -> None:
        key = (role, access.action, access.resource, tuple(sorted(access.context.items())), allowed)
        with self._lock:
            if key in self._written:
                return
            self._written.add(key)
            line = {"role": role, "allowed": allowed, **vars(access)}
            with self._file.open("a") as file:
                file.write(f"{json.dumps(line, sort_keys=True)}\n")


def keep_policies(folder: Path, client: Callable[[str], Any]) -> None:
    """Write down what the roles of all stacks may do, beside what they might before an update; `client` gives boto3 clients."""
    file = folder / "roles.json"
    found = json.loads(file.read_text()) if file.exists() else {}
    cloudformation = client("cloudformation")
    pages = cloudformation.get_paginator("describe_stacks").paginate()
    for stack in (stack for page in pages for stack in page["Stacks"]):
        for resource in cloudformation.list_stack_resources(StackName=stack["StackName"])["StackResourceSummaries"]:
            if resource["ResourceType"] == "AWS::IAM::Role":
                arn, statements = _role(client("iam"), resource["PhysicalResourceId"])
                named = {"stack": stack["StackName"], "logical_id": resource["LogicalResourceId"], "statements": []}
                kept = found.setdefault(arn, named)["statements"]
                kept += [statement for statement in statements if statement not in kept]
    file.write_text(json.dumps(found))


def _role(iam: Any, name: str) -> tuple[str, list[dict[str, Any]]]:
    name = name.rsplit("/", 1)[-1]
    role = iam.get_role(RoleName=name)["Role"]
    documents = [
        iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
    ]
    for attached in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        policy = iam.get_policy(PolicyArn=attached["PolicyArn"])["Policy"]
        version = iam.get_policy_version(PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"])
        documents.append(version["PolicyVersion"]["Document"])
    return role["Arn"], [dict(statement) for document in documents for statement in statements_of(document)]
