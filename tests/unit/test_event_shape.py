"""The one shape of an event: what the API's models, the archive's table and the jobs know of it."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import BaseModel

from lambdas.config.events import Event, EventRecord, Exposure, ExposureRecord
from lambdas.ingestion.put_events.batch import RECORD
from personalize_rules.events import EVENT, EXPOSURE, RECORD_KINDS, FieldKind

KINDS: dict[type, FieldKind] = {str: "text", float: "number", dict: "properties", list: "texts"}


def kind_of(annotation: Any) -> FieldKind:
    """`Annotated[str, …] | None` as "text"."""
    parts = [part for part in (get_args(annotation) or (annotation,)) if part is not type(None)]
    first = parts[0]
    while get_args(first) and first.__class__.__name__ == "_AnnotatedAlias":
        first = get_args(first)[0]
    return KINDS[getattr(first, "__origin__", first)]


@pytest.mark.parametrize(("model", "shape"), [(Event, EVENT), (Exposure, EXPOSURE)])
def test_the_models_have_the_shape(model: type[BaseModel], shape: dict[str, FieldKind]) -> None:
    assert {name: kind_of(field.annotation) for name, field in model.model_fields.items()} == dict(shape)
    optional = {"user_id", "session_id"} if model is Exposure else set(shape) - {"event_type", "session_id"}
    assert {name for name, field in model.model_fields.items() if not field.is_required()} == optional


@pytest.mark.parametrize(("kind", "model"), [("event", EventRecord), ("exposure", ExposureRecord)])
def test_a_record_is_known_by_its_kind(kind: str, model: type[BaseModel]) -> None:
    """Also where its body would do for the other kind."""
    assert set(RECORD_KINDS) == {"event", "exposure"}
    body = {
        "event": '{"event_type": "view", "session_id": "s"}',
        "exposure": '{"experiment": "x", "variant": "a", "placement": "p"}',
    }
    record = f'{{"kind": "{kind}", "received_at": 1, "id": "r", "body": {body[kind]}}}'
    assert type(RECORD.validate_json(record)) is model
