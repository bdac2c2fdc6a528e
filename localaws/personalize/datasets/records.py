"""Individual records of the events API, checked against the schema and turned into what is stored.

docs: personalize/latest/dg/recording-item-interaction-events.html, importing-items.html, limits.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from localaws.personalize.datasets.streamed import Event
from localaws.personalize.datasets.values import (
    MAX_ID_LENGTH,
    check_timestamp,
    encodable,
    event_type_key,
    json_value,
)
from localaws.personalize.errors import InvalidInput
from localaws.personalize.schemas import Kind, Schema, normalized

MAX_RECORDS = 10
MAX_EVENT_BYTES = 10 * 1024
MAX_EVENT_PROPERTIES = 1024
MAX_ENTITY_PROPERTIES: Mapping[str, int] = {"ITEMS": 32_000, "USERS": 24_000, "ACTIONS": 32_000}
MAX_IMPRESSIONS = 25
ENTITY_IDS: Mapping[str, str] = {"ITEMS": "itemId", "USERS": "userId", "ACTIONS": "actionId"}
ACTION_EVENT_TYPES = frozenset({"viewed", "taken", "not taken"})

# Properties that would shadow a member of the request.
_FORBIDDEN = frozenset(
    normalized(name) for name in ("userId", "sessionId", "eventType", "timestamp", "recommendationId", "impression")
)
# Old clients send these as properties.
_MEMBERS = {"ITEMID": "itemId", "EVENTVALUE": "eventValue"}
# An item without it was created when it was first seen.
_OPTIONAL = frozenset({"CREATION_TIMESTAMP"})


def parse_put_events(schema: Schema, request: Mapping[str, Any]) -> list[Event]:
    """The events of a PutEvents request; raises InvalidInput that names the member and the rule."""
    user_id = _identifier(request, "userId", "userId")
    session_id = _required_identifier(request, "sessionId", "sessionId")
    return [
        _event(schema, event, f"eventList[{position}]", user_id, session_id)
        for position, event in enumerate(_records(request, "eventList"))
    ]


def parse_put_action_interactions(schema: Schema, request: Mapping[str, Any]) -> list[Event]:
    """The events of a PutActionInteractions request."""
    events = []
    for position, record in enumerate(_records(request, "actionInteractions")):
        where = f"actionInteractions[{position}]"
        event_type = _required_identifier(record, "eventType", f"{where}.eventType")
        if event_type_key("ACTION_INTERACTIONS", event_type) not in ACTION_EVENT_TYPES:
            raise InvalidInput(f"{where}.eventType must be Viewed, Taken or Not Taken, it is {event_type[:50]!r}.")
        renamed = {**record, "sentAt": record.get("timestamp"), "itemId": record.get("actionId")}
        _required_identifier(record, "actionId", f"{where}.actionId")
        user_id = _identifier(record, "userId", f"{where}.userId")
        session_id = _required_identifier(record, "sessionId", f"{where}.sessionId")
        events.append(_event(schema, renamed, where, user_id, session_id))
    return events


def parse_put_entities(schema: Schema, kind: Kind, records: Sequence[Mapping[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """Id and values by schema field of each record of a PutItems, PutUsers or PutActions request."""
    member = ENTITY_IDS[kind]
    if not 1 <= len(records) <= MAX_RECORDS:
        raise InvalidInput(f"A request must have 1 to {MAX_RECORDS} records, it has {len(records)}.")
    parsed = []
    for position, record in enumerate(records):
        where = f"{kind.lower()}[{position}]"
        identifier = _required_identifier(record, member, f"{where}.{member}")
        given = _json_object(record.get("properties"), MAX_ENTITY_PROPERTIES[kind], f"{where}.properties")
        values = _schema_values(schema, given, f"{where}.properties")
        for field in schema.fields:
            required = not (field.nullable or schema.is_required(field) or field.name in _OPTIONAL)
            if required and field.name not in values:
                raise InvalidInput(f"{where}.properties: {field.name} cannot be null, a value is missing.")
        parsed.append((identifier, values))
    return parsed


def _event(schema: Schema, event: Mapping[str, Any], where: str, user_id: str | None, session_id: str) -> Event:
    size = len(json.dumps(event, default=str, ensure_ascii=False).encode(errors="replace"))
    if size > MAX_EVENT_BYTES:
        raise InvalidInput(f"{where} has {size} bytes; an event can have at most {MAX_EVENT_BYTES}.")
    given = _json_object(event.get("properties"), MAX_EVENT_PROPERTIES, f"{where}.properties")
    members = dict(event)
    for name in list(given):
        if normalized(name) in _FORBIDDEN:
            raise InvalidInput(f"{where}.properties: {name} is a member of the event, not a property.")
        if (member := _MEMBERS.get(normalized(name))) is not None:
            value = given.pop(name)
            if members.get(member) is None:
                members[member] = value
    values = _schema_values(schema, given, f"{where}.properties")
    values.update(_trace(schema, members, where))
    return Event(
        session_id=session_id,
        user_id=user_id,
        item_id=_identifier(members, "itemId", f"{where}.itemId"),
        timestamp=_timestamp(members.get("sentAt"), where),
        event_type=_required_identifier(members, "eventType", f"{where}.eventType"),
        event_value=_event_value(members.get("eventValue"), where),
        event_id=_identifier(members, "eventId", f"{where}.eventId"),
        columns=values,
    )


def _trace(schema: Schema, members: Mapping[str, Any], where: str) -> dict[str, str]:
    """IMPRESSION, RECOMMENDATION_ID and EVENT_ATTRIBUTION_SOURCE, as far as the schema has them."""
    impression = members.get("impression") or []
    if len(impression) > MAX_IMPRESSIONS:
        raise InvalidInput(f"{where}.impression can have at most {MAX_IMPRESSIONS} items.")
    attribution = (members.get("metricAttribution") or {}).get("eventAttributionSource")
    found = {
        "IMPRESSION": "|".join(impression) or None,
        "RECOMMENDATION_ID": members.get("recommendationId"),
        "EVENT_ATTRIBUTION_SOURCE": attribution,
    }
    return {
        name: _valid(where, encodable, name, value)
        for name, value in found.items()
        if value is not None and schema.field(name) is not None
    }


def _records(request: Mapping[str, Any], member: str) -> Sequence[Mapping[str, Any]]:
    records = request.get(member) or []
    if not 1 <= len(records) <= MAX_RECORDS:
        raise InvalidInput(f"{member} must have 1 to {MAX_RECORDS} elements, it has {len(records)}.")
    return records


def _identifier(record: Mapping[str, Any], member: str, where: str) -> str | None:
    value = record.get(member)
    if value is None:
        return None
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_ID_LENGTH:
        raise InvalidInput(f"{where} must be a string of 1 to {MAX_ID_LENGTH} characters.")
    return str(_valid(where, encodable, member, value))


def _required_identifier(record: Mapping[str, Any], member: str, where: str) -> str:
    value = _identifier(record, member, where)
    if value is None:
        raise InvalidInput(f"{where} is required.")
    return value


def _timestamp(value: Any, where: str) -> int:
    seconds = value.timestamp() if isinstance(value, datetime) else value
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise InvalidInput(f"{where}: a timestamp is required, in Unix epoch time in seconds.")
    _valid(where, check_timestamp, "the timestamp", seconds)
    return int(seconds)


def _event_value(value: Any, where: str) -> float | None:
    if value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InvalidInput(f"{where}.eventValue must be a number.") from None


def _json_object(text: Any, limit: int, where: str) -> dict[str, Any]:
    """The properties of a record; missing ones are none."""
    if text is None:
        return {}
    if not isinstance(text, str) or not 1 <= len(text) <= limit:
        raise InvalidInput(f"{where} must be a JSON string of 1 to {limit} characters.")
    try:
        parsed = json.loads(text)
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
        if field is None or schema.is_required(field):
            what = "the id of the record, not a property" if field else "no field of the schema"
            raise InvalidInput(f"{where}: {name[:50]} is {what}.")
        values[field.name] = _valid(where, json_value, schema, field, value)
    return values


def _valid(where: str, rule: Any, *arguments: Any) -> Any:
    try:
        return rule(*arguments)
    except ValueError as error:
        raise InvalidInput(f"{where}: {error}") from None
