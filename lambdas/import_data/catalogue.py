"""Copies the items of the CSVs into the catalogue table, from which answers get their attributes and rules their values.

What the shop has put for an item since a CSV was uploaded counts more than the CSV. Rows: `item_id`, `attributes`, `received_at`
(the time of the upload or of the put); of those that a CSV had, also `loaded_from` (the fingerprint of the CSVs that had it last)
and `loaded_at` (the time of the upload whose attributes were written).
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import suppress
from typing import Any

from lambdas.shared import clients
from lambdas.shared.csv_files import csv_files, rows
from lambdas.shared.tables import WRITE_BATCH, read_all, to_row, write_all
from personalize_rules.imports import schema_columns
from personalize_rules.schemas import Schema
from personalize_rules.values import cell_reader


def load_catalogue(schema: Schema, loaded_from: str, already: int, out_of_time: Callable[[], bool]) -> tuple[int, bool]:
    """Write the items after the first `already`. Returns how many rows are done now, and whether those were all.

    `loaded_from` is the fingerprint of the CSVs.
    """
    rows = itertools.islice(item_rows(schema), already, None)
    readers = {field.name: cell_reader(schema, field) for field in schema.fields if field.name != "ITEM_ID" and not field.textual}
    categories = {field.name for field in schema.fields if field.categorical}
    while batch := list(itertools.islice(rows, WRITE_BATCH)):
        items = {row["ITEM_ID"]: catalogue_item(row, uploaded, loaded_from, readers, categories) for row, uploaded in batch}
        kept = newer(items)
        write_all(os.environ["CATALOGUE_TABLE"], (item for name, item in items.items() if name not in kept))
        already += len(batch)
        if out_of_time():
            return already, False
    return already, True


def remove_gone(loaded_from: str, out_of_time: Callable[[], bool]) -> tuple[int, bool]:
    """Delete the rows that the CSVs lack and that nobody put since. Returns how many, and whether those were all.

    A row that came by a CSV, and that was not put, goes when the CSVs lack it. One that was put goes if that was before the
    oldest of the CSVs was uploaded: of several files, the first may have been written before the put and the last after it.
    """
    table, database, removed = os.environ["CATALOGUE_TABLE"], clients.dynamodb(), 0
    files = csv_files("items")
    if not files:  # they were taken away since the run began
        return 0, True
    oldest = min(file.modified for file in files)
    gone: dict[str, Any] = {"ExpressionAttributeValues": {":files": {"S": loaded_from}, ":oldest": {"N": str(oldest)}}}
    expression = (
        "(attribute_not_exists(loaded_from) OR loaded_from <> :files) AND "
        "(attribute_not_exists(received_at) OR received_at <= :oldest OR received_at = loaded_at)"
    )
    pages = database.get_paginator("scan").paginate(
        TableName=table, ProjectionExpression="item_id", FilterExpression=expression, ConsistentRead=True, **gone
    )
    for page in pages:
        for row in page["Items"]:
            with suppress(database.exceptions.ConditionalCheckFailedException):  # put a moment ago
                database.delete_item(TableName=table, Key={"item_id": row["item_id"]}, ConditionExpression=expression, **gone)
                removed += 1
        if out_of_time():
            return removed, False
    return removed, True


def item_rows(schema: Schema) -> Iterator[tuple[dict[str, str], int]]:
    """The rows of all item CSVs, as a stream, each with the time at which its file was uploaded."""
    for file in csv_files("items"):
        lines = rows(file)
        _, header = next(lines, ("", []))
        columns = schema_columns(schema, header)
        for _, cells in lines:
            yield dict(zip(columns, cells, strict=False)), file.modified


def newer(items: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Those of which the table has something newer: put by the shop, or from another of these CSVs."""
    keys = [{"item_id": item["item_id"]} for item in items.values()]
    rows = read_all(clients.dynamodb(), os.environ["CATALOGUE_TABLE"], keys, consistent=True)
    return {row["item_id"]["S"] for row in rows if is_newer(row, items[row["item_id"]["S"]])}


def is_newer(row: Mapping[str, Any], item: Mapping[str, Any]) -> bool:
    """What came by CSVs that there were before is not newer, whenever they were uploaded: these are all that there is now."""
    by_earlier_csvs = row.get("received_at") == row.get("loaded_at") and row.get("loaded_from") != item["loaded_from"]
    return not by_earlier_csvs and received_at(row) > received_at(item)


def received_at(row: Mapping[str, Any]) -> int:
    """In milliseconds since 1970; 0 where the row does not tell."""
    return int(row.get("received_at", {"N": 0})["N"])


def catalogue_item(
    row: Mapping[str, str],
    uploaded: int,
    loaded_from: str,
    readers: Mapping[str, Callable[[str], Any]],
    categories: Set[str],
) -> dict[str, Any]:
    """A CSV row as the table keeps it: numbers as numbers, categories as lists, free text left out.

    A cell that the schema does not allow is left out too: the import of the same file says what is wrong with it.
    """
    attributes = {}
    for name, read in readers.items():
        try:
            value = read(row.get(name) or "")
        except ValueError:
            continue
        if name in categories and value is not None:
            value = value.split("|")
        if value is not None:
            attributes[name] = value
    when = {"received_at": uploaded, "loaded_from": loaded_from, "loaded_at": uploaded}
    return to_row({"item_id": row["ITEM_ID"], "attributes": attributes, **when})
