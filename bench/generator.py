"""Synthetic shops of any size: the same seed gives the same data.

Items are as popular as Zipf's law says and belong to latent clusters; a user's number of events is lognormal. Each
user has three tastes and drifts from the first to the last. An event picks an item of the present taste or of
anywhere, returns to an item of the user's past, or follows on the item before it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

_USERS_PER_CHUNK = 2_000
_TASTES = 3
EVENT_TYPES = ("View", "Cart", "Purchase")
_EVENT_TYPE_SHARES = (0.8, 0.12, 0.08)
_WORDS = tuple("soft warm light dark wild quiet sharp round early late red green blue old new small large fine".split())  # noqa: SIM905


def _schema(name: str, *fields: dict[str, object]) -> str:
    namespace = "com.amazonaws.personalize.schema"
    return json.dumps({"type": "record", "name": name, "namespace": namespace, "fields": fields, "version": "1.0"})


def _field(name: str, kind: object = "string", **attributes: object) -> dict[str, object]:
    return {"name": name, "type": kind, **attributes}


SCHEMAS = {
    "INTERACTIONS": _schema(
        "Interactions",
        _field("USER_ID"),
        _field("ITEM_ID"),
        _field("TIMESTAMP", "long"),
        _field("EVENT_TYPE"),
        _field("EVENT_VALUE", ["float", "null"]),
    ),
    "ITEMS": _schema(
        "Items",
        _field("ITEM_ID"),
        _field("GENRES", ["null", "string"], categorical=True),
        _field("PRICE", ["null", "float"]),
        _field("CREATION_TIMESTAMP", "long"),
        _field("TITLE", itemName=True),
        _field("DESCRIPTION", ["null", "string"], textual=True),
    ),
    "USERS": _schema(
        "Users",
        _field("USER_ID"),
        _field("AGE", ["null", "int"]),
        _field("MEMBERSHIP", ["null", "string"], categorical=True),
    ),
}
"""The Avro schema of each dataset."""


@dataclass(frozen=True)
class Shop:
    """The parameters of a shop. `write_*` stream its datasets as CSV."""

    users: int
    items: int
    interactions: int
    seed: int = 0
    zipf: float = 0.8
    activity_sigma: float = 1.0
    explore_share: float = 0.2
    repeat_share: float = 0.1
    follow_share: float = 0.15
    start: int = 1_735_689_600
    days: int = 180

    def write_interactions(self, out: BinaryIO) -> None:
        """USER_ID, ITEM_ID, TIMESTAMP, EVENT_TYPE, EVENT_VALUE (the price of what was bought), user by user."""
        out.write(b"USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE,EVENT_VALUE\n")
        for users, items, times in self.events():
            types = self._random(10, int(users[0])).choice(3, len(users), p=_EVENT_TYPE_SHARES)
            prices = np.char.mod("%.2f", self._prices[items])
            values = np.where(types == 2, prices, "")
            rows = zip(users.tolist(), items.tolist(), times.tolist(), types.tolist(), values.tolist(), strict=True)
            out.write("".join([f"u{u},i{i},{t},{EVENT_TYPES[e]},{v}\n" for u, i, t, e, v in rows]).encode())

    def write_items(self, out: BinaryIO) -> None:
        """ITEM_ID, GENRES (its cluster, at times a second one), PRICE, CREATION_TIMESTAMP, TITLE, DESCRIPTION."""
        random = self._random(11)
        second = random.integers(0, self.clusters, self.items)
        has_second = random.random(self.items) < 0.3
        ages = random.integers(1, 1000, self.items)
        words = random.integers(0, len(_WORDS), (self.items, 5))
        out.write(b"ITEM_ID,GENRES,PRICE,CREATION_TIMESTAMP,TITLE,DESCRIPTION\n")
        for item, cluster in enumerate(self._cluster_of_item.tolist()):
            genres = f"genre{cluster}" + (f"|genre{second[item]}" if has_second[item] else "")
            text = " ".join([_WORDS[cluster % len(_WORDS)], *(_WORDS[word] for word in words[item])])
            created = self.start - 86_400 * int(ages[item])
            out.write(f'i{item},{genres},{self._prices[item]:.2f},{created},{text.split()[1].title()} {item},"{text}"\n'.encode())

    def write_users(self, out: BinaryIO) -> None:
        """USER_ID, AGE, MEMBERSHIP."""
        random = self._random(12)
        ages = random.integers(16, 90, self.users).tolist()
        memberships = random.choice(["basic", "silver", "gold"], self.users, p=[0.7, 0.2, 0.1]).tolist()
        out.write(b"USER_ID,AGE,MEMBERSHIP\n")
        for user, (age, membership) in enumerate(zip(ages, memberships, strict=True)):
            out.write(f"u{user},{age},{membership}\n".encode())

    def events(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
        """Users, items and times of all events in chunks, sorted by user and time."""
        counts = self._events_per_user
        for first in range(0, self.users, _USERS_PER_CHUNK):
            chunk = counts[first : first + _USERS_PER_CHUNK]
            if not chunk.sum():
                continue
            random = self._random(1, first)
            users = np.repeat(np.arange(len(chunk)), chunk)
            starts = np.repeat(np.cumsum(chunk) - chunk, chunk)
            order = np.arange(len(users)) - starts
            progress = _sorted_within(random.random(len(users)), users)
            items = self._pick_items(random, users, progress, len(chunk))
            items = self._with_returns(random, items, order, starts)
            times = self.start + (progress * self.days * 86_400).astype(np.int64)
            yield users + first, items, times

    def _pick_items(
        self, random: np.random.Generator, users: NDArray[np.int64], progress: NDArray[np.float64], count: int
    ) -> NDArray[np.int64]:
        """An item of one of the user's tastes, which drift with time, or of any cluster."""
        sizes = np.diff(self._cluster_bounds)
        tastes = random.choice(self.clusters, (count, _TASTES), p=sizes / sizes.sum())
        blurred = progress * _TASTES + random.normal(0, 0.7, len(users))
        clusters = tastes[users, np.clip(blurred, 0, _TASTES - 1).astype(np.int64)]
        explores = random.random(len(users)) < self.explore_share
        clusters[explores] = random.choice(self.clusters, int(explores.sum()), p=sizes / sizes.sum())
        low, high = self._cluster_bounds[clusters], self._cluster_bounds[clusters + 1]
        positions = np.searchsorted(self._weights_so_far, low + random.random(len(users)) * (high - low), "right")
        return self._items_by_cluster[np.minimum(positions, self.items - 1)]

    def _with_returns(
        self,
        random: np.random.Generator,
        items: NDArray[np.int64],
        order: NDArray[np.int64],
        starts: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """Some events repeat an earlier one of the user, some take the item that follows the one before."""
        draw = random.random(len(items))
        repeats = (draw < self.repeat_share) & (order > 0)
        follows = (draw >= self.repeat_share) & (draw < self.repeat_share + self.follow_share) & (order > 0)
        source = np.arange(len(items))
        source[repeats] = (starts + (random.random(len(items)) * order).astype(np.int64))[repeats]
        source[follows] -= 1
        steps = follows.astype(np.int64)
        while True:  # every round doubles the distance that an event looks back
            further = source[source]
            if np.array_equal(further, source):
                break
            steps, source = steps + steps[source], further
        followed: NDArray[np.int64] = (items[source] + steps * self.clusters) % self.items
        return followed

    def _random(self, *stream: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *stream])

    @property
    def clusters(self) -> int:
        return min(50, max(2, self.items // 25))

    @cached_property
    def _events_per_user(self) -> NDArray[np.int64]:
        activity = self._random(2).lognormal(0, self.activity_sigma, self.users)
        ends = np.floor(np.cumsum(activity) / activity.sum() * self.interactions + 0.5).astype(np.int64)
        counts: NDArray[np.int64] = np.diff(ends, prepend=0)
        return counts

    @cached_property
    def _cluster_of_item(self) -> NDArray[np.int64]:
        return np.arange(self.items) % self.clusters

    @cached_property
    def _items_by_cluster(self) -> NDArray[np.int64]:
        return np.argsort(self._cluster_of_item, kind="stable")

    @cached_property
    def _weights_so_far(self) -> NDArray[np.float64]:
        """Running sum of the popularity of the items, cluster after cluster."""
        weights = self._random(3).permutation(np.arange(1, self.items + 1, dtype=np.float64) ** -self.zipf)
        return np.cumsum(weights[self._items_by_cluster])

    @cached_property
    def _cluster_bounds(self) -> NDArray[np.float64]:
        sizes = np.bincount(self._cluster_of_item, minlength=self.clusters)
        return np.concatenate([[0.0], np.concatenate([[0.0], self._weights_so_far])[np.cumsum(sizes)]])

    @cached_property
    def _prices(self) -> NDArray[np.float64]:
        return np.round(self._random(4).lognormal(3, 0.8, self.items), 2)


def _sorted_within(values: NDArray[np.float64], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    return values[np.lexsort((values, groups))]


def main() -> None:
    parser = argparse.ArgumentParser(description="Writes the datasets of a synthetic shop as CSV.")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--users", type=int, default=1_000)
    parser.add_argument("--items", type=int, default=500)
    parser.add_argument("--interactions", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.directory.mkdir(parents=True, exist_ok=True)
    shop = Shop(options.users, options.items, options.interactions, options.seed)
    for name in ("interactions", "items", "users"):
        with (options.directory / f"{name}.csv").open("wb") as out:
            getattr(shop, f"write_{name}")(out)
        (options.directory / f"{name}.schema.json").write_text(SCHEMAS[name.upper()] + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
