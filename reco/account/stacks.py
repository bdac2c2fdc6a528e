"""What the stacks of a deployment hold, by the names that their templates give."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any

from reco.target import Target


class StackResources:
    """Physical ids by capability and logical id, without the hash that the CDK adds: `("training", "PersonalizeRole")`."""

    def __init__(self, target: Target) -> None:
        self._target = target

    @cached_property
    def roles(self) -> dict[str, str]:
        """The name of each role of the stacks: `training/PersonalizeRole`."""
        return {f"{stack}/{logical}": name for (kind, stack, logical), name in self._all.items() if kind == "AWS::IAM::Role"}

    def function(self, stack: str, logical_id: str) -> str:
        """The name of a function; KeyError if there is none."""
        return self._all["AWS::Lambda::Function", stack, logical_id]

    def bucket(self, stack: str, logical_id: str) -> str:
        """The name of a bucket, by its logical id in small letters; one that no bucket has if there is none."""
        buckets = {(s, logical.lower()): name for (kind, s, logical), name in self._all.items() if kind == "AWS::S3::Bucket"}
        return buckets.get((stack, logical_id), "no-such-bucket")

    @cached_property
    def _all(self) -> dict[tuple[str, str, str], str]:
        client, found = self._target.client("cloudformation"), dict[tuple[str, str, str], str]()
        ours = re.compile(rf"recostack-{re.escape(self._target.deployment)}-(\w+)")
        for page in client.get_paginator("describe_stacks").paginate():
            for name, capability in ((s["StackName"], ours.fullmatch(s["StackName"])) for s in page["Stacks"]):
                if capability:
                    found |= {(kind, capability[1], logical): id_ for kind, logical, id_ in _resources(client, name)}
        return found


def _resources(client: Any, stack: str) -> list[tuple[str, str, str]]:
    pages = client.get_paginator("list_stack_resources").paginate(StackName=stack)
    return [
        (resource["ResourceType"], re.sub(r"[0-9A-F]{8}$", "", resource["LogicalResourceId"]), resource["PhysicalResourceId"])
        for page in pages
        for resource in page["StackResourceSummaries"]
        if "PhysicalResourceId" in resource
    ]
