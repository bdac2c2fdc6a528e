"""A deployed REST API as the front serves it: routes, models, validators and gateway responses, read once per deployment."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import jsonschema

from localaws.clients import Aws


@dataclass
class Method:
    """One method of a resource, with the parts of the API that its requests are checked against."""

    resource_id: str
    resource_path: str
    settings: dict[str, Any]
    models: dict[str, jsonschema.Draft4Validator]  # by content type
    validates_body: bool
    validates_parameters: bool

    @property
    def integration(self) -> dict[str, Any]:
        return self.settings.get("methodIntegration") or {}


@dataclass
class _Node:
    """One segment of the resource tree."""

    methods: dict[str, Method] = field(default_factory=dict)
    fixed: dict[str, _Node] = field(default_factory=dict)
    parameter: tuple[str, _Node] | None = None
    greedy: tuple[str, _Node] | None = None


@dataclass
class Api:
    """A REST API at the time of a deployment."""

    api_id: str
    gateway_responses: dict[str, dict[str, Any]]
    _root: _Node

    @classmethod
    def load(cls, aws: Aws, api_id: str) -> Api:
        gateway = aws.client("apigateway")
        models = {model["name"]: model for model in gateway.get_models(restApiId=api_id)["items"]}
        schemas = {
            name: jsonschema.Draft4Validator(json.loads(model["schema"])) for name, model in models.items() if model.get("schema")
        }
        validators = {entry["id"]: entry for entry in gateway.get_request_validators(restApiId=api_id)["items"]}
        root = _Node()
        for resource in gateway.get_resources(restApiId=api_id, embed=["methods"], limit=500)["items"]:
            node = _node_at(root, resource["path"])
            for verb, settings in (resource.get("resourceMethods") or {}).items():
                checks = validators.get(settings.get("requestValidatorId"), {})
                node.methods[verb] = Method(
                    resource_id=resource["id"],
                    resource_path=resource["path"],
                    settings=settings,
                    models={
                        content_type: schemas[name]
                        for content_type, name in (settings.get("requestModels") or {}).items()
                        if name in schemas
                    },
                    validates_body=bool(checks.get("validateRequestBody")),
                    validates_parameters=bool(checks.get("validateRequestParameters")),
                )
        responses = gateway.get_gateway_responses(restApiId=api_id).get("items", [])
        return cls(
            api_id=api_id,
            gateway_responses={response["responseType"]: response for response in responses},
            _root=root,
        )

    def match(self, verb: str, segments: list[str]) -> tuple[Method, dict[str, str]] | None:
        """The method for a path (split, decoded) and its parameters. Fixed segments win over `{x}`, these over `{x+}`.

        An empty segment, as between two slashes, is no value of `{x}`: the path with one slash is another.
        """
        return _match(self._root, verb, segments)


def _node_at(root: _Node, path: str) -> _Node:
    node = root
    for segment in (part for part in path.split("/") if part):
        name = segment.strip("{}+")
        if segment.endswith("+}"):
            node.greedy = node.greedy or (name, _Node())
            node = node.greedy[1]
        elif segment.startswith("{"):
            node.parameter = node.parameter or (name, _Node())
            node = node.parameter[1]
        else:
            node = node.fixed.setdefault(segment, _Node())
    return node


def _match(node: _Node, verb: str, segments: list[str]) -> tuple[Method, dict[str, str]] | None:
    if not segments:
        method = node.methods.get(verb) or node.methods.get("ANY")
        return (method, {}) if method else None
    head, rest = segments[0], segments[1:]
    if head in node.fixed and (found := _match(node.fixed[head], verb, rest)):
        return found
    if node.parameter and head and (found := _match(node.parameter[1], verb, rest)):
        return found[0], {node.parameter[0]: head, **found[1]}
    if node.greedy and (found := _match(node.greedy[1], verb, [])):
        return found[0], {node.greedy[0]: "/".join(segments), **found[1]}
    return None
