"""Individual records of the events API, checked against the schema and turned into what is stored.

The requests have passed the service model: required members, lengths and counts hold, timestamps are seconds.
docs: personalize/latest/dg/recording-item-interaction-events.html, importing-items.html
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from personalize_emulator.datasets.streamed import Event
from personalize_emulator.errors import InvalidInput
from personalize_rules.events import shadows_member
from personalize_rules.limits import MAX_ID
from personalize_rules.schemas import Kind, Schema, normalized
from personalize_rules.values import check_size, check_timestamp, encodable, event_type_key, json_value

_ENTITY_IDS: Mapping[str, str] = {"ITEMS": "itemId", "USERS": "userId", "ACTIONS": "actionId"}
_ACTION_EVENT_TYPES = frozenset({"viewed", "taken", "not taken"})

# Old clients send these as properties.
_MEMBERS = {"ITEMID": "itemId", "EVENTVALUE": "eventValue"}
# An item without it was created when it was first seen.
_OPTIONAL = frozenset({"CREATION_TIMESTAMP"})

Value = TypeVar("Value")


def parse_put_events(schema: Schema, request: Mapping[str, Any]) -> list[Event]:
    """The events of a PutEvents request; raises InvalidInput that names the member and the rule."""
    return [
        _event(schema, event, f"eventList.{number}.member", request.get("userId"), request["sessionId"])
        for number, event in enumerate(request["eventList"], 1)
    ]


def parse_put_action_interactions(schema: Schema, request: Mapping[str, Any]) -> list[Event]:
    """The events of a PutActionInteractions request."""
    events = []
    for number, record in enumerate(request["actionInteractions"], 1):
        where = f"actionInteractions.{number}.member"
        if event_type_key(record["eventType"], "ACTION_INTERACTIONS") not in _ACTION_EVENT_TYPES:
            raise InvalidInput(f"{where}.eventType must be Viewed, Taken or Not Taken, it is {record['eventType'][:50]!r}.")
        event = {**record, "sentAt": record["timestamp"], "itemId": record["actionId"]}
        events.append(_event(schema, event, where, record.get("userId"), record["sessionId"]))
    return events


def parse_put_entities(schema: Schema, kind: Kind, records: Sequence[Mapping[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """Id and values by schema field of each record of a PutItems, PutUsers or PutActions request."""
    parsed = []
    for number, record in enumerate(records, 1):
        where = f"{kind.lower()}.{number}.member"
        identifier = _valid(where, _ENTITY_IDS[kind], encodable, record[_ENTITY_IDS[kind]])
        where = f"{where}.properties"
        values = _schema_values(schema, _json_object(record.get("properties"), where), where)
        for field in schema.fields:
            required = not (field.nullable or schema.is_required(field) or field.name in _OPTIONAL)
            if required and field.name not in values:
                raise InvalidInput(f"{where}: {field.name} cannot be null, a value is missing.")
        parsed.append((identifier, values))
    return parsed


def _event(schema: Schema, event: Mapping[str, Any], where: str, user_id: str | None, session_id: str) -> Event:
    properties = f"{where}.properties"
    given = _json_object(event.get("properties"), properties)
    members = dict(event)
    for name in list(given):
        if shadows_member(name):
            raise InvalidInput(f"{properties}: {name} is a member of the event, not a property.")
        if (member := _MEMBERS.get(normalized(name))) is not None:
            members.setdefault(member, given.pop(name))
    values = _schema_values(schema, given, properties) | _trace(schema, members, where)
    _valid(where, "sentAt", check_timestamp, members["sentAt"])
    for name, text in (("userId", user_id), ("sessionId", session_id), ("eventType", members["eventType"])):
        _valid(where, name, encodable, text or "")
    return Event(
        session_id=session_id,
        user_id=user_id,
        item_id=_valid(where, "itemId", _item_id, members.get("itemId")),
        timestamp=int(members["sentAt"]),
        event_type=members["eventType"],
        event_value=_valid(where, "eventValue", _event_value, members.get("eventValue")),
        event_id=_valid(where, "eventId", encodable, members["eventId"]) if "eventId" in members else None,
        columns=values,
    )


def _trace(schema: Schema, members: Mapping[str, Any], where: str) -> dict[str, str]:
    """IMPRESSION, RECOMMENDATION_ID and EVENT_ATTRIBUTION_SOURCE, as far as the schema has them."""
    found = {
        "IMPRESSION": "|".join(members.get("impression", ())),
        "RECOMMENDATION_ID": members.get("recommendationId"),
        "EVENT_ATTRIBUTION_SOURCE": members.get("metricAttribution", {}).get("eventAttributionSource"),
    }
    return {
        name: _valid(where, name, encodable, value) for name, value in found.items() if value and schema.field(name) is not None
    }


def _item_id(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_ID:
        raise ValueError(f"must be a string of 1 to {MAX_ID} characters.")
    return encodable(value)


def _event_value(value: Any) -> float | None:
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError("must be a number.")
    check_size(number, "float")
    return number


def _json_object(text: str | None, where: str) -> dict[str, Any]:
    """The properties of a record; missing ones are none."""
    try:
        parsed = {} if text is None else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{where} is not valid JSON: {error}") from None
    if not isinstance(parsed, dict):
        raise InvalidInput(f"{where} must be a JSON object.")
    return parsed


def _schema_values(schema: Schema, given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The properties by the names of the schema: `numRatings` is NUM_RATINGS."""
    values: dict[str, Any] = {}
    for name, value in given.items():
        field = schema.field(name)
        if field is None:
            raise InvalidInput(f"{where}: {name[:50]} is no field of the schema.")
        if schema.is_required(field):
            raise InvalidInput(f"{where}: {name[:50]} is a member of the record, not a property.")
        values[field.name] = _valid(where, field.name, json_value, schema, field, value)
    return values


def _valid(where: str, name: str, rule: Callable[..., Value], *arguments: Any) -> Value:
    try:
        return rule(*arguments)
    except ValueError as error:
        raise InvalidInput(f"{where}: {name} {error}") from None
