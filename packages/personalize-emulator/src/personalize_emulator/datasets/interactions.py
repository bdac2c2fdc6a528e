"""Interactions and action interactions: sorted, without duplicates, and by user."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from personalize_emulator.datasets.columns import Column, Table, Vocabulary, table_of, take
from personalize_emulator.datasets.tables import Interactions
from personalize_rules.schemas import Kind, Schema
from personalize_rules.values import event_type_key


def item_column(kind: Kind) -> str:
    """The column that holds what was interacted with."""
    return "ACTION_ID" if kind == "ACTION_INTERACTIONS" else "ITEM_ID"


def event_table(schema: Schema, rows: Sequence[tuple[Any, ...]]) -> Table:
    """A table of streamed events; a user that is still unknown goes by the session id."""
    names = (item_column(schema.kind), "TIMESTAMP", "EVENT_TYPE", "EVENT_VALUE")
    return table_of(
        schema,
        [{"USER_ID": owner, **dict(zip(names, values, strict=True)), **columns} for _, owner, *values, columns in rows],
    )


def sorted_unique(table: Table) -> Table:
    """The rows sorted by user id, then time, else in the given order; of identical rows the first is kept."""
    ordered = dict(table)
    ordered["USER_ID"] = _with_sorted_vocabulary(table["USER_ID"])
    order = np.lexsort((table["TIMESTAMP"].values, ordered["USER_ID"].codes))
    ordered = take(ordered, order)
    duplicates = _duplicates(ordered)
    return take(ordered, ~duplicates) if duplicates.any() else ordered


def _with_sorted_vocabulary(column: Column) -> Column:
    texts = column.vocabulary
    order = sorted(range(len(texts)), key=texts.__getitem__)
    rank = np.empty(len(texts), dtype=np.int32)
    rank[order] = np.arange(len(texts), dtype=np.int32)
    vocabulary = Vocabulary(texts[position] for position in order)
    return Column(column.kind, codes=rank[column.codes], vocabulary=vocabulary)


def _duplicates(table: Table) -> NDArray[np.bool_]:
    """Marks the rows that repeat an earlier one; the table is sorted by user and time."""
    users, timestamps = table["USER_ID"].codes, table["TIMESTAMP"].values
    same = (users[1:] == users[:-1]) & (timestamps[1:] == timestamps[:-1])
    marked = np.zeros(len(users), dtype=np.bool_)
    if not same.any():
        return marked
    tied = np.flatnonzero(np.concatenate([same, [False]]) | np.concatenate([[False], same]))
    keys = [_comparable(column.take(tied)) for column in table.values()]
    order = np.lexsort(keys)
    repeats = np.logical_and.reduce([key[order][1:] == key[order][:-1] for key in keys])
    # lexsort is stable: in a run of equal rows the first is the oldest
    marked[tied[order[1:][repeats]]] = True
    return marked


def _comparable(column: Column) -> NDArray[np.int64]:
    """Numbers that are equal where the values are; null equals null."""
    return column.codes.astype(np.int64) if column.is_text else column.values.view(np.int64)


def to_interactions(table: Table, kind: Kind) -> Interactions:
    """The table, which is sorted, in the form that training reads."""
    items = table[item_column(kind)]
    types, values = table.get("EVENT_TYPE"), table.get("EVENT_VALUE")
    own = {"USER_ID", item_column(kind), "TIMESTAMP", "EVENT_TYPE", "EVENT_VALUE"}
    length = len(items)
    return Interactions(
        user_ids=np.array(table["USER_ID"].vocabulary, dtype=object),
        item_ids=np.array(items.vocabulary, dtype=object),
        users=table["USER_ID"].codes,
        items=items.codes,
        timestamps=table["TIMESTAMP"].values.astype(np.int64),
        event_types=types.codes.astype(np.int16) if types else np.full(length, -1, np.int16),
        event_type_names=list(types.vocabulary) if types else [],
        event_values=values.values.astype(np.float32) if values else np.full(length, np.nan, np.float32),
        columns={name: column for name, column in table.items() if name not in own},
    )


def no_interactions() -> Interactions:
    """What is trained on where there is no Interactions dataset."""
    ids, times = np.empty(0, dtype=object), np.empty(0)
    table = {"USER_ID": Column("string", ids), "ITEM_ID": Column("string", ids), "TIMESTAMP": Column("number", times)}
    return to_interactions(table, "INTERACTIONS")


@dataclass
class Rows:
    """Some events of one user, oldest first, as codes of the item column."""

    items: NDArray[np.int32]
    timestamps: NDArray[np.float64]


@dataclass
class InteractionsByUser:
    """Look-up by user in a sorted table, which may be memory-mapped."""

    table: Table
    kind: Kind
    event_types: list[str] = field(init=False)
    """The keys of the event types, by code; different spellings may have the same."""

    def __post_init__(self) -> None:
        self._user_ids = self.table["USER_ID"].vocabulary
        users = self.table["USER_ID"].codes
        self._starts = np.searchsorted(users, np.arange(len(self._user_ids) + 1))
        types = self.table.get("EVENT_TYPE")
        self.event_types = [event_type_key(name, self.kind) for name in types.vocabulary] if types else []

    def __len__(self) -> int:
        return len(self.table["USER_ID"])

    @property
    def user_ids(self) -> list[str]:
        return self._user_ids

    @property
    def item_ids(self) -> list[str]:
        return self.table[item_column(self.kind)].vocabulary

    def rows_of(self, user_id: str) -> slice:
        """The rows of a user, oldest first; none for an unknown one."""
        user = bisect_left(self._user_ids, user_id)
        if user == len(self._user_ids) or self._user_ids[user] != user_id:
            return slice(0, 0)
        return slice(int(self._starts[user]), int(self._starts[user + 1]))

    def history(self, user_id: str, limit: int) -> list[tuple[str, int, str | None, float | None]]:
        """Item, time, event type and value of the newest events of a user, oldest first."""
        rows = self.rows_of(user_id)
        rows = slice(max(rows.start, rows.stop - limit), rows.stop)
        types, values = self.table.get("EVENT_TYPE"), self.table.get("EVENT_VALUE")
        none = [None] * (rows.stop - rows.start)
        return list(
            zip(
                [self.item_ids[code] for code in self._items[rows].tolist()],
                self._timestamps[rows].astype(np.int64).tolist(),
                [types.vocabulary[code] for code in types.codes[rows].tolist()] if types else none,
                [None if isnan(value) else value for value in values.values[rows].tolist()] if values else none,
                strict=True,
            )
        )

    def newest(self, user_id: str, type_key: str, limit: int) -> Rows:
        """The newest events of a user of one event type."""
        rows = self.rows_of(user_id)
        codes = [code for code, key in enumerate(self.event_types) if key == type_key]
        types = self._types[rows]
        chosen = np.flatnonzero(types == codes[0] if len(codes) == 1 else np.isin(types, codes))[-limit:]
        return Rows(self._items[rows][chosen], self._timestamps[rows][chosen])

    def users_with(self, event_types: list[int]) -> set[str]:
        """The users that have an event of any of these types."""
        found = np.unique(self.table["USER_ID"].codes[np.isin(self._types, event_types)])
        return {self._user_ids[user] for user in found.tolist()}

    @cached_property
    def _items(self) -> NDArray[np.int32]:
        return self.table[item_column(self.kind)].codes

    @cached_property
    def _timestamps(self) -> NDArray[np.float64]:
        return self.table["TIMESTAMP"].values

    @cached_property
    def _types(self) -> NDArray[np.int32]:
        return self.table["EVENT_TYPE"].codes
