"""What the synthesized templates grant to each role: which of the listed calls a deployment of this config makes at all."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from reco.account.templates import pseudo_parameters, text

_STACK = re.compile(r"recostack-.+-(\w+)\.template\.json")


class Grants:
    """Actions and resource patterns by role, as in calls.json; what only a deployment knows of a pattern stands as `*`."""

    def __init__(self, assembly: Path, account: str, region: str) -> None:
        self._known = pseudo_parameters(account, region)
        self._by_role: dict[str, list[tuple[list[str], list[str]]]] = {}
        for path in assembly.glob("*.template.json"):
            if found := _STACK.fullmatch(path.name):
                self._add(found[1], json.loads(path.read_text()))

    def holds(self, role: str, action: str, resource: str) -> bool:
        """Whether the role's policies of this config are meant to allow the action on the resource, conditions aside."""
        return any(
            any(fnmatchcase(action.lower(), pattern.lower()) for pattern in actions)
            and any(fnmatchcase(resource, pattern.replace("[", "[[]")) for pattern in resources)
            for actions, resources in self._by_role.get(role, [])
        )

    def _add(self, stack: str, template: Mapping[str, Any]) -> None:
        for logical, resource in template["Resources"].items():
            properties = resource.get("Properties", {})
            if resource["Type"] == "AWS::IAM::Policy":
                for role in properties.get("Roles", []):
                    self._grant(stack, role["Ref"], properties["PolicyDocument"])
            elif resource["Type"] == "AWS::IAM::Role":
                for policy in properties.get("Policies", []):
                    self._grant(stack, logical, policy["PolicyDocument"])

    def _grant(self, stack: str, logical: str, document: Mapping[str, Any]) -> None:
        held = self._by_role.setdefault(f"{stack}/{logical[:-8]}", [])
        for statement in document["Statement"]:
            if statement["Effect"] == "Allow":
                resources = [text(one, self._known, "*") or "*" for one in _listed(statement["Resource"])]
                held.append((_listed(statement["Action"]), resources))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
