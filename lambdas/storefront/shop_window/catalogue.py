"""The shop's items for pages that browse and search: the catalogue table, read whole and kept for a few minutes.

A shop has a search engine of its own; this one is for looking around, and says so where the catalogue is larger than it reads.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lambdas.aws import clients
from lambdas.aws.tables import deserialize
from lambdas.config import environment
from lambdas.stores import keys

#: Seconds for which items are kept, for which an empty catalogue is (until the first train run), and how many are read at most.
_FRESH, _AGAIN, MOST = 300.0, 2.0, 10_000


@dataclass(frozen=True)
class Catalogue:
    """Items by id with their attributes; `whole` unless there are more than were read."""

    items: Mapping[str, Mapping[str, Any]]
    whole: bool


_kept: tuple[float, Catalogue] | None = None


def catalogue() -> Catalogue:
    """At most five minutes old. Raises ClientError or BotoCoreError where there is none to go on with."""
    global _kept
    if _kept is None or time.monotonic() - _kept[0] > (_FRESH if _kept[1].items else _AGAIN):
        _kept = time.monotonic(), _read()
    return _kept[1]


def _read() -> Catalogue:
    found: dict[str, Mapping[str, Any]] = {}
    pages = clients.dynamodb().get_paginator("scan").paginate(TableName=environment.current().catalogue_table)
    for page in pages:
        found |= {keys.partition_of(row, keys.CATALOGUE): deserialize(row["attributes"]) for row in page["Items"]}
        if len(found) >= MOST:
            return Catalogue(dict(list(found.items())[:MOST]), "LastEvaluatedKey" not in page and len(found) == MOST)
    return Catalogue(found, True)


def categories(of: Catalogue, column: str | None) -> list[dict[str, Any]]:
    """The values of the column and how many items have each, the most frequent first."""
    counted = Counter(value for attributes in of.items.values() for value in values(attributes, column))
    return [{"name": name, "items": count} for name, count in sorted(counted.items(), key=lambda entry: (-entry[1], entry[0]))]


def matching(of: Catalogue, words: str, columns: Iterable[str], most: int) -> list[dict[str, Any]]:
    """Items in whose columns all of the words begin a word; those whose title begins with them come first."""
    wanted = words.casefold().split()
    found = []
    for item_id, attributes in of.items.items():
        texts = [value.casefold() for column in columns for value in values(attributes, column)]
        spaced = " " + " ".join(texts).replace("-", " ")
        if wanted and all(f" {word}" in spaced for word in wanted):
            found.append((not texts[0].startswith(wanted[0]), texts[0], item_id, attributes))
    return [_item(item_id, attributes) for _, _, item_id, attributes in sorted(found, key=lambda entry: entry[:3])[:most]]


def of_category(of: Catalogue, column: str | None, category: str, most: int) -> list[dict[str, Any]]:
    """The first items of a category, by id."""
    found = [_item(item_id, attributes) for item_id, attributes in of.items.items() if category in values(attributes, column)]
    return sorted(found, key=lambda item: str(item["item_id"]))[:most]


def named(of: Catalogue, item_ids: Iterable[str]) -> list[dict[str, Any]]:
    """Those of the items that there are."""
    return [_item(item_id, of.items[item_id]) for item_id in item_ids if item_id in of.items]


def values(attributes: Mapping[str, Any], column: str | None) -> list[str]:
    """A column's values as texts: categorical columns may have several."""
    value = attributes.get(column) if column else None
    return [] if value is None else [str(each) for each in (value if isinstance(value, list) else [value])]


def _item(item_id: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {"item_id": item_id, "attributes": attributes}


def forget() -> None:
    """Begin anew, as a new worker does."""
    global _kept
    _kept = None
