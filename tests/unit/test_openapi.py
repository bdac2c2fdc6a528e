"""The checked-in OpenAPI document is what the code says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, validate

from tools.openapi import document


def test_the_document_is_up_to_date() -> None:
    assert json.loads(Path("docs/openapi.json").read_text()) == document(), "python -m tools.openapi docs/openapi.json"


def test_every_reference_resolves() -> None:
    text = Path("docs/openapi.json").read_text()
    schemas = json.loads(text)["components"]["schemas"]
    assert {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]} <= set(schemas)


def operations() -> list[Any]:
    return [pytest.param(made, id=made["operationId"]) for of_path in document()["paths"].values() for made in of_path.values()]


@pytest.mark.parametrize("operation", operations())
def test_each_operation_has_examples_that_its_schemas_allow(operation: dict[str, Any]) -> None:
    schemas = document()["components"]
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            assert parameter["example"]
    contents = [operation.get("requestBody", {}), *operation["responses"].values()]
    for content in (each.get("content", {}).get("application/json") for each in contents):
        if content is not None and {"$ref", "anyOf"} & set(content["schema"]):
            validate(content["example"], {**content["schema"], "components": schemas}, cls=Draft202012Validator)
