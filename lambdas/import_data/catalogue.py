"""Copies the items of the CSVs into the catalogue table, from which answers get their attributes and rules their values."""

from __future__ import annotations

import csv
import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Set
from typing import Any

from lambdas.shared.csv_files import csv_files, lines
from lambdas.shared.schemas import AvroSchema, cell_reader
from lambdas.shared.tables import WRITE_BATCH, serialize, write_all


def load_catalogue(schema: AvroSchema, already: int, out_of_time: Callable[[], bool]) -> tuple[int, bool]:
    """Write the items after the first `already`. Returns how many rows are done now, and whether those were all."""
    rows = itertools.islice(item_rows(), already, None)
    readers = {field.name: cell_reader(field) for field in schema.fields if field.name != "ITEM_ID" and not field.textual}
    categories = {field.name for field in schema.fields if field.categorical}
    while batch := list(itertools.islice(rows, WRITE_BATCH)):
        items = {row["ITEM_ID"]: catalogue_item(row, readers, categories) for row in batch}
        write_all(os.environ["CATALOGUE_TABLE"], items.values())
        already += len(batch)
        if out_of_time():
            return already, False
    return already, True


def item_rows() -> Iterator[dict[str, str]]:
    """The rows of all item CSVs, as a stream."""
    for file in csv_files("items"):
        yield from csv.DictReader(lines(file))


def catalogue_item(row: Mapping[str, str], readers: Mapping[str, Callable[[str], Any]], categories: Set[str]) -> dict[str, Any]:
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
    return {"item_id": serialize(row["ITEM_ID"]), "attributes": serialize(attributes)}
