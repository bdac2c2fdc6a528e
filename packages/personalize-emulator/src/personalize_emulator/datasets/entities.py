"""Items, users and actions: the newest record of each id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from personalize_emulator.datasets.columns import Table, column_of, take
from personalize_emulator.datasets.tables import Entities
from personalize_rules.schemas import Schema


def unique_by_id(table: Table, id_field: str) -> Table:
    """The last row of each id."""
    codes = table[id_field].codes
    last = np.full(len(table[id_field].vocabulary), -1, dtype=np.int64)
    np.maximum.at(last, codes, np.arange(len(codes)))
    return table if len(last) == len(codes) else take(table, np.sort(last[last >= 0]))


def to_entities(schema: Schema, table: Table) -> Entities:
    columns = {name: column for name, column in table.items() if name != schema.id_field}
    item_name = next((field.name for field in schema.fields if field.item_name), None)
    return Entities(schema.kind, table[schema.id_field].values, columns, item_name=item_name)


def empty_entities(schema: Schema) -> Entities:
    return to_entities(schema, {field.name: column_of(field, []) for field in schema.fields})


def patched(schema: Schema, entities: Entities, records: Sequence[tuple[str, Mapping[str, Any]]], version: int) -> Entities:
    """The entities after some records were put; each replaces the one with its id."""
    if not records:
        return replace(entities, version=version)
    index = dict(entities.index)
    rows = np.array([index.setdefault(key, len(index)) for key, _ in records], dtype=np.int64)
    columns = {
        name: column.patched(rows, [values.get(name) for _, values in records], len(index))
        for name, column in entities.columns.items()
    }
    ids = np.array(list(index), dtype=object) if len(index) > len(entities) else entities.ids
    result = replace(entities, ids=ids, columns=columns, version=version)
    result.__dict__["index"] = index
    return result
