"""Connects the providers with moto's CloudFormation: which class makes a type, in which order, and how failures are told."""

from __future__ import annotations

import copy
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from graphlib import TopologicalSorter
from typing import Any

from botocore.exceptions import ClientError
from moto.cloudformation import parsing
from moto.cloudformation.exceptions import ValidationError
from moto.core.common_models import CloudFormationModel

from localaws.clients import Aws
from localaws.moto.cloudformation.provider import Created, Properties, Provider
from localaws.moto.patching import locate, replace, wrap

_PARSING = "moto.cloudformation.parsing"
_STACK = "moto.cloudformation.models:Stack"
_SUBSTITUTION = re.compile(r"\$\{([^!}.]+)[^}]*\}")


class ResourceFailed(ValidationError):
    """Names the resource that could not be made, changed or deleted, and the service's reason."""

    def __init__(self, logical_id: str, resource_type: str, reason: str) -> None:
        super().__init__(message=f"{logical_id} ({resource_type}): {reason}")


def install(aws: Aws, providers: Iterable[Provider]) -> None:
    """Makes moto's CloudFormation use `providers`, and refuse the types that neither they nor moto know."""
    by_type = {provider.type: provider for provider in providers}
    models = {name: _model(aws, provider) for name, provider in by_type.items()}
    custom = models.pop("Custom::")

    def class_of(resource_type: str) -> Any:
        if resource_type.startswith("Custom::"):
            return custom
        model = models.get(resource_type) or parsing.get_model_map().get(resource_type)
        if model is None and resource_type not in parsing.NULL_MODELS:
            raise ValidationError(message=f"{resource_type} is a resource type that the embedded AWS does not have.")
        return model

    original_name_property = locate(f"{_PARSING}:resource_name_property_from_type")[2]

    def name_property_of(resource_type: str) -> Any:
        provider = by_type.get(resource_type)
        return provider.name_property if provider else original_name_property(resource_type)

    replace(f"{_PARSING}:resource_class_from_type", class_of)
    replace(f"{_PARSING}:resource_name_property_from_type", name_property_of)
    wrap(f"{_PARSING}:parse_and_create_resource", _telling_failures)
    replace(f"{_PARSING}:ResourceMap._ResourceMap__get_resources_in_dependency_order", _creation_order)
    replace(f"{_PARSING}:ResourceMap.update", _update)
    replace(f"{_PARSING}:ResourceMap.delete", _delete)
    wrap(f"{_STACK}.create_resources", _with_status("CREATE_FAILED"))
    wrap(f"{_STACK}.update", _with_status("UPDATE_FAILED"))


def _model(aws: Aws, provider: Provider) -> type[CloudFormationModel]:
    """moto's idea of a resource, carried out by the provider."""

    class Resource(CloudFormationModel):
        __module__ = "localaws.cloudformation"  # moto's base class takes a service name out of it

        def __init__(self, created: Created, properties: Properties) -> None:
            self.created = created
            self.properties = properties

        @property
        def physical_resource_id(self) -> str:
            return self.created.ref

        @staticmethod
        def cloudformation_name_type() -> str:
            return provider.name_property

        @staticmethod
        def cloudformation_type() -> str:
            return provider.type

        @classmethod
        def has_cfn_attr(cls, attr: str) -> bool:
            return True

        def is_created(self) -> bool:
            return True

        def get_cfn_attribute(self, attribute_name: str) -> Any:
            if attribute_name not in self.created.attributes:
                raise ValidationError(message=f"{provider.type} has no attribute {attribute_name} here.")
            return self.created.attributes[attribute_name]

        @classmethod
        def create_from_cloudformation_json(
            cls,
            resource_name: str,
            cloudformation_json: Any,
            account_id: str,
            region_name: str,
            **kwargs: Any,
        ) -> Any:
            properties = _named(provider, cloudformation_json["Properties"], resource_name)
            return cls(provider.create(aws, {**properties, **_identity(provider, kwargs)}), properties)

        @classmethod
        def update_from_cloudformation_json(
            cls,
            original_resource: Any,
            new_resource_name: str,
            cloudformation_json: Any,
            account_id: str,
            region_name: str,
        ) -> Any:
            properties = dict(cloudformation_json["Properties"])
            previous = original_resource.properties
            if provider.name_property and provider.name_property in previous:
                properties.setdefault(provider.name_property, previous[provider.name_property])
            created = provider.update(aws, original_resource.created, properties, previous)
            return cls(created, properties)

        def delete(self, account_id: str, region_name: str) -> None:
            try:
                provider.delete(aws, self.created, self.properties)
            except ClientError as error:
                if not re.search("NotFound|NoSuch|NonExistent|does not exist", str(error)):
                    raise

    return Resource


def _identity(provider: Provider, kwargs: Mapping[str, Any]) -> Properties:
    """A custom resource's function is told which stack and resource it is called for."""
    return {"localaws": dict(kwargs)} if provider.type == "Custom::" else {}


def _named(provider: Provider, properties: Properties, generated: str) -> Properties:
    if not provider.name_property or provider.name_property in properties:
        return dict(properties)
    if len(generated) > provider.name_limit:
        generated = f"{generated[: provider.name_limit - 9]}-{secrets.token_hex(4)}"
    return {**properties, provider.name_property: generated}


def _telling_failures(create: Callable[..., Any]) -> Callable[..., Any]:
    def parse_and_create(logical_id: str, resource_json: Any, resources_map: Any, account_id: str, region_name: str) -> Any:
        resource = _attempt(
            logical_id,
            resource_json,
            create,
            logical_id,
            resource_json,
            resources_map,
            account_id,
            region_name,
        )
        if resource is not None:
            _applied(resources_map)[logical_id] = _resolved(resource_json, resources_map)
        return resource

    return parse_and_create


def _attempt(logical_id: str, resource_json: Any, action: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return action(*arguments)
    except ResourceFailed:
        raise
    except ClientError as error:
        detail = error.response["Error"]
        reason = f"{detail.get('Code')}: {detail.get('Message')} ({error.operation_name})"
        raise ResourceFailed(logical_id, resource_json["Type"], reason) from error
    except Exception as error:
        reason = getattr(error, "message", None) or f"{type(error).__name__}: {error}"
        raise ResourceFailed(logical_id, resource_json["Type"], str(reason)) from error


def _applied(resources_map: Any) -> dict[str, Any]:
    """The resolved properties with which each resource of a stack was last made or changed."""
    applied: dict[str, Any] = resources_map.__dict__.setdefault("localaws_applied", {})
    return applied


def _resolved(resource_json: Any, resources_map: Any) -> Any:
    return parsing.clean_json(copy.deepcopy(resource_json.get("Properties") or {}), resources_map)


def _order(resources: Mapping[str, Any]) -> list[str]:
    graph = {name: _references(resource) & resources.keys() - {name} for name, resource in resources.items()}
    return list(TopologicalSorter(graph).static_order())


def _references(node: Any) -> set[str]:
    """The logical ids that a part of a template mentions."""
    if isinstance(node, list):
        return set().union(*map(_references, node)) if node else set()
    if not isinstance(node, dict):
        return set()
    found: set[str] = set()
    for key, value in node.items():
        if key == "Ref" and isinstance(value, str):
            found.add(value)
        elif key == "Fn::GetAtt":
            found.add(value[0] if isinstance(value, list) else str(value).split(".")[0])
        elif key == "DependsOn":
            found.update([value] if isinstance(value, str) else value)
        else:
            if key == "Fn::Sub":
                found.update(_SUBSTITUTION.findall(value if isinstance(value, str) else value[0]))
            found |= _references(value)
    return found


def _creation_order(resources_map: Any) -> list[str]:
    return _order(resources_map._resource_json_map)


def _update(resources_map: Any, template: dict[str, Any], parameters: dict[str, Any] | None = None) -> None:
    """Brings a stack to a new template: what is new is made, what has changed once resolved is changed, the rest deleted."""
    old, new = resources_map._resource_json_map, template["Resources"]
    _check_types(new)
    resources_map._template = template
    if parameters:
        resources_map.input_parameters = parameters
    resources_map.load_mapping()
    resources_map.load_parameters()
    resources_map.load_conditions()
    resources_map._resource_json_map = {**old, **new}
    wanted = [name for name in _order(new) if _is_wanted(new[name], resources_map)]
    for name in wanted:
        _make_or_change(name, new[name], resources_map)
    gone = [name for name in _order(old) if name not in wanted]
    _delete_all(resources_map, old, reversed(gone))
    resources_map._resource_json_map = new


def _is_wanted(resource_json: Any, resources_map: Any) -> bool:
    condition = resource_json.get("Condition")
    return not condition or bool(resources_map.lazy_condition_map[condition])


def _make_or_change(name: str, resource_json: Any, resources_map: Any) -> None:
    if name not in resources_map._parsed_resources:
        _ = resources_map[name]
        return
    resolved = _attempt(name, resource_json, _resolved, resource_json, resources_map)
    if resolved == _applied(resources_map).get(name):
        return
    arguments = (
        name,
        copy.deepcopy(resource_json),
        resources_map,
        resources_map._account_id,
        resources_map._region_name,
    )
    changed = _attempt(name, resource_json, parsing.parse_and_update_resource, *arguments)
    if changed is not None:
        resources_map._parsed_resources[name] = changed
    _applied(resources_map)[name] = resolved


def _delete(resources_map: Any) -> None:
    resources = resources_map._resource_json_map
    _delete_all(resources_map, resources, reversed(_order(resources)))


def _delete_all(resources_map: Any, resources: Mapping[str, Any], names: Iterable[str]) -> None:
    """Deletes resources and forgets them; those with a Retain policy are only forgotten."""
    for name in names:
        resource = resources_map._parsed_resources.get(name)
        if resource is not None and resources[name].get("DeletionPolicy") not in (
            "Retain",
            "RetainExceptOnCreate",
        ):
            _attempt(name, resources[name], resources_map._delete_resource, resource, resources[name])
        resources_map._parsed_resources.pop(name, None)
        _applied(resources_map).pop(name, None)


def _check_types(resources: Mapping[str, Any]) -> None:
    for name, resource in resources.items():
        _attempt(name, resource, parsing.resource_class_from_type, resource["Type"])


def _with_status(failed: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A failure leaves the stack with the status `failed`, and an event with the reason."""

    def around(action: Callable[..., Any]) -> Callable[..., Any]:
        def run(stack: Any, *arguments: Any, **options: Any) -> Any:
            try:
                if failed.startswith("CREATE"):
                    _check_types(stack.template_dict["Resources"])
                return action(stack, *arguments, **options)
            except Exception as error:
                stack.status = failed
                stack._add_stack_event(failed, resource_status_reason=getattr(error, "message", str(error)))
                raise

        return run

    return around
