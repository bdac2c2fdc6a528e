"""Small datasets for the tests of stores and filters."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from personalize_emulator.datasets import DatasetStore
from personalize_rules.schemas import Kind, Schema, parse_schema


def field(name: str, kind: Any = "string", **attributes: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **attributes}


def avro(name: str, *fields: dict[str, Any]) -> str:
    namespace = "com.amazonaws.personalize.schema"
    return json.dumps({"type": "record", "name": name, "namespace": namespace, "fields": fields, "version": "1.0"})


INTERACTIONS = (
    field("USER_ID"),
    field("ITEM_ID"),
    field("TIMESTAMP", "long"),
    field("EVENT_TYPE"),
    field("EVENT_VALUE", ["float", "null"]),
    field("IMPRESSION", ["string", "null"]),
    field("DEVICE", ["null", "string"], categorical=True),
    field("NUM_RATINGS", ["null", "int"]),
)
ITEMS = (
    field("ITEM_ID"),
    field("GENRES", ["null", "string"], categorical=True),
    field("BRAND", ["null", "string"]),
    field("PRICE", ["null", "float"]),
    field("STOCK", "int"),
    field("IS_NEW", ["null", "boolean"]),
    field("DESCRIPTION", ["null", "string"], textual=True),
    field("CREATION_TIMESTAMP", "long"),
)
USERS = (field("USER_ID"), field("AGE", ["null", "int"]), field("MEMBERSHIP", ["null", "string"], categorical=True))
ACTIONS = (
    field("ACTION_ID"),
    field("VALUE", ["null", "long"]),
    field("CATEGORY", ["null", "string"], categorical=True),
    field("REPEAT_FREQUENCY", ["null", "long"]),
)
ACTION_INTERACTIONS = (field("USER_ID"), field("ACTION_ID"), field("EVENT_TYPE"), field("TIMESTAMP", "long"))

SCHEMAS: dict[Kind, Schema] = {
    "INTERACTIONS": parse_schema(avro("Interactions", *INTERACTIONS)),
    "ITEMS": parse_schema(avro("Items", *ITEMS)),
    "USERS": parse_schema(avro("Users", *USERS)),
    "ACTIONS": parse_schema(avro("Actions", *ACTIONS)),
    "ACTION_INTERACTIONS": parse_schema(avro("ActionInteractions", *ACTION_INTERACTIONS)),
}
HEADERS = {kind: ",".join(f.name for f in schema.fields) for kind, schema in SCHEMAS.items()}


def open_store(directory: Path, **options: Any) -> DatasetStore:
    return DatasetStore(directory, SCHEMAS, **options)


def csv_file(kind: Kind, rows: Iterable[str], name: str = "data.csv") -> tuple[str, io.BytesIO]:
    return name, io.BytesIO("\n".join([HEADERS[kind], *rows, ""]).encode())


def interaction_rows(count: int = 1000, users: int = 50, items: int = 40) -> list[str]:
    return [
        f"u{i % users},i{i % items},{1_700_000_000 + i},{'View' if i % 3 else 'Purchase'},{i % 5},,phone,{i}"
        for i in range(count)
    ]


def event(item: str | None = "i1", at: float = 1_800_000_000, event_type: str = "View", **members: Any) -> dict[str, Any]:
    return {"eventType": event_type, "sentAt": at} | ({"itemId": item} if item else {}) | members


def put_events(store: DatasetStore, *events: dict[str, Any], user: str | None = None, session: str = "s") -> None:
    request: dict[str, Any] = {"trackingId": "t", "sessionId": session, "eventList": list(events)}
    store.put_events(request | ({"userId": user} if user else {}), now=0.0)
