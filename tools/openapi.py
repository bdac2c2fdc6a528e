"""The OpenAPI 3.1 document of the API, made from the models with which requests are checked and answers built.

python -m tools.openapi docs/openapi.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema

from lambdas.config.events import MAX_BATCH, Event
from lambdas.serving.recommend.api import Answer, BatchAnswer, RankingRequest, RecommendationRequest

_EXAMPLES = Path(__file__).with_name("openapi_examples.yaml")
_REF = "#/components/schemas/{model}"
_QUERY = ("user_id", "item_id", "session_id", "num_results", "explain")
#: Ids in paths: what Personalize takes (personalize/latest/dg/limits.html).
_PATH_ID = {"type": "string", "minLength": 1, "maxLength": 256}
_EVERYBODY: list[dict[str, list[str]]] = [{}]


class ErrorDetail(BaseModel):
    """What was wrong; `field` names what is to blame, where it is one thing."""

    code: str
    message: str
    field: str | None = None


class Error(BaseModel):
    """An error of a call."""

    error: ErrorDetail


class Events(BaseModel):
    """Events of any users and sessions, in the order in which they happened."""

    events: list[Event] = Field(min_length=1, max_length=MAX_BATCH)


class EventsAnswer(BaseModel):
    """How many events were taken, and the places of those that were not: send these again."""

    accepted: int
    failed: list[int]


class RecordAnswer(BaseModel):
    """The record was taken."""

    accepted: int


class Record(BaseModel):
    """The columns of the dataset's schema, without the id; a put replaces the whole record."""

    model_config = {"extra": "allow", "json_schema_extra": {"minProperties": 1}}


class Changes(BaseModel):
    """Columns of the dataset's schema that get another value, or none (null); those of a record that was put or imported."""

    model_config = {"extra": "allow", "json_schema_extra": {"minProperties": 1}}


class ErasureAnswer(BaseModel):
    """The user's id, and when the erasure began (milliseconds since 1970)."""

    user_id: str
    erased_at: int


GIVEN = (RankingRequest, Error, Events, Record, Changes)
_ANSWERED = (Answer, BatchAnswer, EventsAnswer, RecordAnswer, ErasureAnswer)
_WHY = {
    "400": "something breaks a rule; `field` names it",
    "403": "no key or an unknown one, or no signature",
    "404": "there is no such thing",
    "413": "too large: a request may have 10 MB, an event 1 MB, the events of a call 5 MB",
    "415": "the content type is not application/json",
    "429": "more calls than are allowed",
    "503": "can't be answered right now; for events, `failed` names those to send again where some were taken",
}


def document() -> dict[str, Any]:
    """The document; equal code gives an equal document."""
    models = [(model, "validation") for model in GIVEN] + [(model, "serialization") for model in _ANSWERED]
    _, schemas = models_json_schema(models, ref_template=_REF)  # type: ignore[arg-type]
    return {
        "openapi": "3.1.0",
        "info": {"title": "recostack", "version": "1", "description": "Recommendations, and the events that they learn from."},
        "servers": [{"url": "."}],
        "paths": _with_examples(paths()),
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
                "signature": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "Signature Version 4, where the deployment's config says `api: {auth: iam}`",
                },
            },
        },
        "security": [{"key": []}, {"signature": []}],
    }


def paths() -> dict[str, Any]:
    placement, name = _path_parameter("placement"), _path_parameter("name")
    return {
        "/recommendations/{placement}": {
            "get": operation(
                "getRecommendations", "Recommendations for a placement", [placement, *_query_parameters()], {"200": "Answer"},
                ("400", "404", "503"),
            )
        },
        "/rankings/{placement}": {
            "post": operation(
                "postRanking", "The given items in the order that suits the user", [placement], {"200": "Answer"},
                ("400", "404", "503"), body="RankingRequest",
            )
        },
        "/batch/{name}/users/{user_id}": {
            "get": operation(
                "getBatchList", "The list that the latest batch run made for the user",
                [name, _path_parameter("user_id"), *_query_parameters(("num_results", "explain"))], {"200": "BatchAnswer"},
                ("400", "404", "503"),
            )
        },
        "/events": {
            "post": operation(
                "postEvents", "Up to 500 events", [], {"202": "EventsAnswer", "207": "EventsAnswer"},
                ("400", "413", "415", "503"), body="Events",
            )
            | {"security": [{"key": []}]}
        },
        "/items/{item_id}": {"put": put_record("item"), "patch": _patch_record("item")},
        "/users/{user_id}": {
            "put": put_record("user"),
            "patch": _patch_record("user"),
            "delete": operation(
                "eraseUser", "Forget the user: nothing uses the id again", [_path_parameter("user_id")],
                {"202": "ErasureAnswer"}, ("400", "503"),
            ),
        },
        "/approvals/{approval_id}": approvals(),
        "/openapi.json": {"get": page("getOpenApi", "This document", "application/json")},
        "/docs": {"get": page("getDocs", "This document as a page", "text/html")},
    }  # fmt: skip


def _with_examples(made: dict[str, Any]) -> dict[str, Any]:
    """Every operation with an example of its parameters, its body and its answers."""
    # Where no event was taken, 503 lists them as 207 does.
    of_events = made["/events"]["post"]["responses"]["503"]["content"]["application/json"]
    of_events["schema"] = {"anyOf": [{"$ref": _REF.format(model=name)} for name in ("EventsAnswer", "Error")]}
    examples: dict[str, Any] = yaml.safe_load(_EXAMPLES.read_text(encoding="utf-8"))
    for operations in made.values():
        for found in operations.values():
            own = examples.get(found["operationId"], {})
            for parameter in found.get("parameters", []):
                if parameter["name"] in own.get("parameters", {}):
                    parameter["example"] = own["parameters"][parameter["name"]]
            body = found.get("requestBody", {}).get("content", {}).get("application/json")
            if body is not None:
                body["example"] = own["body"]
            for status, answer in found["responses"].items():
                of_answer = answer["content"].get("application/json")
                example = own.get(status, examples["errors"].get(status))
                if of_answer is not None and example is not None:
                    of_answer["example"] = example
    return made


def put_record(kind: str) -> dict[str, Any]:
    parameters = [_path_parameter(f"{kind}_id")]
    summary = f"Put the {kind}: it is in Personalize, and known to rules, within seconds"
    return operation(
        f"put{kind.title()}", summary, parameters, {"202": "RecordAnswer"}, ("400", "413", "415", "503"), body="Record"
    )


def _patch_record(kind: str) -> dict[str, Any]:
    """Whether there is such a record turns out behind the queue."""
    parameters = [_path_parameter(f"{kind}_id")]
    summary = f"Change some columns of the {kind}: null clears one; the others stay"
    return operation(
        f"patch{kind.title()}", summary, parameters, {"202": "RecordAnswer"}, ("400", "413", "415", "503"), body="Changes"
    )


def operation(
    name: str,
    summary: str,
    parameters: list[dict[str, Any]],
    answers: dict[str, str],
    errors: tuple[str, ...],
    body: str | None = None,
) -> dict[str, Any]:
    """An operation: its answers' models by status, and the errors that it has beside those of every call."""
    responses = {status: {"description": "done", "content": content(model)} for status, model in answers.items()}
    for status in sorted({*errors, "403", "429"}):
        responses[status] = {"description": _WHY[status], "content": content("Error")}
    made: dict[str, Any] = {"operationId": name, "summary": summary, "parameters": parameters, "responses": responses}
    return made | ({"requestBody": {"required": True, "content": content(body)}} if body else {})


def approvals() -> dict[str, Any]:
    """What the mail about a new solution version links to: pages for a person, no key."""
    decision = {"type": "object", "required": ["decision"], "properties": {"decision": {"enum": ["approve", "reject"]}}}
    form = {"application/x-www-form-urlencoded": {"schema": decision}}
    ask = page("showApproval", "The page that asks a person whether a version may go live", "text/html", "404")
    decide = page("decideApproval", "What the person decided", "text/html", "400", "404")
    return {
        "get": ask | {"parameters": [_path_parameter("approval_id")]},
        "post": decide | {"parameters": [_path_parameter("approval_id")], "requestBody": {"required": True, "content": form}},
    }


def page(name: str, summary: str, content_type: str, *errors: str) -> dict[str, Any]:
    """An operation that everybody may call, and that answers with a text."""
    schema = {"type": "object" if content_type.endswith("json") else "string"}
    answer = {"content": {content_type: {"schema": schema}}}
    responses = {"200": {"description": "the page"} | answer} | {
        status: {"description": _WHY[status]} | answer for status in errors
    }
    return {"operationId": name, "summary": summary, "security": _EVERYBODY, "responses": responses}


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": _PATH_ID}


def _query_parameters(names: tuple[str, ...] = _QUERY) -> list[dict[str, Any]]:
    """Those with a meaning of their own, then all others: values for the filter, and `context.NAME`."""
    properties = RecommendationRequest.model_json_schema()["properties"]
    own = [{"name": name, "in": "query", "schema": _without_title(_without_null(properties[name]))} for name in names]
    others = {
        "name": "filter_values",
        "in": "query",
        "style": "form",
        "explode": True,
        "description": "values for the parameters of the filter, by their names; context.NAME is passed on as context",
        "schema": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
    }
    return [*own, others]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter is absent rather than null."""
    kinds = [kind for kind in schema.get("anyOf", [schema]) if kind.get("type") != "null"]
    return {key: value for key, value in kinds[0].items() if key != "default"}


def _without_title(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != "title"}


def content(model: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _REF.format(model=model)}}}


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(document(), indent=2) + "\n")
