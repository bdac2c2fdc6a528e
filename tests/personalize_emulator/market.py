"""A small seeded market: users with tastes, items with genres, events of two types. Same seed, same data."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from personalize_emulator.datasets import DatasetStore
from personalize_rules.schemas import Kind, parse_schema

GENRES = ("Comedy", "Drama", "Horror")
USERS = 120
ITEMS = 90
START = 1_700_000_000
DAY = 86_400
COLD = "cold-Horror"
"""An item of the Items dataset that nobody interacted with."""


def _schema(name: str, *fields: dict[str, Any]) -> str:
    return json.dumps({"type": "record", "name": name, "fields": list(fields), "version": "1.0"})


def _field(name: str, kind: Any = "string", **more: bool) -> dict[str, Any]:
    return {"name": name, "type": kind, **more}


SCHEMAS: dict[Kind, str] = {
    "INTERACTIONS": _schema(
        "Interactions",
        _field("USER_ID"),
        _field("ITEM_ID"),
        _field("TIMESTAMP", "long"),
        _field("EVENT_TYPE"),
        _field("EVENT_VALUE", ["float", "null"]),
        _field("DEVICE", categorical=True),
    ),
    "ITEMS": _schema(
        "Items",
        _field("ITEM_ID"),
        _field("GENRE", categorical=True),
        _field("PRICE", "float"),
        _field("DESCRIPTION", ["null", "string"], textual=True),
        _field("TITLE", itemName=True),
        _field("CREATION_TIMESTAMP", "long"),
    ),
    "USERS": _schema("Users", _field("USER_ID"), _field("FAVOURITE", categorical=True)),
    "ACTIONS": _schema(
        "Actions",
        _field("ACTION_ID"),
        _field("VALUE", ["null", "long"]),
        _field("KIND", categorical=True),
        _field("EXPIRATION_TIMESTAMP", ["null", "long"]),
        _field("REPEAT_FREQUENCY", ["null", "long"]),
    ),
    "ACTION_INTERACTIONS": _schema(
        "ActionInteractions",
        _field("USER_ID"),
        _field("ACTION_ID"),
        _field("EVENT_TYPE"),
        _field("TIMESTAMP", "long"),
    ),
}


def genre_of(item: str) -> str:
    return GENRES[int(item[1:]) % len(GENRES)] if item != COLD else "Horror"


def interactions(repeats: bool = False, per_user: int = 20, seed: int = 0) -> list[list[Any]]:
    """Rows in the order of the schema. Four of five events follow the user's taste; with `repeats` people come
    back to a handful of items again and again, otherwise nobody takes an item twice."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(USERS):
        taste = [i for i in range(ITEMS) if i % len(GENRES) == number % len(GENRES)]
        habits = random.permutation(taste)[:4]
        pool = list(random.permutation(taste))
        for event in range(per_user):
            if repeats and event > 3:
                item = int(random.choice(habits))
            elif random.random() < 0.8 and pool:
                item = int(pool.pop())
            else:
                item = int(random.integers(ITEMS))
            kind = "Watch" if random.random() < 0.5 else "Click"
            device = "Phone" if item < ITEMS // 2 else "TV"
            when = START + event * DAY + int(random.integers(DAY))
            rows.append([f"u{number}", f"i{item}", when, kind, round(float(random.random()), 3), device])
    return rows


def items() -> list[list[Any]]:
    """Rows in the order of the schema; the cold item is the newest."""
    rows = [
        [f"i{n}", GENRES[n % len(GENRES)], float(n), f"A {GENRES[n % len(GENRES)]} number {n}", f"Title {n}", START - n * DAY]
        for n in range(ITEMS)
    ]
    return [*rows, [COLD, "Horror", 5.0, "A Horror that is new", "News", START + 16 * DAY]]


def users() -> list[list[Any]]:
    return [[f"u{n}", GENRES[n % len(GENRES)]] for n in range(USERS)]


def make_store(directory: Path, tables: dict[Kind, list[list[Any]]]) -> DatasetStore:
    """A dataset group into which these rows were imported; a dataset without rows is there, and has had no import."""
    store = DatasetStore(directory, {kind: parse_schema(SCHEMAS[kind]) for kind in tables})
    for kind, rows in ((kind, rows) for kind, rows in tables.items() if rows):
        names = [field["name"] for field in json.loads(SCHEMAS[kind])["fields"]]
        text = io.StringIO()
        csv.writer(text).writerows([names, *rows])
        store.import_csv(kind, [("data.csv", io.BytesIO(text.getvalue().encode()))], "FULL")
    return store


def make_market(directory: Path, **options: Any) -> DatasetStore:
    """A dataset group with interactions, items and users."""
    tables: dict[Kind, list[list[Any]]] = {
        "INTERACTIONS": interactions(**options),
        "ITEMS": items(),
        "USERS": users(),
    }
    return make_store(directory, tables)
