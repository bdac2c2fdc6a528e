"""The keys of the tables: their attributes, for the stacks that make the tables and for all who read and write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Names of the partition key and, where there is one, the sort key; all are strings.
BATCH_LISTS = ("list",)
CATALOGUE = ("item_id",)
ERASURES = ("user_id",)
RECENT_ITEMS = ("user_id", "what")
RECORDS = ("record",)
RUNS = ("pk", "sk")
SEGMENTS = ("segment", "part")
#: The attribute with the second at which a row expires, in the tables whose rows do.
EXPIRES = "expires"


def key(attributes: tuple[str, ...], *values: str) -> dict[str, Any]:
    """The key of a row: `key(CATALOGUE, "i1")` is `{"item_id": {"S": "i1"}}`."""
    return {name: {"S": value} for name, value in zip(attributes, values, strict=True)}


def partition_of(row: Mapping[str, Any], attributes: tuple[str, ...]) -> str:
    """The value of a row's partition key: the id of a row of the catalogue."""
    return str(row[attributes[0]]["S"])
