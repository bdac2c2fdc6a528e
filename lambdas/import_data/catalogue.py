"""Copies the items of the CSVs into the catalogue table, from which answers get their attributes and rules their values.

What the shop has put for an item since a CSV was uploaded counts more than the CSV.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Set
from typing import Any

from lambdas.shared import clients
from lambdas.shared.csv_files import csv_files, rows
from lambdas.shared.tables import WRITE_BATCH, read_all, to_row, write_all
from personalize_rules.imports import schema_columns
from personalize_rules.schemas import Schema
from personalize_rules.values import cell_reader


def load_catalogue(schema: Schema, already: int, out_of_time: Callable[[], bool]) -> tuple[int, bool]:
    """Write the items after the first `already`. Returns how many rows are done now, and whether those were all."""
    rows = itertools.islice(item_rows(schema), already, None)
    readers = {field.name: cell_reader(schema, field) for field in schema.fields if field.name != "ITEM_ID" and not field.textual}
    categories = {field.name for field in schema.fields if field.categorical}
    while batch := list(itertools.islice(rows, WRITE_BATCH)):
        items = {row["ITEM_ID"]: catalogue_item(row, uploaded, readers, categories) for row, uploaded in batch}
        put_since = newer(items)
        write_all(os.environ["CATALOGUE_TABLE"], (item for name, item in items.items() if name not in put_since))
        already += len(batch)
        if out_of_time():
            return already, False
    return already, True


def item_rows(schema: Schema) -> Iterator[tuple[dict[str, str], int]]:
    """The rows of all item CSVs, as a stream, each with the time at which its file was uploaded."""
    for file in csv_files("items"):
        lines = rows(file)
        _, header = next(lines, ("", []))
        columns = schema_columns(schema, header)
        for _, cells in lines:
            yield dict(zip(columns, cells, strict=False)), file.modified


def newer(items: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Those of which the table has something newer."""
    keys = [{"item_id": item["item_id"]} for item in items.values()]
    rows = read_all(clients.dynamodb(), os.environ["CATALOGUE_TABLE"], keys, consistent=True)
    return {row["item_id"]["S"] for row in rows if received_at(row) > received_at(items[row["item_id"]["S"]])}


def received_at(row: Mapping[str, Any]) -> int:
    """In milliseconds since 1970; 0 where the row does not tell."""
    return int(row.get("received_at", {"N": 0})["N"])


def catalogue_item(
    row: Mapping[str, str], uploaded: int, readers: Mapping[str, Callable[[str], Any]], categories: Set[str]
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
    return to_row({"item_id": row["ITEM_ID"], "attributes": attributes, "received_at": uploaded})
