"""Changes of items and users as the queue holds them, and the records that they make."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import Base64Str, BaseModel, ValidationError

from lambdas.config import Config
from lambdas.config.events import NO_ID
from lambdas.config.schemas import KINDS, DatasetKind
from lambdas.ingestion.put_records.rows import Unusable, complete, properties_text, read_columns
from lambdas.stores import whole_records
from lambdas.stores.whole_records import RecordKind, Whole, id_column
from personalize_rules.csv import has_room_for
from personalize_rules.limits import MAX_ID, MAX_RECORD_PROPERTIES
from personalize_rules.schemas import Schema

DATASETS: dict[RecordKind, DatasetKind] = {"item": "items", "user": "users"}


class UnknownRecord(Unusable):
    """A change of a record that nobody put or imported, or whose put has not come yet."""


class RecordMessage(BaseModel):
    """A message of the queue: when the API took it and its id; in base64 the id in the API's logs, the record's id, the body."""

    kind: RecordKind
    change: Literal["put", "patch"] = "put"
    received_at: int
    id: str
    request_id: Base64Str = ""
    record_id: str
    body: str


@dataclass(frozen=True)
class Change:
    """A put of all columns of a record, or a patch of some. `again`: it was given out before, and may have been put then."""

    message_id: str
    kind: RecordKind
    id: str
    received_at: int
    whole: bool
    columns: dict[str, Any]
    request_id: str
    again: bool


@dataclass(frozen=True)
class Row:
    """A record ready to be put, what it replaces, and the changes that made it."""

    kind: RecordKind
    id: str
    over: Whole | None
    whole: Whole
    properties: str
    changes: tuple[Change, ...]


def read_message(config: Config, message: Mapping[str, Any]) -> Change:
    """The change in a message. Raises Unusable."""
    try:
        read = RecordMessage.model_validate_json(message["body"])
        record_id, body = b64decode(read.record_id).decode(), b64decode(read.body).decode()
    except (ValidationError, ValueError):
        raise Unusable("the message is not one of the API's") from None
    if not 1 <= len(record_id) <= MAX_ID:
        raise Unusable(f"{read.kind}_id: has no character, or more than {MAX_ID} characters")
    if not has_room_for(record_id):
        raise Unusable(f"{read.kind}_id: {NO_ID}")
    try:
        given = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unusable(f"the body can't be read: {error}") from None
    columns = read_columns(schema_of(config, read.kind), id_column(read.kind), given)
    whole, request = read.change == "put", read.request_id
    again = int(message.get("attributes", {}).get("ApproximateReceiveCount", 1)) > 1
    change = Change(message["messageId"], read.kind, record_id, read.received_at, whole, columns, request, again)
    if change.whole:
        record_of(config, read.kind, columns)
    return change


def schema_of(config: Config, kind: RecordKind) -> Schema:
    dataset = config.datasets.present().get(DATASETS[kind])
    if dataset is None:
        raise Unusable(f"the deployment has no dataset of {kind}s")
    return dataset.avro


def record_of(config: Config, kind: RecordKind, columns: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """A whole record's columns, and the text that the service takes. Raises Unusable."""
    found = complete(schema_of(config, kind), id_column(kind), columns)
    return found, properties_text(found, MAX_RECORD_PROPERTIES[KINDS[DATASETS[kind]]])


def by_record(changes: Sequence[Change]) -> dict[tuple[RecordKind, str], tuple[Change, ...]]:
    """The changes of each record, in the order of their receipt, patches behind a put of the same moment."""
    found: dict[tuple[RecordKind, str], tuple[Change, ...]] = {}
    for change in sorted(changes, key=lambda change: (change.received_at, not change.whole)):
        found[change.kind, change.id] = (*found.get((change.kind, change.id), ()), change)
    return found


@dataclass(frozen=True)
class _Merged:
    """What the changes of one record make of it: a row to put, unless none has anything new; and those that can't be made."""

    row: Row | None
    refused: tuple[tuple[Change, Unusable], ...]


def merge(config: Config, kept: Whole | None, changes: Sequence[Change], put_before: bool = False) -> _Merged:
    """Apply changes to the record that is kept. One that can't be made leaves the others.

    `put_before` says that some of them may have been put already, after the newer one that is kept: then that is put again.
    """
    whole, made, refused, properties = kept, list[Change](), [], ""
    for change in changes:
        try:
            merged = _applied(whole, change)
            if merged is None:
                continue  # newer values are known
            columns, properties = record_of(config, change.kind, merged.columns)
        except Unusable as error:
            refused.append((change, error))
            continue
        whole = replace(merged, columns=columns)
        made.append(change)
    wrong = {change.message_id for change, _ in refused}
    if not made and put_before and whole is not None:
        made = [change for change in changes if change.message_id not in wrong]
        _, properties = record_of(config, changes[0].kind, whole.columns)
    if not made or whole is None:
        return _Merged(None, tuple(refused))
    first = made[0]
    return _Merged(Row(first.kind, first.id, kept, whole, properties, tuple(made)), tuple(refused))


def _applied(whole: Whole | None, change: Change) -> Whole | None:
    if change.whole:
        return whole_records.put(whole, change.received_at, change.columns)
    if whole is None:
        raise UnknownRecord(f"there is no {change.kind} of this id: put it whole first")
    return whole_records.patch(whole, change.received_at, change.columns)


def batches(rows: Sequence[Row], most: int) -> Iterator[list[Row]]:
    """Rows of one kind, at most so many at once."""
    for kind in DATASETS:
        of_kind = [row for row in rows if row.kind == kind]
        yield from (of_kind[start : start + most] for start in range(0, len(of_kind), most))
