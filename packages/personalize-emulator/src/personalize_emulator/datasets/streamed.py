"""Records that came one by one (PutEvents, PutItems, ...), in SQLite.

A statement sees at once what another process has committed, so that the serving process, a training and an
import may all have the database open.
"""

from __future__ import annotations

import json
import queue
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from personalize_rules.schemas import Kind
from personalize_rules.values import event_type_key

#: Seconds for which a connection waits for another one to finish.
_PATIENCE = 60.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    owner TEXT NOT NULL,          -- the user, or the session as long as the user is unknown
    user_id TEXT,
    item_id TEXT,
    timestamp INTEGER NOT NULL,
    received_at REAL NOT NULL,
    event_type TEXT NOT NULL,
    type_key TEXT NOT NULL,       -- event types are compared by this
    event_value REAL,
    event_id TEXT,
    columns TEXT NOT NULL         -- JSON: the other fields of the schema
);
CREATE UNIQUE INDEX IF NOT EXISTS events_by_id ON events (kind, event_id);
CREATE INDEX IF NOT EXISTS events_by_owner ON events (kind, owner, timestamp);
CREATE INDEX IF NOT EXISTS events_by_type ON events (kind, owner, type_key, timestamp);
CREATE INDEX IF NOT EXISTS events_by_time ON events (kind, timestamp);
CREATE TABLE IF NOT EXISTS sessions (
    kind TEXT NOT NULL, session_id TEXT NOT NULL, user_id TEXT NOT NULL, PRIMARY KEY (kind, session_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entities (
    kind TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, properties TEXT NOT NULL,
    PRIMARY KEY (kind, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entities_by_version ON entities (kind, version);
CREATE TABLE IF NOT EXISTS versions (
    kind TEXT PRIMARY KEY, version INTEGER NOT NULL, rebuilt INTEGER NOT NULL
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Event:
    """An event as PutEvents or PutActionInteractions brought it; `columns` are the other schema fields."""

    session_id: str
    user_id: str | None
    item_id: str | None
    timestamp: int
    event_type: str
    event_value: float | None
    event_id: str | None
    columns: dict[str, Any]


@dataclass(frozen=True)
class Version:
    """How often the entities of a kind changed, and the last change that was more than new records."""

    number: int
    rebuilt: int


class StreamedRecords:
    """The individual records of one dataset group."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()
        self._writing = threading.Lock()
        with self._connection() as connection:
            connection.executescript(_SCHEMA)

    def close(self) -> None:
        while not self._idle.empty():
            self._idle.get_nowait().close()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            connection = _opened(self._path)
        try:
            yield connection
        finally:
            self._idle.put(connection)

    @contextmanager
    def _writer(self) -> Iterator[sqlite3.Connection]:
        """A transaction. What fails inside is rolled back."""
        with self._writing, self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                connection.execute("ROLLBACK")
                raise

    def _read(self, statement: str, *parameters: Any) -> list[Any]:
        with self._connection() as connection:
            return connection.execute(statement, parameters).fetchall()

    # Events

    def add_events(self, kind: Kind, events: Iterable[Event], received_at: float) -> None:
        """Stores events. One whose id was seen before is dropped.

        The first event of a session that names a user gives that user all earlier events of the session.
        docs: personalize/latest/dg/recording-item-interaction-events.html
        """
        with self._writer() as connection:
            for event in events:
                user_id = self._user_of(connection, kind, event)
                connection.execute(
                    "INSERT OR IGNORE INTO events (kind, owner, user_id, item_id, timestamp, received_at, event_type, "
                    "type_key, event_value, event_id, columns) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        *(
                            kind,
                            user_id or event.session_id,
                            user_id,
                            event.item_id,
                            event.timestamp,
                            received_at,
                        ),
                        *(event.event_type, event_type_key(event.event_type, kind), event.event_value),
                        *(event.event_id, json.dumps(event.columns)),
                    ),
                )

    @staticmethod
    def _user_of(connection: sqlite3.Connection, kind: Kind, event: Event) -> str | None:
        key = (kind, event.session_id)
        known = connection.execute("SELECT user_id FROM sessions WHERE kind = ? AND session_id = ?", key).fetchone()
        if event.user_id is None or known is not None:
            return event.user_id or (known and known[0])
        connection.execute("INSERT INTO sessions VALUES (?, ?, ?)", (*key, event.user_id))
        connection.execute(
            "UPDATE events SET owner = ?, user_id = ? WHERE kind = ? AND owner = ? AND user_id IS NULL",
            (event.user_id, event.user_id, *key),
        )
        return event.user_id

    def newest(self, kind: Kind, owner: str, limit: int) -> list[tuple[str, int, str | None, float | None]]:
        """The newest events with an item of a user or an anonymous session, newest first."""
        return self._read(
            "SELECT item_id, timestamp, event_type, event_value FROM events "
            "WHERE kind = ? AND owner = ? AND item_id IS NOT NULL ORDER BY timestamp DESC, id DESC LIMIT ?",
            *(kind, owner, limit),
        )

    def newest_of_type(self, kind: Kind, owner: str, type_key: str, limit: int, received_until: float) -> list[tuple[str, int]]:
        """The same of one event type: item and time."""
        return self._read(
            "SELECT item_id, timestamp FROM events WHERE kind = ? AND owner = ? AND type_key = ? "
            "AND item_id IS NOT NULL AND received_at <= ? ORDER BY timestamp DESC, id DESC LIMIT ?",
            *(kind, owner, type_key, received_until, limit),
        )

    def event_types(self, kind: Kind, owner: str) -> list[str]:
        """The keys of the event types that a user has."""
        rows = self._read("SELECT DISTINCT type_key FROM events WHERE kind = ? AND owner = ?", kind, owner)
        return [key for (key,) in rows]

    def owners_with(self, kind: Kind, type_key: str | None, received_until: float) -> set[str]:
        """The users with an event of this type, or of any."""
        rows = self._read(
            "SELECT DISTINCT owner FROM events WHERE kind = ? AND (? IS NULL OR type_key = ?) "
            "AND item_id IS NOT NULL AND received_at <= ?",
            *(kind, type_key, type_key, received_until),
        )
        return {owner for (owner,) in rows}

    def all_events(self, kind: Kind) -> list[tuple[Any, ...]]:
        """(user, session or user, item, time, type, value, other columns) of the events with an item, oldest first."""
        rows = self._read(
            "SELECT user_id, owner, item_id, timestamp, event_type, event_value, columns FROM events "
            "WHERE kind = ? AND item_id IS NOT NULL ORDER BY timestamp, id",
            kind,
        )
        return [(*row[:-1], json.loads(row[-1])) for row in rows]

    def values_of(self, kind: Kind, column: str) -> set[str]:
        """The distinct values of one of the other columns."""
        path = f'$."{column}"'
        rows = self._read("SELECT DISTINCT json_extract(columns, ?) FROM events WHERE kind = ?", *(path, kind))
        return {value for (value,) in rows if value is not None}

    def events_after(self, kind: Kind, number: int) -> tuple[list[tuple[Any, ...]], int]:
        """As `all_events`, those that were stored after a number, and the greatest number now."""
        rows = self._read(
            "SELECT user_id, owner, item_id, timestamp, event_type, event_value, columns, id FROM events "
            "WHERE kind = ? AND id > ? ORDER BY timestamp, id",
            *(kind, number),
        )
        last = max((row[-1] for row in rows), default=number)
        return [(*row[:-2], json.loads(row[-2])) for row in rows if row[2] is not None], last

    def count_events(self, kind: Kind) -> int:
        return int(self._read("SELECT count(*) FROM events WHERE kind = ?", kind)[0][0])

    # Items, users, actions

    def put_entities(self, kind: Kind, records: Iterable[tuple[str, dict[str, Any]]]) -> None:
        with self._writer() as connection:
            version = self._next_version(connection, kind, rebuilt=False)
            connection.executemany(
                "INSERT OR REPLACE INTO entities VALUES (?, ?, ?, ?)",
                [(kind, identifier, version, json.dumps(properties)) for identifier, properties in records],
            )

    def version(self, kind: Kind) -> Version:
        rows = self._read("SELECT version, rebuilt FROM versions WHERE kind = ?", kind)
        return Version(*rows[0]) if rows else Version(0, 0)

    def entities_after(self, kind: Kind, version: int) -> list[tuple[str, dict[str, Any]]]:
        """The records put after a version, oldest first."""
        rows = self._read(
            "SELECT id, properties FROM entities WHERE kind = ? AND version > ? ORDER BY version, id",
            kind,
            version,
        )
        return [(identifier, json.loads(properties)) for identifier, properties in rows]

    def replaced_by_import(self, kind: Kind, ids: Iterable[str], until: int) -> None:
        """Records put up to a version give way to those of an import with the same ids."""
        with self._writer() as connection:
            connection.executemany(
                "DELETE FROM entities WHERE kind = ? AND id = ? AND version <= ?",
                ((kind, identifier, until) for identifier in ids),
            )
            self._next_version(connection, kind, rebuilt=True)

    @staticmethod
    def _next_version(connection: sqlite3.Connection, kind: Kind, *, rebuilt: bool) -> int:
        connection.execute("INSERT OR IGNORE INTO versions VALUES (?, 0, 0)", (kind,))
        statement = (
            "UPDATE versions SET version = version + 1, rebuilt = CASE WHEN ? THEN version + 1 ELSE rebuilt END "
            "WHERE kind = ? RETURNING version"
        )
        rows = connection.execute(statement, (rebuilt, kind))
        return int(rows.fetchall()[0][0])

    # Deletion

    def delete_users(self, user_ids: Iterable[str]) -> int:
        """Removes everything about these users; gives the number of their records."""
        deleted = 0
        with self._writer() as connection:
            for user_id in user_ids:
                connection.execute("DELETE FROM sessions WHERE user_id = ?", (user_id,))
                deleted += connection.execute("DELETE FROM events WHERE owner = ?", (user_id,)).rowcount
                deleted += connection.execute("DELETE FROM entities WHERE kind = 'USERS' AND id = ?", (user_id,)).rowcount
            self._next_version(connection, "USERS", rebuilt=True)
        return deleted

    def clear(self, kind: Kind) -> None:
        with self._writer() as connection:
            connection.execute("DELETE FROM events WHERE kind = ?", (kind,))
            connection.execute("DELETE FROM sessions WHERE kind = ?", (kind,))
            connection.execute("DELETE FROM entities WHERE kind = ?", (kind,))
            self._next_version(connection, kind, rebuilt=True)


def _opened(path: Path) -> sqlite3.Connection:
    """A connection that waits for others at most a minute. Raises sqlite3.OperationalError after it."""
    connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError:  # jobs that make the file at once: SQLite itself does not wait for this
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection
