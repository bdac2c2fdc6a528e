"""Keeps the records of the CSVs: whole, for later changes of some columns, and items in the catalogue table, from which answers
get their attributes and rules their values.

What the shop has put for an item or a user since a CSV was uploaded counts more than the CSV. Rows of both tables have
`received_at` (the time of the upload, or of the newest put or patch) and, if a CSV had the record, `loaded_from` (the fingerprint
of the CSVs that had it last) and `loaded_at` (the time of the upload whose columns were taken).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Literal

from lambdas.aws import clients
from lambdas.aws.tables import WRITE_BATCH, to_row, write_all
from lambdas.config import environment
from lambdas.stores import keys, whole_records
from lambdas.stores.erasures import all_erased
from lambdas.stores.whole_records import RecordKind, Whole, id_column, row_of
from lambdas.training.csv_files import csv_files, rows
from personalize_rules.imports import schema_columns
from personalize_rules.schemas import Schema
from personalize_rules.values import cell_reader

KINDS: dict[str, RecordKind] = {"items": "item", "users": "user"}
Kind = Literal["items", "users"]


def load_records(kind: Kind, schema: Schema, loaded_from: str, already: int, out_of_time: Callable[[], bool]) -> tuple[int, bool]:
    """Keep the records after the first `already`. Returns how many rows are done now, and whether those were all.

    `loaded_from` is the fingerprint of the CSVs.
    """
    id_name, erased = id_column(KINDS[kind]), frozenset(all_erased()) if kind == "users" else frozenset[str]()
    readers = {field.name: cell_reader(schema, field) for field in schema.fields if field.name != id_name}
    left = itertools.islice(_csv_rows(kind, schema), already, None)
    while batch := list(itertools.islice(left, WRITE_BATCH)):
        found = {row[id_name]: (columns_of(row, readers), uploaded) for row, uploaded in batch if row[id_name] not in erased}
        kept = whole_records.read(KINDS[kind], list(found))
        wholes = {id_: loaded(kept.get(id_), columns, uploaded, loaded_from) for id_, (columns, uploaded) in found.items()}
        keep(kind, schema, {id_: whole for id_, whole in wholes.items() if whole is not None}, kept)
        already += len(batch)
        if out_of_time():
            return already, False
    return already, True


def _csv_rows(kind: Kind, schema: Schema) -> Iterator[tuple[dict[str, str], int]]:
    """The rows of all CSVs of a dataset, as a stream, each with the time at which its file was uploaded."""
    for file in csv_files(kind):
        lines = rows(file)
        _, header = next(lines, ("", []))
        columns = schema_columns(schema, header)
        for _, cells in lines:
            yield dict(zip(columns, cells, strict=False)), file.modified


def columns_of(row: Mapping[str, str], readers: Mapping[str, Callable[[str], Any]]) -> dict[str, Any]:
    """The values of a CSV row. A cell that the schema does not allow is left out: the import of the file says what is wrong."""
    values = {}
    for name, read in readers.items():
        with suppress(ValueError):
            values[name] = read(row.get(name) or "")
    return {name: value for name, value in values.items() if value is not None}


def loaded(kept: Whole | None, columns: Mapping[str, Any], uploaded: int, loaded_from: str) -> Whole | None:
    """The record with what a CSV says; None if a newer put is known.

    What came by CSVs that there were before is not newer, whenever they were uploaded: these are all that there is now.
    """
    if kept is not None and kept.loaded_from != loaded_from and kept.put_at == kept.loaded_at:
        kept = replace(kept, put_at=0)
    whole = whole_records.put(kept, uploaded, columns)
    return whole and replace(whole, version=whole.version + 1, loaded_from=loaded_from, loaded_at=uploaded)


def keep(kind: Kind, schema: Schema, wholes: Mapping[str, Whole], kept: Mapping[str, Whole]) -> None:
    """Write records; of users, of whom there may be millions, only those that differ from what is kept."""
    if kind == "items":
        write_all(environment.current().catalogue_table, (_catalogue_row(schema, id_, whole) for id_, whole in wholes.items()))
    else:
        wholes = {id_: whole for id_, whole in wholes.items() if id_ not in kept or differs(whole, kept[id_])}
    write_all(environment.current().records_table, (row_of(KINDS[kind], id_, whole) for id_, whole in wholes.items()))


def differs(one: Whole, other: Whole) -> bool:
    return replace(one, version=0) != replace(other, version=0)


def _catalogue_row(schema: Schema, item_id: str, whole: Whole) -> dict[str, Any]:
    """A record as the catalogue keeps it."""
    when = {"received_at": whole.received_at, "loaded_from": whole.loaded_from, "loaded_at": whole.loaded_at}
    attributes = whole_records.attributes(schema, whole.columns)
    return to_row({keys.CATALOGUE[0]: item_id, "attributes": attributes, "version": whole.version, **when})


def remove_gone(kind: Kind, loaded_from: str, out_of_time: Callable[[], bool]) -> tuple[int, bool]:
    """Delete the records that the CSVs lack and that nobody put since. Returns how many, and whether those were all.

    A record that came by a CSV, and that was not put, goes when the CSVs lack it. One that was put goes if that was before the
    oldest of the CSVs was uploaded: of several files, the first may have been written before the put and the last after it.
    """
    files, removed = csv_files(kind), 0
    if not files:  # they were taken away since the run began
        return 0, True
    oldest = min(file.modified for file in files)
    values: dict[str, Any] = {":files": {"S": loaded_from}, ":oldest": {"N": str(oldest)}}
    expression = (
        "(attribute_not_exists(loaded_from) OR loaded_from <> :files) AND "
        "(attribute_not_exists(received_at) OR received_at <= :oldest OR received_at = loaded_at)"
    )
    for page in candidates(kind, expression, values):
        for id_ in page:
            removed += delete(kind, id_, {"ConditionExpression": expression, "ExpressionAttributeValues": values})
        if out_of_time():
            return removed, False
    return removed, True


def candidates(kind: Kind, expression: str, values: Mapping[str, Any]) -> Iterator[list[str]]:
    """The ids of those that may go, page by page."""
    scan = clients.dynamodb().get_paginator("scan")
    if kind == "items":
        pages = scan.paginate(
            TableName=environment.current().catalogue_table,
            ProjectionExpression=keys.CATALOGUE[0],
            FilterExpression=expression,
            ExpressionAttributeValues=values,
            ConsistentRead=True,
        )
        yield from ([keys.partition_of(row, keys.CATALOGUE) for row in page["Items"]] for page in pages)
        return
    pages = scan.paginate(
        TableName=environment.current().records_table,
        ProjectionExpression="#record",
        FilterExpression=f"begins_with(#record, :kind) AND {expression}",
        ExpressionAttributeNames={"#record": keys.RECORDS[0]},
        ExpressionAttributeValues={**values, ":kind": {"S": f"{KINDS[kind]}#"}},
        ConsistentRead=True,
    )
    yield from ([whole_records.id_of(row) for row in page["Items"]] for page in pages)


def delete(kind: Kind, id_: str, condition: Any) -> bool:
    """Delete a record everywhere, unless it was put a moment ago."""
    database = clients.dynamodb()
    places: list[tuple[str, Any]] = [(environment.current().records_table, whole_records.key_of(KINDS[kind], id_))]
    if kind == "items":
        places.append((environment.current().catalogue_table, keys.key(keys.CATALOGUE, id_)))
    try:
        for table, key in places:
            database.delete_item(TableName=table, Key=key, **condition)
    except database.exceptions.ConditionalCheckFailedException:
        return False
    return True
