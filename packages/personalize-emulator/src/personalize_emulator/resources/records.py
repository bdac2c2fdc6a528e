"""Records of resources: in memory for reading, in SQLite to survive."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Transition:
    """A resource, or its latest update, on its way through the transitional states of a course."""

    course: str
    step: int
    due: float  # epoch seconds: when this state is over, unless its job takes longer
    job: dict[str, Any] | None = None  # the work of the last state, done in a child process
    result: dict[str, Any] | None = None  # what that job answered
    fail: str | None = None  # an injected failure: the reason with which the course shall end


@dataclass
class Resource:
    """One resource. `fields` are the members that Describe shows, by their API names."""

    type: str  # as in the ARN: "campaign"
    arn: str
    name: str
    created: float
    updated: float
    status: str | None = None
    group: str | None = None  # ARN of the dataset group it belongs to
    parent: str | None = None  # ARN of what it is listed under, if that is not the dataset group
    fields: dict[str, Any] = field(default_factory=dict)
    internal: dict[str, Any] = field(default_factory=dict)  # state that no operation shows
    tags: dict[str, str] = field(default_factory=dict)
    transitions: dict[str, Transition] = field(default_factory=dict)  # by what moves: "status" or an update

    @property
    def in_transition(self) -> bool:
        return bool(self.transitions)

    @property
    def failure(self) -> str | None:
        reason: str | None = self.fields.get("failureReason")
        return reason


class StateInUse(Exception):
    """Another process has the records open."""


class ResourceStore:
    """All records of one account and region, for one process at a time.

    Operations work on the records inside `with store.transaction()`: one at a time, and what they `put` and
    `remove` is written to disk together at its end, so that a killed process leaves no half of an operation.
    Reading one record by its ARN needs no transaction.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=1)
        try:
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("BEGIN EXCLUSIVE")
            self._db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise StateInUse(f"the state in {path.parent} cannot be opened: {error}") from error
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("CREATE TABLE IF NOT EXISTS resources (arn TEXT PRIMARY KEY, record TEXT NOT NULL)")
        self._records: dict[str, Resource] = {}
        for arn, record in self._db.execute("SELECT arn, record FROM resources ORDER BY rowid"):
            self._records[arn] = _loaded(json.loads(record))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._lock:
            if self._depth == 0:
                self._db.execute("BEGIN")
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self._db.execute("COMMIT")

    def get(self, arn: str) -> Resource | None:
        return self._records.get(arn)

    def existing(self, arn: str) -> Resource:
        """The record of an ARN that another record refers to."""
        return self._records[arn]

    def of_type(self, resource_type: str, *, group: str | None = None, parent: str | None = None) -> list[Resource]:
        """The resources of a type, oldest first, of one dataset group or under one parent if given."""
        with self._lock:
            return [
                r
                for r in self._records.values()
                if r.type == resource_type and (group is None or r.group == group) and (parent is None or r.parent == parent)
            ]

    def all(self) -> list[Resource]:
        with self._lock:
            return list(self._records.values())

    def put(self, resource: Resource) -> None:
        """Add a record, or write a changed one."""
        with self.transaction():
            self._records[resource.arn] = resource
            self._db.execute(
                "INSERT INTO resources VALUES (?, ?) ON CONFLICT (arn) DO UPDATE SET record = excluded.record",
                (resource.arn, json.dumps(asdict(resource))),
            )

    def remove(self, resource: Resource) -> None:
        with self.transaction():
            self._records.pop(resource.arn, None)
            self._db.execute("DELETE FROM resources WHERE arn = ?", (resource.arn,))

    def clear(self) -> None:
        with self.transaction():
            self._records.clear()
            self._db.execute("DELETE FROM resources")

    def close(self) -> None:
        with self._lock:
            self._db.close()


def _loaded(record: dict[str, Any]) -> Resource:
    transitions = {on: Transition(**t) for on, t in record.pop("transitions").items()}
    return Resource(**record, transitions=transitions)
