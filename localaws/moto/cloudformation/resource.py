"""moto's idea of a resource of a stack, carried out by a provider."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from botocore.exceptions import ClientError
from moto.cloudformation.exceptions import ValidationError
from moto.core.common_models import CloudFormationModel

from localaws.clients import Aws
from localaws.moto.cloudformation.provider import Created, Properties, Provider

#: What is kept of a resource while its stack is restored, by the stack's id and its logical id.
Kept = Callable[[str, str], Created | None]


class Resource(CloudFormationModel):
    """Subclasses, one for each provider, are made by `resource_class`."""

    aws: ClassVar[Aws]
    provider: ClassVar[Provider]
    kept: ClassVar[Kept]

    def __init__(self, created: Created, properties: Properties) -> None:
        self.created = created
        self.properties = properties

    @property
    def physical_resource_id(self) -> str:
        return self.created.ref

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    @staticmethod
    def cloudformation_type() -> str:
        return "localaws::Resource"

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return True

    def is_created(self) -> bool:
        return True

    def get_cfn_attribute(self, attribute_name: str) -> Any:
        if attribute_name not in self.created.attributes:
            raise ValidationError(message=f"{self.provider.type} has no attribute {attribute_name} here.")
        return self.created.attributes[attribute_name]

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
    ) -> Resource:
        properties = _named(cls.provider, cloudformation_json["Properties"], resource_name)
        cls.provider.check(properties)
        kept = cls.kept(kwargs["StackId"], kwargs["LogicalId"]) if cls.provider.outlives else None
        identity = _identity(cls.provider, kwargs)
        try:
            created = kept or cls.provider.create(cls.aws, {**properties, **identity})
        except ClientError as error:
            name = cls.provider.name_property
            if name in cloudformation_json["Properties"] or "AlreadyExists" not in error.response["Error"]["Code"]:
                raise
            # One that a deleted stack retained has the name: those that CloudFormation generates never collide.
            properties = {**properties, name: f"{properties[name][:-12]}{_random_end(cls.provider)}"}
            created = cls.provider.create(cls.aws, {**properties, **identity})
        return cls(created, properties)

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: Any,
        new_resource_name: str,
        cloudformation_json: Any,
        account_id: str,
        region_name: str,
    ) -> Resource:
        properties = dict(cloudformation_json["Properties"])
        cls.provider.check(properties)
        previous, name = original_resource.properties, cls.provider.name_property
        if name and name in previous:
            properties.setdefault(name, previous[name])
        return cls(cls.provider.update(cls.aws, original_resource.created, properties, previous), properties)

    def delete(self, account_id: str, region_name: str) -> None:
        self.provider.delete_if_there(self.aws, self.created, self.properties)


def _random_end(provider: Provider) -> str:
    end = secrets.token_hex(6)
    return end if provider.names_in_lower_case else end.upper()


def resource_class(aws: Aws, provider: Provider, kept: Kept) -> type[Resource]:
    name = re.sub(r"\W", "", provider.type)
    return type(name, (Resource,), {"aws": aws, "provider": provider, "kept": staticmethod(kept), "__module__": __name__})


def _identity(provider: Provider, kwargs: Mapping[str, Any]) -> Properties:
    """A custom resource's function is told which stack and resource it is called for."""
    return {"localaws": dict(kwargs)} if provider.type == "Custom::" else {}


def _named(provider: Provider, properties: Properties, generated: str) -> Properties:
    if not provider.name_property or provider.name_property in properties:
        return dict(properties)
    generated = generated.lower() if provider.names_in_lower_case else generated
    if len(generated) > provider.name_limit:
        generated = f"{generated[: provider.name_limit - 9]}-{hashlib.sha256(generated.encode()).hexdigest()[:8]}"
    return {**properties, provider.name_property: generated}
