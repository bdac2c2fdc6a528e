"""Two made-up shops whose users do what MovieLens's do not: buy the same again, and look around in sessions.

What a recommender can find is planted, and chance is on top of it. The same seed gives the same data.

groceries: baskets a week apart. Every user has staples, each bought again after its own interval; the rest of a basket is new, of
the few aisles that the user likes. Three quarters of the events repeat an item.
sessions: a long tail of articles, of which more than half were read by fewer than 10 of 1,500 users. A session has one topic, and
an article leads to one of five others as often as not. The topics that a user likes drift: those of the first weeks are gone in
the last.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from personalize_rules.schemas import Kind, Schema, parse_schema

START = 1_700_000_000
MINUTE, DAY = 60, 86_400
_RECORD = {"type": "record", "namespace": "com.amazonaws.personalize.schema", "version": "1.0"}
_TEXTS: list[dict[str, Any]] = [{"name": "USER_ID", "type": "string"}, {"name": "ITEM_ID", "type": "string"}]
INTERACTIONS = _RECORD | {"name": "Interactions", "fields": [*_TEXTS, {"name": "TIMESTAMP", "type": "long"}]}
ITEMS = _RECORD | {"name": "Items", "fields": [_TEXTS[1], {"name": "GENRES", "type": "string", "categorical": True}]}

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Planted:
    """One event per row of `users`, `items` and `times` (epoch seconds). `groups`: the aisle or topic of each item."""

    users: Ints
    items: Ints
    times: Ints
    groups: Ints


def groceries(users: int = 700, items: int = 1_000, aisles: int = 40, seed: int = 1) -> Planted:
    random = np.random.default_rng(seed)
    groups = random.integers(aisles, size=items)
    appeal = _zipf(random, items, 0.8)
    shelves = [np.flatnonzero(groups == aisle) for aisle in range(aisles)]
    rows: list[tuple[int, int, int]] = []
    for user in range(users):
        liked = random.choice(aisles, 6, replace=False)
        shelf = np.concatenate([shelves[aisle] for aisle in liked])
        staples = random.choice(shelf, min(len(shelf), int(random.integers(12, 25))), replace=False, p=_shares(appeal[shelf]))
        every = random.choice([1, 2, 3, 4, 6], len(staples))
        due = random.integers(0, every)
        begin = START + int(random.integers(60)) * DAY
        for week in range(int(random.integers(8, 24))):
            bought = staples[(due == week) & (random.random(len(staples)) < 0.9)]
            due = np.where(due <= week, week + every, due)
            new = random.choice(shelf, 1 + random.poisson(1.5), p=_shares(appeal[shelf]))
            basket = np.unique(np.concatenate([bought, new]))
            at = begin + week * 7 * DAY + int(random.integers(DAY))
            rows += [(user, int(item), at + MINUTE * place) for place, item in enumerate(random.permutation(basket))]
    return _planted(rows, groups)


def sessions(users: int = 1_500, items: int = 3_000, topics: int = 60, seed: int = 2) -> Planted:
    random = np.random.default_rng(seed)
    groups = random.integers(topics, size=items)
    appeal = _zipf(random, items, 1.0)
    shelves = [np.flatnonzero(groups == topic) for topic in range(topics)]
    shares = [_shares(appeal[shelf]) for shelf in shelves]
    leads = np.stack([random.choice(shelves[group], 5, p=shares[group]) for group in groups])
    rows: list[tuple[int, int, int]] = []
    for user in range(users):
        begin, liked = START + int(random.integers(90 * DAY)), random.choice(topics, 3, replace=False)
        at = begin
        for _ in range(int(random.integers(4, 16))):
            if random.random() < 0.25:  # a taste goes, another comes
                liked[random.integers(3)] = random.integers(topics)
            topic, item, at = int(random.choice(liked)), -1, at + int(random.exponential(3 * DAY))
            for _ in range(2 + random.poisson(3)):
                followed = item >= 0 and random.random() < 0.5
                item = int(random.choice(leads[item])) if followed else int(random.choice(shelves[topic], p=shares[topic]))
                at += int(random.exponential(2 * MINUTE))
                rows.append((user, item, at))
    return _planted(rows, groups)


PLANTED: dict[str, Callable[[], Planted]] = {"groceries": groceries, "sessions": sessions}


def write_csvs(planted: Planted, folder: Path) -> dict[Kind, Schema]:
    """Write interactions.csv and items.csv, as an import takes them; the schemas that they are in."""
    folder.mkdir(parents=True, exist_ok=True)
    tables: dict[str, tuple[list[str], Iterable[Sequence[int | str]]]] = {
        "interactions": (
            ["USER_ID", "ITEM_ID", "TIMESTAMP"],
            zip(planted.users.tolist(), planted.items.tolist(), planted.times.tolist(), strict=True),
        ),
        "items": (["ITEM_ID", "GENRES"], ((item, f"g{group}") for item, group in enumerate(planted.groups.tolist()))),
    }
    for name, (header, rows) in tables.items():
        with (folder / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([header, *rows])
    return {"INTERACTIONS": parse_schema(json.dumps(INTERACTIONS)), "ITEMS": parse_schema(json.dumps(ITEMS))}


def _zipf(random: np.random.Generator, size: int, exponent: float) -> NDArray[np.float64]:
    return np.asarray(random.permutation(np.arange(1, size + 1)) ** -exponent)


def _shares(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(weights / weights.sum())


def _planted(rows: list[tuple[int, int, int]], groups: Ints) -> Planted:
    users, items, times = np.array(rows, np.int64).T
    return Planted(users, items, times, groups)
