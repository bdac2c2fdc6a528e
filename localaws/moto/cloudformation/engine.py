"""Connects the providers with moto's CloudFormation: which class makes a type, in which order, and how failures are told."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from graphlib import TopologicalSorter
from typing import Any, NamedTuple

from botocore.exceptions import ClientError
from moto.cloudformation import parsing
from moto.cloudformation.exceptions import ValidationError

from localaws.clients import Aws
from localaws.moto.cloudformation.provider import Provider
from localaws.moto.cloudformation.resource import Kept, resource_class
from localaws.patching import intercept, locate, replace, wrap

_PARSING = "moto.cloudformation.parsing"
_STACK = "moto.cloudformation.models:Stack"
_BACKEND = "moto.cloudformation.models:CloudFormationBackend"
_SUBSTITUTION = re.compile(r"\$\{([^!}.]+)[^}]*\}")


class _NothingChanged(ValidationError):
    """CloudFormation's answer to an update that would do nothing."""

    def __init__(self) -> None:
        super().__init__(message="No updates are to be performed.")


class ResourceFailed(ValidationError):
    """Names the resource that could not be made, changed or deleted, and the service's reason."""

    def __init__(self, logical_id: str, resource_type: str, reason: str) -> None:
        super().__init__(message=f"{logical_id} ({resource_type}): {reason}")


def install(aws: Aws, providers: Iterable[Provider], kept: Kept) -> None:
    """Makes moto's CloudFormation use `providers`, and refuse the types that neither they nor moto know."""
    by_type = {provider.type: provider for provider in providers}
    models = {name: resource_class(aws, provider, kept) for name, provider in by_type.items()}
    custom = models.pop("Custom::")

    def class_of(resource_type: str) -> Any:
        if resource_type.startswith("Custom::") or resource_type == "AWS::CloudFormation::CustomResource":
            return custom
        model = models.get(resource_type) or parsing.get_model_map().get(resource_type)
        if model is None and resource_type not in parsing.NULL_MODELS:
            raise ValidationError(message=f"{resource_type} is a resource type that the local AWS environment does not have.")
        return model

    original_name_property = locate(f"{_PARSING}:resource_name_property_from_type")[2]

    def name_property_of(resource_type: str) -> Any:
        provider = by_type.get(resource_type)
        return provider.name_property if provider else original_name_property(resource_type)

    replace(f"{_PARSING}:resource_class_from_type", class_of)
    replace(f"{_PARSING}:resource_name_property_from_type", name_property_of)
    intercept(f"{_PARSING}:parse_and_create_resource", _create)
    replace(f"{_PARSING}:ResourceMap._ResourceMap__get_resources_in_dependency_order", _creation_order)
    replace(f"{_PARSING}:ResourceMap.update", _update)
    replace(f"{_PARSING}:ResourceMap.delete", _delete)
    parse_by_moto = locate(f"{_STACK}.parse_template")[2]
    replace(f"{_STACK}.parse_template", staticmethod(partial(_parse, parse_by_moto)))
    intercept(f"{_STACK}.create_resources", _create_stack)
    intercept(f"{_STACK}.update", _update_stack)
    intercept(f"{_BACKEND}.delete_stack", _delete_stack)
    wrap(f"{_STACK}.outputs", _without_those_of_half_a_stack)


def _parse(parse_by_moto: Callable[[str], Any], template: str) -> Any:
    """moto reads every template as YAML, which takes seconds for a large one; CDK writes JSON."""
    return json.loads(template) if template.lstrip().startswith("{") else parse_by_moto(template)


def _create(by_moto: Callable[..., Any], logical_id: str, resource_json: Any, resources_map: Any, **place: str) -> Any:
    """Makes a resource, and keeps the properties with which it was made. Raises ResourceFailed."""
    resource = _attempt(logical_id, resource_json, by_moto, logical_id, resource_json, resources_map, **place)
    if resource is not None:
        _applied(resources_map)[logical_id] = _resolved(resource_json, resources_map)
    return resource


def _attempt(logical_id: str, resource_json: Any, action: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    try:
        return action(*arguments, **named)
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


class _Plan(NamedTuple):
    """What an update has to do: the names of the resources to keep or make, in the order of making, and of those to delete."""

    wanted: list[str]
    retyped: list[str]  # of another type than before: deleted first, then made
    gone: list[str]  # deleted last, in the reverse order of making


def _update(resources_map: Any, template: dict[str, Any], parameters: dict[str, Any] | None = None) -> None:
    """Brings a stack to a new template: what is new is made, what has changed once resolved is changed, the rest deleted."""
    old, outputs_before = resources_map._resource_json_map, resources_map._template.get("Outputs")
    new = template["Resources"]
    _check_types(new)
    _read_template(resources_map, template, parameters)
    plan = _plan(resources_map, old, new)
    resources_map._resource_json_map = {**old, **new}  # while it is carried out, both can be referred to
    _delete_all(resources_map, old, plan.retyped)
    changed = [name for name in plan.wanted if _make_or_change(name, new[name], resources_map)]
    _delete_all(resources_map, old, plan.gone)
    resources_map._resource_json_map = new
    if not changed and not plan.gone and outputs_before == template.get("Outputs"):
        raise _NothingChanged


def _read_template(resources_map: Any, template: dict[str, Any], parameters: dict[str, Any] | None) -> None:
    """The template's parameters, mappings and conditions, in the place of those before."""
    resources_map._template = template
    if parameters:
        resources_map.input_parameters = parameters
    resources_map.load_mapping()
    resources_map.load_parameters()
    resources_map.load_conditions()


def _plan(resources_map: Any, old: Mapping[str, Any], new: Mapping[str, Any]) -> _Plan:
    wanted = [name for name in _order(new) if _is_wanted(new[name], resources_map)]
    retyped = [name for name in wanted if name in old and old[name]["Type"] != new[name]["Type"]]
    gone = [name for name in reversed(_order(old)) if name not in wanted and name in resources_map._parsed_resources]
    return _Plan(wanted, retyped, gone)


def _is_wanted(resource_json: Any, resources_map: Any) -> bool:
    condition = resource_json.get("Condition")
    return not condition or bool(resources_map.lazy_condition_map[condition])


def _make_or_change(name: str, resource_json: Any, resources_map: Any) -> bool:
    """Whether there was anything to do."""
    if name not in resources_map._parsed_resources:
        return resources_map[name] is not None
    resolved = _attempt(name, resource_json, _resolved, resource_json, resources_map)
    if resolved == _applied(resources_map).get(name):
        return False
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
    return True


def _delete(resources_map: Any) -> None:
    resources = resources_map._resource_json_map
    _delete_all(resources_map, resources, reversed(_order(resources)))


def _delete_all(resources_map: Any, resources: Mapping[str, Any], names: Iterable[str]) -> None:
    """Deletes resources and forgets them; those with a policy that retains are only forgotten."""
    for name in names:
        resource = resources_map._parsed_resources.get(name)
        retained = _is_retained(resources[name].get("DeletionPolicy"), resources_map)
        if resource is not None and not retained:
            _attempt(name, resources[name], resources_map._delete_resource, resource, resources[name])
        resources_map._parsed_resources.pop(name, None)
        _applied(resources_map).pop(name, None)


def _is_retained(policy: str | None, resources_map: Any) -> bool:
    """`RetainExceptOnCreate` retains nothing of a stack whose creation failed; `Retain` does, and its names stay taken.

    docs: AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html
    """
    creation_failed = bool(resources_map.__dict__.get("localaws_creation_failed"))
    return policy == "Retain" or (policy == "RetainExceptOnCreate" and not creation_failed)


def _check_types(resources: Mapping[str, Any]) -> None:
    for name, resource in resources.items():
        _attempt(name, resource, parsing.resource_class_from_type, resource["Type"])


def _without_those_of_half_a_stack(outputs: Any) -> Any:
    """A stack that could not be made has no outputs; they would refer to what is not there."""
    return property(
        lambda stack: (
            None
            if stack.status in ("CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED")
            else outputs.fget(stack)
        )
    )


def _delete_stack(by_moto: Callable[..., None], backend: Any, name_or_id: str) -> None:
    """A stack whose deletion failed stays, DELETE_FAILED, with what could not be deleted: moto forgets it beforehand."""
    before = dict(backend.stacks)
    try:
        by_moto(backend, name_or_id)
    except Exception as error:
        for stack in before.values():
            if stack.stack_id not in backend.stacks:
                stack.status = "DELETE_FAILED"
                stack._add_stack_event("DELETE_FAILED", resource_status_reason=getattr(error, "message", str(error)))
                backend.stacks[stack.stack_id] = stack
        raise


def _create_stack(create_resources: Callable[..., Any], stack: Any) -> Any:
    def checked(stack: Any) -> Any:
        _check_types(stack.template_dict["Resources"])
        return create_resources(stack)

    try:
        return _with_status("CREATE_FAILED", checked, stack)
    except Exception:
        _roll_back(stack)
        raise


def _roll_back(stack: Any) -> None:
    """Deletes what was made of a stack that could not be made, but for what its policy retains.

    docs: AWSCloudFormation/latest/UserGuide/view-stack-events.html
    """
    stack._add_stack_event("ROLLBACK_IN_PROGRESS")
    try:
        _delete(stack.resource_map)
    except Exception as error:
        stack.status = "ROLLBACK_FAILED"
        stack._add_stack_event(stack.status, resource_status_reason=getattr(error, "message", str(error)))
        return
    stack.status = "ROLLBACK_COMPLETE"
    stack._add_stack_event(stack.status)


def _update_stack(update: Callable[..., Any], stack: Any, *arguments: Any, **options: Any) -> Any:
    """docs: AWSCloudFormation/latest/UserGuide/troubleshooting.html"""
    if stack.status.startswith(("ROLLBACK_", "CREATE_FAILED")):
        raise ValidationError(message=f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated.")
    return _with_status("UPDATE_FAILED", update, stack, *arguments, **options)


def _with_status(failed: str, action: Callable[..., Any], stack: Any, *arguments: Any, **options: Any) -> Any:
    """A failure leaves the stack with the status `failed`, and an event with the reason."""
    try:
        return action(stack, *arguments, **options)
    except _NothingChanged:
        raise
    except Exception as error:
        stack.status = failed
        stack.resource_map.__dict__["localaws_creation_failed"] = failed.startswith("CREATE")
        stack._add_stack_event(failed, resource_status_reason=getattr(error, "message", str(error)))
        raise
