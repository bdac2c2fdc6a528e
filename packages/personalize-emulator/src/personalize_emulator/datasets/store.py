"""The data of one dataset group."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np

from personalize_emulator.datasets import records
from personalize_emulator.datasets.bulk import BulkDirectory
from personalize_emulator.datasets.columns import (
    Table,
    column_of,
    concatenate,
    row_count,
    table_of,
    take,
    without_unused,
)
from personalize_emulator.datasets.csv_files import ImportFailed, Progress, read_csv, write_csv
from personalize_emulator.datasets.entities import empty_entities, patched, to_entities, unique_by_id
from personalize_emulator.datasets.interactions import (
    InteractionsByUser,
    event_table,
    item_column,
    no_interactions,
    sorted_unique,
    to_interactions,
)
from personalize_emulator.datasets.streamed import StreamedRecords
from personalize_emulator.datasets.tables import (
    LONGEST_HISTORY,
    Entities,
    History,
    ImportCounts,
    Interactions,
    TrainingData,
)
from personalize_emulator.errors import InvalidInput
from personalize_rules.imports import Mode, too_few_rows, too_many_sources, too_many_types
from personalize_rules.schemas import Kind, Schema

_IngestionMode = Literal["BULK", "PUT", "ALL"]

_EVENT_KINDS: tuple[Kind, ...] = ("INTERACTIONS", "ACTION_INTERACTIONS")


SOURCE = "EVENT_ATTRIBUTION_SOURCE"


class DatasetStore:
    """Bulk imports and individual records of a dataset group, in one directory.

    Several processes may have the store open: what one of them writes, all see at once. A writer that dies
    leaves the data as it was before. `filter_lag` is the number of seconds after which filters see an event,
    by `clock`.
    """

    def __init__(
        self,
        directory: Path,
        schemas: Mapping[Kind, Schema],
        *,
        filter_lag: float = 0.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.schemas = dict(schemas)
        self._directory = directory
        self._filter_lag, self._clock = filter_lag, clock
        self._streamed = StreamedRecords(directory / "records.sqlite")
        self._lock = threading.Lock()
        self._interactions: dict[Kind, tuple[str, InteractionsByUser]] = {}
        self._entities: dict[Kind, tuple[str | None, Entities]] = {}
        self._sources: set[str] = set()  # event attribution sources, as far as they were asked for

    def close(self) -> None:
        self._streamed.close()

    # Bulk data

    def import_csv(
        self,
        kind: Kind,
        files: Iterable[tuple[str, BinaryIO]],
        mode: Mode,
        progress: Progress | None = None,
        on_read: Callable[[Table], object] | None = None,
    ) -> ImportCounts:
        """Imports CSV files (name and content). FULL replaces earlier bulk data, INCREMENTAL adds to it.

        Individual records stay; of two records with one id the newer counts. `on_read` is called with the rows of
        the files when they are stored. Raises ImportFailed.
        docs: personalize/latest/dg/bulk-data-import-step.html
        """
        schema = self._schema(kind)
        bulk = self._bulk(kind)
        with bulk.locked():
            if mode == "INCREMENTAL" and bulk.current is None:
                raise ImportFailed("The first import of a dataset must have the import mode FULL.")
            version = self._streamed.version(kind).number
            table = new = read_csv(schema, files, progress)
            read = row_count(table)
            fail_if(too_few_rows(kind, read))
            ids = None if kind in _EVENT_KINDS else list(table[schema.id_field].vocabulary)
            old = self._bulk_table(kind) if mode == "INCREMENTAL" else None
            table = table if old is None else concatenate(old, table)
            table = sorted_unique(table) if ids is None else unique_by_id(table, schema.id_field)
            fail_if(too_many_types(schema, len(table["EVENT_TYPE"].vocabulary) if "EVENT_TYPE" in table else 0))
            fail_if(too_many_sources(len(_sources_in(table))))
            bulk.replace(table)
            if ids is not None:
                self._streamed.replaced_by_import(kind, ids, version)
        if on_read:
            on_read(new)
        return ImportCounts(read, row_count(table))

    def export_csv(self, kind: Kind, ingestion_mode: _IngestionMode, out: BinaryIO) -> int:
        """Writes bulk data, individual records or both as CSV with a header; gives the number of rows."""
        tables = []
        if ingestion_mode in ("BULK", "ALL"):
            tables.append(self._bulk_table(kind))
        if ingestion_mode in ("PUT", "ALL"):
            tables.append(self._streamed_table(kind))
        return write_csv(self._schema(kind), [table for table in tables if table is not None], out)

    # Individual records

    def put_events(self, request: Mapping[str, Any], now: float) -> None:
        """A PutEvents request; all of its events are stored or, with InvalidInput, none."""
        events = records.parse_put_events(self._schema("INTERACTIONS"), request)
        self._check_sources({event.columns[SOURCE] for event in events if SOURCE in event.columns})
        self._streamed.add_events("INTERACTIONS", events, now)

    def _check_sources(self, named: set[str]) -> None:
        """Raises InvalidInput if these sources would be too many with those that there are."""
        if named <= self._sources:
            return
        table = self._bulk_table("INTERACTIONS")
        sources = self._sources | (_sources_in(table) if table else set()) | self._streamed.values_of("INTERACTIONS", SOURCE)
        if reason := too_many_sources(len(sources | named)):
            raise InvalidInput(f"metricAttribution.eventAttributionSource: {reason}")
        self._sources = sources | named

    def streamed_events_after(self, number: int) -> tuple[Table, int]:
        """The interactions that came one by one after a number, and the number of the newest one."""
        rows, last = self._streamed.events_after("INTERACTIONS", number)
        return event_table(self._schema("INTERACTIONS"), rows), last

    def put_action_interactions(self, request: Mapping[str, Any], now: float) -> None:
        """A PutActionInteractions request."""
        events = records.parse_put_action_interactions(self._schema("ACTION_INTERACTIONS"), request)
        self._streamed.add_events("ACTION_INTERACTIONS", events, now)

    def put_entities(self, kind: Kind, entities: Sequence[Mapping[str, Any]]) -> None:
        """The records of a PutItems, PutUsers or PutActions request."""
        self._streamed.put_entities(kind, records.parse_put_entities(self._schema(kind), kind, entities))

    # Deletion

    def delete_users(self, user_ids: Iterable[str]) -> int:
        """Removes users and their interactions; gives the number of records that were removed."""
        wanted = set(user_ids)
        kinds: tuple[Kind, ...] = (*_EVENT_KINDS, "USERS")
        bulk = sum(self._delete_bulk_users(kind, wanted) for kind in kinds if kind in self.schemas)
        return bulk + self._streamed.delete_users(wanted)

    def delete_dataset(self, kind: Kind) -> None:
        """Removes all data of a dataset."""
        bulk = self._bulk(kind)
        with bulk.locked():
            bulk.clear()
        self._streamed.clear(kind)

    # Tables

    def training_data(self) -> TrainingData:
        """Bulk data and individual records together. Events of anonymous sessions are left out."""
        known = self.schemas
        return TrainingData(
            interactions=self._all_interactions("INTERACTIONS") if "INTERACTIONS" in known else no_interactions(),
            items=self.entities("ITEMS"),
            users=self.entities("USERS"),
            actions=self.entities("ACTIONS"),
            action_interactions=self._all_interactions("ACTION_INTERACTIONS") if "ACTION_INTERACTIONS" in known else None,
        )

    def entities(self, kind: Kind) -> Entities | None:
        """The current items, users or actions; None without such a dataset. Cheap while nothing changes."""
        if kind not in self.schemas:
            return None
        bulk = self._bulk(kind).current
        version = self._streamed.version(kind)
        cached = self._entities.get(kind)
        if cached is not None and cached[0] == bulk and cached[1].version == version.number:
            return cached[1]
        with self._lock:
            if cached is None or cached[0] != bulk or cached[1].version < version.rebuilt:
                table = self._bulk_table(kind)
                schema = self._schema(kind)
                base = empty_entities(schema) if table is None else to_entities(schema, table)
            else:
                base = cached[1]
            new = self._streamed.entities_after(kind, base.version)
            entities = patched(self._schema(kind), base, new, version.number)
            self._entities[kind] = (bulk, entities)
            return entities

    def history(self, user_id: str, limit: int = LONGEST_HISTORY, kind: Kind = "INTERACTIONS") -> History:
        """The newest events with an item of a user, or of an anonymous session, as of now."""
        imported = self.bulk_interactions(kind)
        rows = imported.history(user_id, limit) if imported else []
        streamed = self._streamed.newest(kind, user_id, limit)
        if streamed:
            rows = sorted(rows + streamed[::-1], key=lambda row: row[1])[-limit:]
        columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], [], []]
        return History(*columns)

    def statistics(self, kind: Kind) -> dict[str, Any]:
        """Counts of records: `bulk`, `put` and, for interactions, `users` and `items` in the bulk data."""
        if kind not in _EVENT_KINDS:
            table = self._bulk_table(kind)
            bulk = row_count(table) if table else 0
            return {"bulk": bulk, "put": len(self._streamed.entities_after(kind, 0))}
        by_user = self.bulk_interactions(kind)
        return {
            "bulk": len(by_user) if by_user else 0,
            "put": self._streamed.count_events(kind),
            "users": len(by_user.user_ids) if by_user else 0,
            "items": len(by_user.item_ids) if by_user else 0,
        }

    # What filters read

    def bulk_interactions(self, kind: Kind) -> InteractionsByUser | None:
        """The current bulk interactions; the same object until they change."""
        current = self._bulk(kind).current
        cached = self._interactions.get(kind)
        if cached is not None and cached[0] == current:
            return cached[1]
        with self._lock:
            table = self._bulk_table(kind) if current is not None else None
            if current is None or table is None:
                self._interactions.pop(kind, None)
                return None
            by_user = InteractionsByUser(table, kind)
            self._interactions[kind] = (current, by_user)
            return by_user

    def newest_streamed(self, kind: Kind, user_id: str, type_key: str, limit: int) -> list[tuple[str, int]]:
        """Item and time of the newest streamed events of one type that filters see, newest first."""
        return self._streamed.newest_of_type(kind, user_id, type_key, limit, self._seen_by_filters())

    def streamed_event_types(self, kind: Kind, user_id: str) -> list[str]:
        return self._streamed.event_types(kind, user_id)

    def streamed_users(self, kind: Kind, type_key: str | None) -> set[str]:
        """The users with a streamed event of this type, or of any."""
        return self._streamed.owners_with(kind, type_key, self._seen_by_filters())

    def _seen_by_filters(self) -> float:
        return self._clock() - self._filter_lag if self._filter_lag else float("inf")

    # Inside

    def _schema(self, kind: Kind) -> Schema:
        schema = self.schemas.get(kind)
        if schema is None:
            raise InvalidInput(f"The dataset group has no dataset of type {kind}.")
        return schema

    def _bulk(self, kind: Kind) -> BulkDirectory:
        return BulkDirectory(self._directory / kind)

    def _bulk_table(self, kind: Kind) -> Table | None:
        """The bulk data in the columns of the schema; a field that was added since is null."""
        table = self._bulk(kind).load()
        if table is None:
            return None
        rows = row_count(table)
        return {
            field.name: table[field.name] if field.name in table else column_of(field, [None] * rows)
            for field in self._schema(kind).fields
        }

    def _streamed_table(self, kind: Kind) -> Table:
        schema = self._schema(kind)
        if kind in _EVENT_KINDS:
            return event_table(schema, self._streamed.all_events(kind))
        records = self._streamed.entities_after(kind, 0)
        return table_of(schema, [{schema.id_field: key, **values} for key, values in records])

    def _all_interactions(self, kind: Kind) -> Interactions:
        bulk = self._bulk_table(kind)
        streamed = [row for row in self._streamed.all_events(kind) if row[0] is not None]
        if bulk is not None and not streamed:
            table = bulk
        else:
            table = event_table(self._schema(kind), streamed)
            table = sorted_unique(table if bulk is None else concatenate(bulk, table))
        return to_interactions(table, kind)

    def _delete_bulk_users(self, kind: Kind, user_ids: set[str]) -> int:
        bulk = self._bulk(kind)
        with bulk.locked():
            table = self._bulk_table(kind)
            if table is None:
                return 0
            users = table["USER_ID"]
            gone = np.isin(users.codes, [users.coded[1].get(user_id) for user_id in user_ids])
            if gone.any():
                columns = ("USER_ID", item_column(kind)) if kind in _EVENT_KINDS else ("USER_ID",)
                bulk.replace(without_unused(take(table, ~gone), *columns))
            return int(gone.sum())


def fail_if(reason: str | None) -> None:
    """Raises ImportFailed if there is a reason for it, such as "the data has 3 interactions"."""
    if reason:
        raise ImportFailed(f"{reason[0].upper()}{reason[1:]}.")


def _sources_in(table: Table) -> set[str]:
    return set(table[SOURCE].compacted().vocabulary) if SOURCE in table else set()
