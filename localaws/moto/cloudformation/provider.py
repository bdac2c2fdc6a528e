"""What makes, changes and deletes the resources of one CloudFormation type."""

from __future__ import annotations

import abc
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.model import Shape

from localaws.clients import Aws

_GONE = re.compile("NotFound|NoSuch|NonExistent|does not exist")

Properties = dict[str, Any]
Answer = dict[str, Any]
_Value = str | Callable[[Properties, Answer], Any]


@dataclass
class Created:
    """A resource that exists: its physical id (what Ref gives) and its attributes (what Fn::GetAtt gives)."""

    ref: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


class Provider(abc.ABC):
    """Makes resources of `type`. Subclasses override `create`, mostly `delete`, and `change` where replacing is not enough."""

    type: str
    name_property: str = ""  # the property that gets a generated name if the template has none
    fixed: tuple[str, ...] | None = None  # properties whose change replaces the resource; None: the name alone
    name_limit: int = 64
    names_in_lower_case: bool = False  # of those that are generated
    outlives: bool = False  # whether what it makes is there after a restart by itself, and is not made a second time
    not_emulated: tuple[str, ...] = ()  # properties, with dots between the levels, that a template may not have here

    def check(self, properties: Properties) -> None:
        """Raises ValueError for a property that has no effect here: what a template says is never dropped in silence."""
        for path in self.not_emulated:
            *above, last = path.split(".")
            places = [properties]
            for name in above:
                places = [entry for place in places for entry in _objects(place.get(name))]
            if any(place.get(last) for place in places):
                raise ValueError(f"the property {path} is not emulated")

    @abc.abstractmethod
    def create(self, aws: Aws, properties: Properties) -> Created: ...

    def update(self, aws: Aws, created: Created, properties: Properties, previous: Properties) -> Created:
        """Changes the resource in its place, or replaces it."""
        fixed = (self.name_property,) if self.fixed is None else self.fixed
        replaces = any(properties.get(name) != previous.get(name) for name in fixed)
        return (self.replace if replaces else self.change)(aws, created, properties, previous)

    def change(self, aws: Aws, created: Created, properties: Properties, previous: Properties) -> Created:
        return self.replace(aws, created, properties, previous)

    def replace(self, aws: Aws, created: Created, properties: Properties, previous: Properties) -> Created:
        """The old one goes first, since most names are fixed in the template."""
        self.delete_if_there(aws, created, previous)
        return self.create(aws, properties)

    def delete_if_there(self, aws: Aws, created: Created, properties: Properties) -> None:
        """Deletes the resource, which may have gone with another one already."""
        try:
            self.delete(aws, created, properties)
        except ClientError as error:
            if not _GONE.search(str(error)):
                raise

    def delete(self, aws: Aws, created: Created, properties: Properties) -> None:
        return None


def _objects(value: Any) -> list[Properties]:
    """The object that a property is, or those in its list."""
    return [entry for entry in (value if isinstance(value, list) else [value]) if isinstance(entry, dict)]


@dataclass
class ApiProvider(Provider):
    """A type whose resources are one API call each.

    `ref` and `attributes` are members of the answer, or made of properties and answer; without a `ref` it is the name.
    `delete_parameter` is what the operation that deletes calls the ref, where that is no property.
    """

    type: str
    service: str
    create_operation: str
    ref: _Value = ""
    name_property: str = ""
    attributes: Mapping[str, _Value] = field(default_factory=dict)
    prepare: Callable[[Properties], Properties] = dict
    update_operation: str = ""  # takes the same parameters as creating
    delete_operation: str = ""
    delete_parameter: str = ""
    name_limit: int = 64
    outlives: bool = False
    not_emulated: tuple[str, ...] = ()

    def create(self, aws: Aws, properties: Properties) -> Created:
        return self._put(aws, self.create_operation, properties)

    def change(self, aws: Aws, created: Created, properties: Properties, previous: Properties) -> Created:
        if not self.update_operation:
            return self.replace(aws, created, properties, previous)
        updated = self._put(aws, self.update_operation, properties)
        return Created(created.ref, {**created.attributes, **updated.attributes})

    def delete(self, aws: Aws, created: Created, properties: Properties) -> None:
        if self.delete_operation:
            named = {self.delete_parameter: created.ref} if self.delete_parameter else {}
            call(aws, self.service, self.delete_operation, {**properties, **named})

    def _put(self, aws: Aws, operation: str, properties: Properties) -> Created:
        answer = call(aws, self.service, operation, self.prepare(properties))

        def found(value: _Value) -> Any:
            return answer[value] if isinstance(value, str) else value(properties, answer)

        attributes = {name: found(value) for name, value in self.attributes.items()}
        return Created(str(found(self.ref) if self.ref else properties[self.name_property]), attributes)


@dataclass
class Accepted(Provider):
    """A type without an effect on one machine: access policies that nothing here enforces, account-wide settings."""

    type: str
    name_property: str = ""
    attributes: tuple[str, ...] = ()

    def create(self, aws: Aws, properties: Properties) -> Created:
        ref = str(properties.get(self.name_property) or self.type.rsplit("::", 1)[-1])
        arn = f"arn:aws:{self.type.split('::')[1].lower()}:{aws.region}:{aws.account}:{ref}"
        return Created(ref, {name: arn if name.endswith("Arn") else ref for name in self.attributes})


def call(aws: Aws, service: str, operation: str, parameters: Properties) -> Answer:
    """Calls an API operation with a CloudFormation property tree."""
    client = aws.client(service)
    shape = client.meta.service_model.operation_model(operation).input_shape
    answer: Answer = getattr(client, xform_name(operation))(**(fit(parameters, shape) if shape else {}))
    return answer


def fit(value: Any, shape: Shape) -> Any:
    """A CloudFormation property tree as parameters of the given shape.

    Names may differ in the first letter's case; what the operation doesn't know is dropped; scalars become what the shape
    wants; lists of Key and Value become maps where the shape is one; documents become JSON text where the shape is a string.
    """
    kind = shape.type_name
    if kind == "structure":
        members = {name.lower(): name for name in shape.members}  # type: ignore[attr-defined]
        known = {members[key.lower()]: entry for key, entry in value.items() if key.lower() in members and entry is not None}
        return {name: fit(entry, shape.members[name]) for name, entry in known.items()}  # type: ignore[attr-defined]
    if kind == "list":
        return [fit(entry, shape.member) for entry in (value if isinstance(value, list) else [value])]  # type: ignore[attr-defined]
    if kind == "map":
        pairs = {tag["Key"]: tag["Value"] for tag in value} if isinstance(value, list) else value
        return {key: fit(entry, shape.value) for key, entry in pairs.items()}  # type: ignore[attr-defined]
    return _scalar(value, kind)


def _scalar(value: Any, kind: str) -> Any:
    if kind == "string":
        return text(value)
    if kind in ("integer", "long"):
        return int(value)
    if kind in ("float", "double"):
        return float(value)
    if kind == "boolean":
        return value if isinstance(value, bool) else str(value).lower() == "true"
    return value


def text(value: Any) -> str:
    """A property as the string that the service gets."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return json.dumps(value)
    return str(value)


def tags_of(properties: Properties) -> list[dict[str, str]]:
    """The Tags property as a list of Key and Value, whichever of its two forms the type uses."""
    tags = properties.get("Tags") or []
    return [{"Key": key, "Value": str(value)} for key, value in tags.items()] if isinstance(tags, dict) else tags
