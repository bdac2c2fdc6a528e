"""The last whole record of each item and user, free text included: what a change of some columns is merged into.

A put sets all columns as of its time, a patch some of them: of each column the newest value counts, in whatever order they come.
The table is out of the way of serving. Rows: `record` (`item#i1`), `columns` and `changed` (JSON), `put_at`, `received_at` (the
newest of all times, milliseconds since 1970), `version`, and of those that a CSV had `loaded_from` and `loaded_at` (see
import_data).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from lambdas.aws import clients
from lambdas.aws.tables import delete_all, from_row, read_all, to_row
from lambdas.config import environment
from lambdas.stores import keys
from personalize_rules.schemas import Schema

RecordKind = Literal["item", "user"]
_Columns = Mapping[str, Any]


@dataclass(frozen=True)
class Whole:
    """A record: its columns, when all of them were put, and when some were changed after that."""

    columns: _Columns
    put_at: int
    changed: Mapping[str, int] = field(default_factory=dict)
    version: int = 0
    loaded_from: str | None = None
    loaded_at: int | None = None

    @property
    def received_at(self) -> int:
        return max([self.put_at, *self.changed.values()])


def id_column(kind: RecordKind) -> str:
    """`ITEM_ID`, `USER_ID`."""
    return f"{kind.upper()}_ID"


def put(kept: Whole | None, at: int, columns: _Columns) -> Whole | None:
    """The record after a put of all its columns; None if a newer put is known.

    >>> changed = Whole({"PRICE": 5, "STOCK": 0}, put_at=1, changed={"STOCK": 3})
    >>> put(changed, 2, {"PRICE": 7, "STOCK": 9}).columns
    {'PRICE': 7, 'STOCK': 0}
    """
    if kept is None:
        return Whole(dict(columns), at)
    if at < kept.put_at:
        return None
    later = {name: time for name, time in kept.changed.items() if time >= at}
    merged = {name: value for name, value in columns.items() if name not in later}
    merged |= {name: value for name, value in kept.columns.items() if name in later}
    return replace(kept, columns=merged, put_at=at, changed=later)


def patch(kept: Whole, at: int, changes: _Columns) -> Whole | None:
    """The record after a change of some columns, where None clears one; None if newer values of all of them are known."""
    taken = {name: value for name, value in changes.items() if at >= kept.changed.get(name, kept.put_at)}
    if not taken:
        return None
    merged = {name: value for name, value in {**kept.columns, **taken}.items() if value is not None}
    return replace(kept, columns=merged, changed={**kept.changed, **dict.fromkeys(taken, at)})


def attributes(schema: Schema, row: _Columns) -> dict[str, Any]:
    """What the catalogue keeps of a record: categories as lists, no free text."""
    kept = {}
    for name, value in row.items():
        field = schema.column(name)
        if field is None or field.textual:
            continue
        if field.categorical:
            value = value.split("|")
        kept[name] = value
    return kept


def key_of(kind: RecordKind, id_: str) -> dict[str, Any]:
    """The key of a row. An id may hold any character: it comes last."""
    return keys.key(keys.RECORDS, f"{kind}#{id_}")


def id_of(row: Mapping[str, Any]) -> str:
    return keys.partition_of(row, keys.RECORDS).partition("#")[2]


def row_of(kind: RecordKind, id_: str, whole: Whole) -> dict[str, Any]:
    values: dict[str, Any] = {
        "columns": json.dumps(whole.columns, ensure_ascii=False),
        "changed": json.dumps(whole.changed),
        "put_at": whole.put_at,
        "received_at": whole.received_at,
        "version": whole.version,
        "loaded_from": whole.loaded_from,
        "loaded_at": whole.loaded_at,
    }
    return key_of(kind, id_) | to_row({name: value for name, value in values.items() if value is not None})


def read(kind: RecordKind, ids: Sequence[str]) -> dict[str, Whole]:
    """Those of the records that there are, by id."""
    rows = read_all(clients.dynamodb(), environment.current().records_table, [key_of(kind, id_) for id_ in ids], consistent=True)
    return {id_of(row): _whole(row) for row in rows}


def write(kind: RecordKind, id_: str, whole: Whole, over: Whole | None) -> bool:
    """Write a record in the place of the one that was read, `over`. False if there is another one by now."""
    values: dict[str, Any] = {":version": {"N": str(over.version)}} if over else {}
    condition = "version = :version" if over else "attribute_not_exists(version)"
    extra: Any = {"ExpressionAttributeValues": values} if values else {}
    try:
        clients.dynamodb().put_item(
            TableName=environment.current().records_table, Item=row_of(kind, id_, whole), ConditionExpression=condition, **extra
        )
    except clients.dynamodb().exceptions.ConditionalCheckFailedException:
        return False
    return True


def delete_users(user_ids: Iterable[str]) -> None:
    """Delete the records of users."""
    delete_all(environment.current().records_table, (key_of("user", user_id) for user_id in user_ids))


def _whole(row: Mapping[str, Any]) -> Whole:
    values = from_row(row)
    loaded_at = values.get("loaded_at")
    return Whole(
        columns=json.loads(values["columns"]),
        put_at=int(values["put_at"]),
        changed=json.loads(values["changed"]),
        version=int(values["version"]),
        loaded_from=values.get("loaded_from"),
        loaded_at=None if loaded_at is None else int(loaded_at),
    )
