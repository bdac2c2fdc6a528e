"""Events: what PutEvents and its relatives take, and the one shape of an event from the API of a shop to its archive.

docs: personalize/latest/dg/API_UBS_PutEvents.html, API_UBS_Event.html, recording-item-interaction-events.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from personalize_rules.schemas import normalized
from personalize_rules.values import END_OF_TIMESTAMPS

FieldKind = Literal["text", "number", "properties", "texts"]
_Dialect = Literal["spark", "duckdb"]

#: Seconds by which the clock of an event's sender may be ahead of ours: a later event is not believed.
CLOCK_SKEW: Final = 86_400

#: What an event is made of. `text` and `texts` are ids, types and the like, `properties` an object of plain values.
EVENT: Mapping[str, FieldKind] = {
    "event_id": "text",
    "event_type": "text",
    "user_id": "text",
    "session_id": "text",
    "item_id": "text",
    "timestamp": "number",
    "event_value": "number",
    "properties": "properties",
    "impression": "texts",
    "recommendation_id": "text",
}
#: That a user, or a session without a user, got the answer of a variant of an experiment.
EXPOSURE: Mapping[str, FieldKind] = {
    "experiment": "text",
    "variant": "text",
    "placement": "text",
    "user_id": "text",
    "session_id": "text",
}
#: How the archive tells its records apart.
RECORD_KINDS: Mapping[str, Mapping[str, FieldKind]] = {"event": EVENT, "exposure": EXPOSURE}

_TYPES: Mapping[_Dialect, Mapping[FieldKind, str]] = {
    "spark": {"text": "string", "number": "double", "properties": "map<string,string>", "texts": "array<string>"},
    "duckdb": {"text": "VARCHAR", "number": "DOUBLE", "properties": "MAP(VARCHAR, VARCHAR)", "texts": "VARCHAR[]"},
}

# Members of an event that its `properties` may not shadow.
_MEMBERS = frozenset(map(normalized, ("userId", "sessionId", "eventType", "timestamp", "recommendationId", "impression")))


def record_columns(dialect: _Dialect) -> dict[str, str]:
    """The columns of a record of the archive with their SQL types; Athena and Hive read those of Spark."""
    types = _TYPES[dialect]
    fields = {name: types[kind] for shape in RECORD_KINDS.values() for name, kind in shape.items()}
    if dialect == "spark":
        body = f"struct<{','.join(f'{name}:{kind}' for name, kind in fields.items())}>"
    else:
        body = "STRUCT(" + ", ".join(f'"{name}" {kind}' for name, kind in fields.items()) + ")"
    return {"kind": types["text"], "received_at": "bigint", "id": types["text"], "body": body}


def check_time(timestamp: float, received: float) -> None:
    """Raise ValueError for a time at which an event, received at `received`, can't have happened; both in seconds since 1970."""
    if timestamp >= END_OF_TIMESTAMPS:
        raise ValueError(TOO_LARGE)
    if not 0 < timestamp <= received + CLOCK_SKEW:
        raise ValueError(NOT_THEN)


TOO_LARGE = "looks like milliseconds; it is in seconds since 1970"
NOT_THEN = "must be after 1970 and not in the future"


def shadows_member(property_name: str) -> bool:
    """Whether a key of `properties` is a member of the event; case and underscores do not count."""
    return normalized(property_name) in _MEMBERS
