"""A small shop for tests: seeded, with tastes that a recommender can find."""

from __future__ import annotations

import random
from pathlib import Path

CATEGORIES = ("garden", "kitchen", "toys")
HEADERS = {
    "interactions": "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE,EVENT_VALUE,DEVICE",
    "items": "ITEM_ID,TITLE,CATEGORY,BRAND,PRICE,STOCK,DESCRIPTION,CREATION_TIMESTAMP",
    "users": "USER_ID,AGE,GENDER,MEMBERSHIP",
}
START = 1_700_000_000


def rows(users: int = 80, items: int = 60, events_each: int = 60, seed: int = 7) -> dict[str, list[str]]:
    """The rows of the three CSVs of `config/shop.yaml`: most of a user's events are in one category."""
    dice = random.Random(seed)
    item_rows = [
        f'i{n},Item {n},{CATEGORIES[n % 3]},brand{n % 5},{5 + n}.50,{n % 7},"About item {n}",{START - n * 86400}'
        for n in range(items)
    ]
    user_rows = [f"u{n},{20 + n % 50},{'FM'[n % 2]},{'gold' if n % 4 == 0 else ''}" for n in range(users)]
    interactions = []
    for user in range(users):
        for event in range(events_each):
            own = dice.random() < 0.85
            item = dice.randrange(items // 3) * 3 + user % 3 if own else dice.randrange(items)
            kind = dice.choices(("view", "cart", "buy"), (6, 2, 4))[0]
            interactions.append(f"u{user},i{item},{START + user * 10_000 + event * 60},{kind},,mobile")
    return {"interactions": interactions, "items": item_rows, "users": user_rows}


def csv_text(kind: str, lines: list[str]) -> str:
    return "\n".join([HEADERS[kind], *lines]) + "\n"


def write(folder: Path, **changed: list[str]) -> Path:
    """Write the CSVs into a folder; `changed` replaces the rows of a dataset."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind, lines in (rows() | changed).items():
        (folder / f"{kind}.csv").write_text(csv_text(kind, lines))
    return folder
