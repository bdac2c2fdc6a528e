"""The file of an environment's state: SQLite, in write-ahead mode, so that a killed process leaves all that it has committed."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from localaws.errors import LocalAwsError

#: Raised with every change of the tables or of what their values mean.
_VERSION = 1
_TABLES = """
CREATE TABLE kept (kind TEXT, owner TEXT, key TEXT, value TEXT, PRIMARY KEY (kind, owner, key)) WITHOUT ROWID;
CREATE TABLE records (stream TEXT, shard TEXT, number INTEGER, arrived REAL, partition_key TEXT, hash_key TEXT, data TEXT,
                      PRIMARY KEY (stream, shard, number)) WITHOUT ROWID;
CREATE TABLE log_events (id INTEGER PRIMARY KEY, log_group TEXT, stream TEXT, time INTEGER, ingested INTEGER, message TEXT);
CREATE INDEX log_events_by_time ON log_events (log_group, stream, time);
CREATE TABLE series (id INTEGER PRIMARY KEY, namespace TEXT, name TEXT, dimensions TEXT, unit TEXT,
                     UNIQUE (namespace, name, dimensions));
CREATE TABLE points (series INTEGER, time INTEGER, sum REAL, least REAL, most REAL, number REAL, sample TEXT,
                     PRIMARY KEY (series, time)) WITHOUT ROWID;
"""
#: What a thing is (an item, an object), what it belongs to (its table, its bucket), and what it is called there.
Key = tuple[str, str, str]


class Database:
    """One connection for all threads. Raises LocalAwsError where the folder can't hold it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        #: Held while a value is read and written, so that what is written last is what was read last.
        self.lock = threading.RLock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(folder / "state.sqlite", check_same_thread=False, isolation_level=None)
            # Deleted rows are overwritten: who was erased must not be left in the file.
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "secure_delete=ON", "busy_timeout=5000"):
                self._connection.execute(f"PRAGMA {pragma}")
            self._make_tables()
        except (OSError, sqlite3.Error) as error:
            raise LocalAwsError(f"The state can't be kept in {folder}: {error}.") from None

    def _make_tables(self) -> None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version not in (0, _VERSION):
            self._connection.close()
            raise LocalAwsError(
                f"{self.folder} was written by another version of localaws: delete it, or begin anew (`reco up --fresh`)."
            )
        if version == 0:
            self._connection.executescript(f"BEGIN;{_TABLES}PRAGMA user_version={_VERSION};COMMIT")

    def write(self, changes: Mapping[Key, str | None], statements: Iterable[tuple[str, Sequence[Any]]] = ()) -> None:
        """Keep these values, and carry these statements out, all or none; the value None takes one out."""
        put = [(*key, value) for key, value in changes.items() if value is not None]
        gone = [key for key, value in changes.items() if value is None]
        with self.lock, self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?)", put)
            self._connection.executemany("DELETE FROM kept WHERE kind = ? AND owner = ? AND key = ?", gone)
            for sql, row in statements:
                self._connection.execute(sql, row)

    def read(self, kind: str, owner: str) -> dict[str, str]:
        """What is kept of a kind for an owner, by key."""
        return dict(self.query("SELECT key, value FROM kept WHERE kind = ? AND owner = ? ORDER BY key", (kind, owner)))

    def drop(self, kind: str, owner: str) -> None:
        self.execute("DELETE FROM kept WHERE kind = ? AND owner = ?", (kind, owner))

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self.lock:
            return self._connection.execute(sql, values).fetchall()

    def execute(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Rows changed."""
        with self.lock:
            return self._connection.execute(sql, values).rowcount

    def execute_many(self, sql: str, values: Iterable[Sequence[Any]]) -> None:
        with self.lock, self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(sql, values)

    def close(self) -> None:
        """Also empties the write-ahead file, which holds what rows were before."""
        with self.lock:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._connection.close()


def forget(folder: Path) -> None:
    """Delete all state. Raises LocalAwsError if it can't be."""
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        raise LocalAwsError(f"The state in {folder} can't be deleted: {error}.") from None
