"""What all families of operations share: records, life cycles, quotas, and the rules of creating."""

import secrets
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from personalize_emulator.calls import Calls
from personalize_emulator.capacity import Capacity
from personalize_emulator.clock import Clock, Timers
from personalize_emulator.errors import (
    InvalidInput,
    ResourceAlreadyExists,
    ResourceInUse,
    ResourceNotFound,
    TooManyTags,
)
from personalize_emulator.faults import Faults
from personalize_emulator.jobs.runner import JobRunner
from personalize_emulator.quotas import Quotas, RateLimiter
from personalize_emulator.resources.lifecycle import LifeCycle
from personalize_emulator.resources.records import Resource, ResourceStore
from personalize_emulator.resources.stores import DatasetStores
from personalize_emulator.resources.types import TYPES

Request = Mapping[str, Any]
Operation = Callable[[Request], dict[str, Any] | None]


def new_id() -> str:
    """Eight hexadecimal digits, as in the ARN of a solution version."""
    return secrets.token_hex(4)


def upkeep_key(resource: Resource) -> str:
    """The key of the job that makes a newer model for a resource."""
    return f"{resource.arn}#upkeep"


@dataclass
class Context:
    """The shared parts of one emulator."""

    account: str
    region: str
    directory: Path
    store: ResourceStore
    stores: DatasetStores
    clock: Clock
    timers: Timers
    runner: JobRunner
    lifecycle: LifeCycle
    faults: Faults
    quotas: Quotas = field(default_factory=Quotas)
    rates: RateLimiter = field(default_factory=RateLimiter)
    capacity: Capacity = field(default_factory=Capacity)
    calls: Calls = field(default_factory=Calls)
    s3_root: Path | None = None
    """A folder in the place of S3."""

    def arn(self, path: str) -> str:
        return f"arn:aws:personalize:{self.region}:{self.account}:{path}"

    def find(self, resource_type: str, arn: str) -> Resource:
        """The resource of this type and ARN.

        Raises ResourceNotFound.
        """
        resource = self.store.get(arn)
        if resource is None or resource.type != resource_type:
            raise ResourceNotFound(f"Resource Arn {arn} does not exist.")
        return resource

    def find_active(self, resource_type: str, arn: str) -> Resource:
        """The resource, if it is ACTIVE.

        Raises ResourceNotFound, ResourceInUse while it is on its way, InvalidInput where it has failed.
        """
        resource = self.find(resource_type, arn)
        if resource.status == "ACTIVE" or (resource.status or "").startswith("UPDATE"):
            return resource
        # Guess: what must be ACTIVE is in use while it is on its way, and an invalid input once it has failed.
        text = f"Resource Arn {arn} must be ACTIVE, and its status is {resource.status}"
        if resource.in_transition:
            raise ResourceInUse(text)
        raise InvalidInput(text)

    def in_transition(self, resource_type: str, *, group: str | None = None, parent: str | None = None) -> list[Resource]:
        return [
            r
            for r in self.store.of_type(resource_type, group=group, parent=parent)
            if "status" in r.transitions and not (r.status or "").startswith("DELETE")
        ]

    def create(
        self,
        resource_type: str,
        path: str,
        request: Request,
        *,
        group: str | None,
        parent: str | None = None,
        fields: Mapping[str, Any] | None = None,
        internal: Mapping[str, Any] | None = None,
        course: str | None = "create",
        job: dict[str, Any] | None = None,
    ) -> Resource:
        """A new resource with the request's members, on its way to ACTIVE, or there already without a course.

        Raises ResourceAlreadyExists, TooManyTags, InvalidInput for tags that cannot be.
        """
        kind = TYPES[resource_type]
        name = request.get(kind.name_member) or ""
        arn = self.arn(path)
        if self.store.get(arn) is not None:
            raise ResourceAlreadyExists(f"Another resource with Arn {arn} already exists. Please specify a different name.")
        tags = self.checked_tags({}, request.get("tags", []))
        now = self.clock.now()
        members = {k: v for k, v in request.items() if k not in ("name", "jobName", "tags", "datasetGroupArn")}
        resource = Resource(
            resource_type,
            arn,
            name,
            created=now,
            updated=now,
            group=group,
            parent=parent,
            fields=members | dict(fields or {}),
            internal={"id": new_id()} | dict(internal or {}),
            tags=tags,
        )
        fail = self.faults.creation_failure(f"Create{kind.operation_suffix}")
        if course:
            self.lifecycle.begin(resource, course, job=job, fail=fail)
        else:
            resource.status = "CREATE FAILED" if fail else "ACTIVE"
            resource.fields |= {"failureReason": fail} if fail else {}
            self.store.put(resource)
        return resource

    def delete(self, resource: Resource) -> None:
        """Put a resource on its way out.

        Raises ResourceInUse if it is not ACTIVE, nor failed, nor stopped.
        """
        if resource.in_transition:
            raise ResourceInUse(f"Resource Arn {resource.arn} cannot be deleted while it is {self.state_of(resource)}")
        self.lifecycle.begin(resource, "delete")

    @staticmethod
    def state_of(resource: Resource) -> str:
        """The transitional status that a resource, or its update, is in."""
        on = next(iter(resource.transitions), "status")
        return str(resource.status if on == "status" else resource.fields[on]["status"])

    def refuse_while(self, resource: Resource, users: list[Resource]) -> None:
        """Raises ResourceInUse if there is anything that uses the resource."""
        if users:
            named = ", ".join(user.arn for user in users[:3])
            raise ResourceInUse(f"Resource Arn {resource.arn} cannot be deleted: it is in use by {named}")

    def checked_tags(self, present: Mapping[str, str], added: list[Mapping[str, str]]) -> dict[str, str]:
        """The present tags with some added.

        Raises InvalidInput for a key given twice or reserved, TooManyTags.
        """
        keys = [tag["tagKey"] for tag in added]
        for key in keys:
            if keys.count(key) > 1:
                raise InvalidInput(f"Tag key '{key}' is given more than once")
            if key.lower().startswith("aws:"):
                raise InvalidInput(f"Tag key '{key}' must not begin with 'aws:'")
        tags = dict(present) | {tag["tagKey"]: tag["tagValue"] for tag in added}
        if len(tags) > self.quotas.tags_per_resource:
            raise TooManyTags(f"A resource can have at most {self.quotas.tags_per_resource} tags, not {len(tags)}")
        return tags

    def data_of(self, group: str) -> dict[str, Any]:
        """How a job in a child process opens the data of a dataset group, and S3."""
        return {
            "directory": str(self.stores.directory(group)),
            "schemas": self.stores.schema_texts(group),
            "s3_root": str(self.s3_root) if self.s3_root else None,
        }

    def new_output(self) -> dict[str, str]:
        """For a job that writes to S3: the folder for what it is going to write."""
        return {"output": str(self.directory / "output" / new_id())}

    def new_model(self, resource: Resource) -> str:
        """The directory for the next model of a solution version or recommender; models that nothing reads are deleted."""
        self.runner.cancel(upkeep_key(resource))
        under_way = [t.job for r in self.store.all() for t in r.transitions.values() if t.job]
        read = {resource.internal.get("model"), *(job.get(member) for job in under_way for member in ("model", "base"))}
        folder = self.directory / "models" / resource.internal["id"]
        for model in folder.glob("*"):
            if str(model) not in read:
                shutil.rmtree(model, ignore_errors=True)
        number = resource.internal["models"] = resource.internal.get("models", 0) + 1
        return str(folder / str(number))

    def discard_models(self, resource: Resource) -> None:
        self.runner.cancel(upkeep_key(resource))
        shutil.rmtree(self.directory / "models" / resource.internal["id"], ignore_errors=True)

    def discard_all_files(self) -> None:
        """The models, and what was to be written to S3."""
        for folder in ("models", "output"):
            shutil.rmtree(self.directory / folder, ignore_errors=True)
