"""CloudFormation: a row for each stack that was deployed. They are made anew at a start, and find what their resources held."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.cloudformation.models import cloudformation_backends

from localaws.clients import Aws
from localaws.errors import LocalAwsError
from localaws.moto.cloudformation.provider import Created
from localaws.patching import follow, intercept
from localaws.persistence.codec import decode, encode
from localaws.persistence.database import Database

_BACKEND = "moto.cloudformation.models:CloudFormationBackend"


class Stacks:
    """Stacks are written when they are created, updated or deleted."""

    def __init__(self, aws: Aws, database: Database) -> None:
        self._aws = aws
        self._backend = cloudformation_backends[aws.account][aws.region]
        self._database = database
        self._kept: dict[str, dict[str, Any]] = {}

    def install(self) -> None:
        follow(f"{_BACKEND}.create_stack", lambda stack, *_, **__: self._write(stack))
        follow(f"{_BACKEND}.update_stack", lambda stack, *_, **__: self._write(stack))
        intercept(f"{_BACKEND}.delete_stack", self._delete)

    def read(self) -> None:
        self._kept = {name: decode(text) for name, text in self._database.read("stack", "").items()}

    def physical_ids(self, *types: str) -> set[str]:
        """The physical ids of the resources of some types, of all stacks that `restore` will make."""
        resources = [resource for stack in self._kept.values() for resource in stack["resources"].values()]
        return {resource["ref"] for resource in resources if resource["type"] in types}

    def kept_resource(self, stack_id: str, logical_id: str) -> Created | None:
        """While stacks are restored: a resource that outlives the process by itself, as it was made at first."""
        stack = self._kept.get(stack_id.split(":stack/")[-1].split("/")[0])
        resource = stack and stack["resources"].get(logical_id)
        return Created(resource["ref"], resource["attributes"]) if resource else None

    def restore(self) -> None:
        """Make all stacks anew, in the order in which they were made first. Raises LocalAwsError."""
        for name, stack in sorted(self._kept.items(), key=lambda entry: entry[1]["order"]):
            try:
                self._aws.client("cloudformation").create_stack(
                    StackName=name,
                    TemplateBody=stack["template"],
                    Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in stack["parameters"].items()],
                    Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
                )
            except Exception as error:
                raise LocalAwsError(f"The stack {name} can't be restored: {error}. Begin anew with `reco up --fresh`.") from None
        self._kept = {}

    def _write(self, stack: Any) -> None:
        orders = [decode(text)["order"] for name, text in self._database.read("stack", "").items() if name != stack.name]
        before = self._database.read("stack", "").get(stack.name)
        resources = {
            logical_id: {
                "type": resource.cf_resource_type,
                "ref": resource.physical_resource_id,
                "attributes": _attributes(resource),
            }
            for logical_id, resource in stack.resource_map._parsed_resources.items()
            if hasattr(resource, "cf_resource_type")
        }
        row = {
            "order": decode(before)["order"] if before else max(orders, default=0) + 1,
            "template": stack.template,
            "parameters": {key: str(value) for key, value in (stack.parameters or {}).items()},
            "resources": resources,
        }
        self._database.write({("stack", "", stack.name): encode(row)})

    def _delete(self, delete_stack: Callable[..., None], backend: Any, name_or_id: str) -> None:
        name = next((stack.name for stack in backend.stacks.values() if name_or_id in (stack.name, stack.stack_id)), name_or_id)
        delete_stack(backend, name_or_id)
        self._database.write({("stack", "", name): None})


def _attributes(resource: Any) -> dict[str, Any]:
    """Those of a resource that outlives the process by itself: the others are made anew."""
    created = getattr(resource, "created", None)
    return dict(created.attributes) if created is not None and resource.provider.outlives else {}
