"""The OpenAPI 3.1 document of the serving calls, made from the models that the function checks requests and builds answers with.

python -m reco.openapi docs/openapi.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema

from lambdas.recommend.api import Answer, RankingRequest, RecommendationRequest

REF = "#/components/schemas/{model}"
QUERY = ("user_id", "item_id", "num_results", "explain")


class ErrorDetail(BaseModel):
    """What was wrong; `field` names the parameter, where it is one."""

    code: str
    message: str
    field: str | None = None


class Error(BaseModel):
    """An error of a call."""

    error: ErrorDetail


class GatewayError(BaseModel):
    """API Gateway's own answer: no key or an unknown one, or more calls than the usage plan allows."""

    message: str = Field(description="for people")


def document() -> dict[str, Any]:
    """The document; equal code gives an equal document."""
    models = [(model, "validation") for model in (RankingRequest, Error, GatewayError)]
    _, schemas = models_json_schema([*models, (Answer, "serialization")], ref_template=REF)  # type: ignore[list-item]
    placement = {"name": "placement", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "recostack: recommendations", "version": "1"},
        "paths": {
            "/recommendations/{placement}": {
                "get": {
                    "operationId": "getRecommendations",
                    "summary": "Recommendations for a placement",
                    "parameters": [placement, *query_parameters()],
                    "responses": responses(),
                }
            },
            "/rankings/{placement}": {
                "post": {
                    "operationId": "postRanking",
                    "summary": "The given items in the order that suits the user",
                    "parameters": [placement],
                    "requestBody": {"required": True, "content": content("RankingRequest")},
                    "responses": responses(),
                }
            },
        },
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "x-api-key"}},
        },
        "security": [{"key": []}],
    }


def query_parameters() -> list[dict[str, Any]]:
    """Those with a meaning of their own, then all others: values for the filter, and `context.NAME`."""
    properties = RecommendationRequest.model_json_schema()["properties"]
    own = [{"name": name, "in": "query", "schema": without_null(properties[name])} for name in QUERY]
    others = {
        "name": "filter_values",
        "in": "query",
        "style": "form",
        "explode": True,
        "description": "values for the parameters of the filter, by their names; context.NAME is passed on as context",
        "schema": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
    }
    return [*own, others]


def without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A query parameter is absent rather than null."""
    kinds = [kind for kind in schema.get("anyOf", [schema]) if kind.get("type") != "null"]
    return {key: value for key, value in kinds[0].items() if key not in ("title", "default")}


def responses() -> dict[str, Any]:
    errors = {
        "400": ("a parameter breaks a rule", "Error"),
        "403": ("no key, or an unknown one", "GatewayError"),
        "404": ("the config has no such placement", "Error"),
        "429": ("more calls than the usage plan allows", "GatewayError"),
        "503": ("nothing is deployed yet", "Error"),
    }
    told = {status: {"description": why, "content": content(model)} for status, (why, model) in errors.items()}
    return {"200": {"description": "the list", "content": content("Answer")}, **told}


def content(model: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": REF.format(model=model)}}}


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(document(), indent=2) + "\n")
