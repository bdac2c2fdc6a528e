"""DynamoDB: a row for each item of each table, and the tables that no stack made."""

from __future__ import annotations

import inspect
import json
import time
from collections.abc import Callable
from typing import Any

from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import Item

from localaws.clients import Aws
from localaws.patching import follow, locate
from localaws.persistence.codec import decode, encode
from localaws.persistence.journal import Journal

_MODELS = "moto.dynamodb.models"
_TABLE = f"{_MODELS}.table:Table"
#: What a table is made from.
_DEFINITION = ("schema", "attr", "billing_mode", "ttl", "deletion_protection_enabled")


class Tables:
    """Items are written with the call that changes them; a table that is made finds those that it had."""

    def __init__(self, aws: Aws, journal: Journal) -> None:
        self._backend = dynamodb_backends[aws.account][aws.region]
        self._journal = journal

    def install(self) -> None:
        follow(f"{_TABLE}.put_item", lambda item, table, *_, **__: self._note(table.name, item.hash_key, item.range_key))
        follow(f"{_TABLE}.delete_item", lambda _, table, hash_key, range_key: self._note(table.name, hash_key, range_key))
        follow(f"{_MODELS}:DynamoDBBackend.update_item", self._noting_update())
        follow(f"{_MODELS}:DynamoDBBackend.create_table", lambda table, *_, **__: self._made(table))
        follow(f"{_MODELS}:DynamoDBBackend.update_time_to_live", lambda _, __, name, ___: self._note_table(name))
        follow(f"{_MODELS}:DynamoDBBackend.delete_table", lambda table, *_: self._gone(table.name))

    def restore(self, of_stacks: set[str]) -> None:
        """Make the tables anew that no stack will make."""
        for name, text in self._journal.database.read("table", "").items():
            if name not in of_stacks:
                self._make(name, decode(text))

    def expire(self) -> None:
        """Delete the items whose time has come. docs: amazondynamodb/latest/developerguide/TTL.html"""
        now = time.time()
        for table in list(self._backend.tables.values()):
            if table.ttl.get("TimeToLiveStatus") == "ENABLED":
                name = table.ttl["AttributeName"]
                expired = [item for item in table.all_items() if _is_past(item.attrs.get(name), now)]
                for item in expired:
                    table.delete_item(item.hash_key, item.range_key)
        self._journal.save()

    def _make(self, name: str, kept: dict[str, Any]) -> None:
        table = self._backend.create_table(
            name,
            schema=kept["schema"],
            throughput=None,
            attr=kept["attr"],
            global_indexes=kept["global_indexes"],
            indexes=kept["indexes"],
            streams=None,
            billing_mode=kept["billing_mode"],
            sse_specification=None,
            tags=[],
            deletion_protection_enabled=kept["deletion_protection_enabled"],
            warm_throughput=None,
        )
        table.ttl = kept["ttl"]

    def _noting_update(self) -> Callable[..., None]:
        takes = inspect.signature(locate(f"{_MODELS}:DynamoDBBackend.update_item")[2])

        def note(item: Any, *arguments: Any, **named: Any) -> None:
            table = self._backend.get_table(takes.bind(*arguments, **named).arguments["table_name"])
            self._note(table.name, item.hash_key, item.range_key)

        return note

    def _note(self, table: str, hash_key: Any, range_key: Any) -> None:
        key = json.dumps([[part.type, part.value] for part in (hash_key, range_key) if part is not None])

        def read() -> str | None:
            there = self._backend.tables.get(table)
            item = there and there.get_item(hash_key, range_key)
            return encode(item.to_json()["Attributes"]) if item else None

        self._journal.note(("item", table, key), read)

    def _note_table(self, name: str) -> None:
        def read() -> str | None:
            table = self._backend.tables.get(name)
            if table is None:
                return None
            described = table.describe()["TableDescription"]
            indexes = {
                "indexes": described.get("LocalSecondaryIndexes") or [],
                "global_indexes": described.get("GlobalSecondaryIndexes") or [],
            }
            return encode({part: getattr(table, part) for part in _DEFINITION} | indexes)

        self._journal.note(("table", "", name), read)

    def _made(self, table: Any) -> None:
        for text in self._journal.database.read("item", table.name).values():
            attributes = decode(text)
            item = Item(*_keys(table, attributes), attributes)
            if item.range_key is not None:
                table.items[item.hash_key][item.range_key] = item
            else:
                table.items[item.hash_key] = item
        self._note_table(table.name)

    def _gone(self, name: str) -> None:
        self._journal.database.drop("item", name)
        self._note_table(name)


def _is_past(attribute: Any, now: float) -> bool:
    """Whether a time-to-live attribute, in seconds since 1970, is a number that has passed; one of five years ago is none."""
    five_years = 5 * 365 * 24 * 3600
    return attribute is not None and attribute.type == "N" and now - five_years < float(attribute.value) < now


def _keys(table: Any, attributes: dict[str, Any]) -> tuple[Any, Any]:
    """The hash key and the range key (or None) of an item, in moto's types."""
    dynamo_type = locate("moto.dynamodb.models.dynamo_type:DynamoType")[2]
    names = (table.hash_key_attr, table.range_key_attr)
    hash_key, range_key = (dynamo_type(attributes[name]) if name else None for name in names)
    return hash_key, range_key
