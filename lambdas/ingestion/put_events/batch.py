"""From the records of a Kinesis batch to events in the shape of PutEvents, sorted into lanes; what can't be used is put aside."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from lambdas.config import EventType
from lambdas.config.events import Event, EventRecord, ExposureRecord
from lambdas.ingestion.dead_letters import DeadLetter
from personalize_rules.events import RECORD_KINDS, check_time, shadows_member
from personalize_rules.limits import MAX_EVENT_PROPERTIES
from personalize_rules.values import check_size

Record = EventRecord | ExposureRecord
RECORD: TypeAdapter[Record] = TypeAdapter(Annotated[Record, Field(discriminator="kind")])


class Unusable(Exception):
    """An event that can never be put; the message names the field and the rule."""


@dataclass(slots=True)
class Sendable:
    """An event ready for PutEvents. `position` is its record's place in the batch."""

    position: int
    time: float
    user_id: str | None
    session_id: str
    event: dict[str, Any]


@dataclass(slots=True)
class Rejected:
    position: int
    dead: DeadLetter


@dataclass
class Batch:
    """A batch by what has to happen with its records. A lane holds what has one partition key, in the order of the stream."""

    lanes: dict[str, list[Sendable]] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    archive_only: int = 0
    request_ids: list[str] = field(default_factory=list)


def read_batch(records: Sequence[Mapping[str, Any]], event_types: Mapping[str, EventType]) -> Batch:
    """Sort the records of a Lambda event into a Batch. Never raises for a record that is wrong."""
    batch = Batch()
    for position, record in enumerate(records):
        try:
            read = RECORD.validate_json(b64decode(record["kinesis"]["data"]))
            if isinstance(read, ExposureRecord):  # for the archive: Personalize knows no experiments
                batch.archive_only += 1
                continue
            body = read.body
            batch.request_ids.append(read.request_id)
            kind = _type_of(body, event_types)
            time = _event_time(body, read.received_at)
            if kind.archive_only:
                batch.archive_only += 1
                continue
            event = _as_personalize_wants(body, read.id, time)
        except ValidationError as error:
            batch.rejected.append(reject(position, record, describe(error)))
        except Unusable as error:
            batch.rejected.append(reject(position, record, str(error)))
        else:
            lane = batch.lanes.setdefault(body.user_id or body.session_id, [])
            lane.append(Sendable(position, time, body.user_id, body.session_id, event))
    return batch


def check_event(event: Event, event_types: Mapping[str, EventType], received: float) -> None:
    """Raises Unusable for an event that would become a dead letter; `received` is in seconds since 1970."""
    kind, time = _type_of(event, event_types), _event_time(event, round(received * 1000))
    if not kind.archive_only:
        _as_personalize_wants(event, "", time)


def _type_of(event: Event, event_types: Mapping[str, EventType]) -> EventType:
    if (kind := event_types.get(event.event_type)) is None:
        raise Unusable(f"event_type: there is no event type '{event.event_type[:50]}'")
    return kind


def _event_time(event: Event, received_at: int) -> float:
    """When the event happened, in seconds since 1970. Raises Unusable for a time that can't be one."""
    received = received_at / 1000
    if event.timestamp is None:
        return received
    try:
        check_time(event.timestamp, received)
    except ValueError as error:
        raise Unusable(f"timestamp: {error}") from None
    return event.timestamp


def _as_personalize_wants(event: Event, record_id: str, time: float) -> dict[str, Any]:
    """An entry of PutEvents' eventList. Raises Unusable."""
    if event.item_id is None:
        raise Unusable(f"item_id: is required for events of type '{event.event_type}'")
    shaped: dict[str, Any] = {
        "eventId": event.event_id or record_id,
        "eventType": event.event_type,
        "itemId": event.item_id,
        "sentAt": int(time),
    }
    if event.event_value is not None:
        try:
            check_size(event.event_value, "float")  # docs: API_UBS_Event.html
        except ValueError as error:
            raise Unusable(f"event_value: {error}") from None
        shaped["eventValue"] = event.event_value
    if event.recommendation_id is not None:
        shaped["recommendationId"] = event.recommendation_id
    if event.impression is not None:
        shaped["impression"] = event.impression
    if properties := {name: value for name, value in (event.properties or {}).items() if value is not None}:
        shaped["properties"] = properties_text(properties)
    return shaped


def properties_text(properties: Mapping[str, Any]) -> str:
    """`properties` as the JSON string that PutEvents takes. Raises Unusable."""
    for key in properties:
        if shadows_member(key):
            raise Unusable(f"properties.{key}: is a field of its own, not a property")
    text = json.dumps(properties, separators=(",", ":"), ensure_ascii=False)  # the service counts characters, not escapes
    if len(text) > MAX_EVENT_PROPERTIES:
        raise Unusable(f"properties: are longer than {MAX_EVENT_PROPERTIES} characters")
    return text


def describe(error: ValidationError) -> str:
    """The first thing that is wrong, as `field: rule`."""
    problem = error.errors(include_input=False, include_url=False)[0]
    if problem["type"].startswith("union_tag"):
        return f"kind: must be {' or '.join(RECORD_KINDS)}"
    path = ".".join(str(part) for part in problem["loc"][1:]).removeprefix("body.")  # behind the kind
    return f"{path}: {problem['msg']}" if path else problem["msg"]


def reject(position: int, record: Mapping[str, Any], reason: str) -> Rejected:
    data = b64decode(record["kinesis"]["data"])
    return Rejected(position, DeadLetter(record_id(data) or record["kinesis"]["sequenceNumber"], reason, data))


def record_id(data: bytes) -> str | None:
    """The id in a record, None for one that does not come from the API."""
    try:
        return str(json.loads(data)["id"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
