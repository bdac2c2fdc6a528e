"""Writes down which calls each role makes, when asked to by an environment variable; the same access is written once.

The variable names a folder. Each environment makes a folder of its own in it, with a file of accesses for each of its processes,
and one with the policies that its roles had when they were deployed.
"""

from __future__ import annotations

import functools
import json
import os
import threading
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from localaws.iam.actions import Caller, UnknownOperation, accesses

#: The folder of all environments; that of this environment.
ALL, HERE = "LOCALAWS_CALLS", "LOCALAWS_CALLS_HERE"
#: The role with which a worker's calls are made.
ROLE = "LOCALAWS_ROLE"


def start(account: str, region: str) -> None:
    """Makes the folder of this environment, if calls are wanted."""
    if ALL in os.environ:
        folder = Path(os.environ[ALL]) / uuid.uuid4().hex
        folder.mkdir(parents=True)
        os.environ[HERE] = str(folder)
        (folder / "caller.json").write_text(json.dumps({"account": account, "region": region}))


def worker_environ(role: str) -> dict[str, str]:
    """What a process has to know to write down the calls of its role; nothing when they are not wanted."""
    return {HERE: os.environ[HERE], ROLE: role} if HERE in os.environ else {}


@functools.cache
def calls() -> Calls | None:
    """The calls of this process; None when they are not wanted."""
    return Calls(Path(os.environ[HERE])) if HERE in os.environ else None


class Calls:
    """The file of one process."""

    def __init__(self, folder: Path) -> None:
        self._caller = Caller(**json.loads((folder / "caller.json").read_text()))
        self._file = folder / f"calls-{os.getpid()}-{uuid.uuid4().hex}.jsonl"
        self._lock = threading.Lock()
        self._written: set[str] = set()

    def note(self, role: str, service: str, operation: str, parameters: Mapping[str, Any]) -> None:
        """Write down what one call needs; a call that is not known here is written as it is."""
        try:
            needed = [vars(access) for access in accesses(self._caller, service, operation, parameters)]
        except UnknownOperation as error:
            needed = [{"unknown": str(error)}]
        for access in needed:
            line = json.dumps({"role": role, **access}, sort_keys=True)
            with self._lock:
                if line not in self._written:
                    self._written.add(line)
                    with self._file.open("a") as file:
                        file.write(f"{line}\n")


def note_worker_calls() -> None:
    """Write down every call that boto3 makes in this process, with the worker's role."""
    found = calls()
    if found is None:
        return
    from botocore.client import BaseClient

    role, noted = os.environ[ROLE], found
    make: Callable[..., Any] = BaseClient._make_api_call  # type: ignore[attr-defined]

    @functools.wraps(make)
    def noting(client: Any, operation: str, parameters: Any) -> Any:
        noted.note(role, client.meta.service_model.service_name, operation, parameters)
        return make(client, operation, parameters)

    BaseClient._make_api_call = noting  # type: ignore[attr-defined]


def noting_client(client: Any, role: str) -> Any:
    """The client, now one that writes down its calls as those of the role."""
    found = calls()

    def note(params: Mapping[str, Any], model: Any, **_: Any) -> None:
        if found is not None:
            found.note(role, client.meta.service_model.service_name, model.name, params)

    client.meta.events.register("before-parameter-build.*.*", note)
    return client


_DELIVERIES: dict[str, tuple[str, str, Callable[[str], dict[str, Any]]]] = {
    "events": ("events", "PutEvents", lambda arn: {"Entries": [{"EventBusName": arn.rsplit("/", 1)[-1]}]}),
    "firehose": ("firehose", "PutRecord", lambda arn: {"DeliveryStreamName": arn.rsplit("/", 1)[-1]}),
    "kinesis": ("kinesis", "PutRecord", lambda arn: {"StreamName": arn.rsplit("/", 1)[-1]}),
    "lambda": ("lambda", "Invoke", lambda arn: {"FunctionName": arn}),
    "sns": ("sns", "Publish", lambda arn: {"TopicArn": arn}),
    "sqs": ("sqs", "SendMessage", lambda arn: {"QueueName": arn.rsplit(":", 1)[-1]}),
    "states": ("stepfunctions", "StartExecution", lambda arn: {"stateMachineArn": arn}),
}


def note_delivery(role: str, target: str) -> None:
    """Write down what a rule or a schedule does to its target, with the role that the target names."""
    found, service = calls(), target.split(":")[2]
    if found is not None and service in _DELIVERIES:
        name, operation, parameters = _DELIVERIES[service]
        found.note(role, name, operation, parameters(target))


def note_integration(role: str, service: str, target: str, payload: str, path: str = "") -> None:
    """Write down what API Gateway does with an integration's role.

    `target` is the name of an action, or a path whose action stands in the body. `path` is that of an object of S3.
    """
    found = calls()
    if found is None:
        return
    if service == "s3":
        bucket, _, key = path.partition("/")
        found.note(role, service, target, {"Bucket": bucket, "Key": key})
    elif payload.lstrip().startswith("{"):
        found.note(role, service, target, json.loads(payload))
    else:
        form = dict(parse_qsl(payload))
        found.note(role, service, form.pop("Action", target), {"QueueName": target, **form})


def keep_policies(folder: Path, client: Callable[[str], Any]) -> None:
    """Write down what the roles of all stacks may do, beside what they might before an update; `client` gives boto3 clients."""
    file = folder / "roles.json"
    found = json.loads(file.read_text()) if file.exists() else {}
    cloudformation = client("cloudformation")
    for stack in cloudformation.describe_stacks()["Stacks"]:
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
    return role["Arn"], [statement for document in documents for statement in document["Statement"]]
