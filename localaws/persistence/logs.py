"""CloudWatch Logs: a row for each event, none is held in memory; what is older than its group keeps it goes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from moto.logs.models import LogEvent, logs_backends

from localaws.clients import Aws
from localaws.patching import follow, locate
from localaws.persistence.database import Database

_MODELS = "moto.logs.models"
_DAY = 24 * 3600 * 1000
_SELECT = "SELECT id, time, ingested, message FROM log_events WHERE log_group = ? AND stream = ?"


class Logs:
    """In the place of moto's lists; a group that is made finds its streams and events."""

    def __init__(self, aws: Aws, database: Database) -> None:
        self._backend = logs_backends[aws.account][aws.region]
        self._database = database

    def install(self) -> None:
        database, stream = self._database, locate(f"{_MODELS}:LogStream")[2]
        stream.events = property(lambda self: _Events(database, self), lambda self, events: None)
        stream._update = _update
        follow(f"{_MODELS}:LogGroup.__init__", self._made)
        follow(f"{_MODELS}:LogGroup.delete_log_stream", lambda _, group, name: self._gone(group.name, name))
        follow(f"{_MODELS}:LogsBackend.delete_log_group", lambda _, __, name: self._gone(name))

    def expire(self) -> None:
        now = int(time.time() * 1000)
        for group in list(self._backend.groups.values()):
            if group.retention_in_days:
                oldest = now - int(group.retention_in_days) * _DAY
                self._database.execute("DELETE FROM log_events WHERE log_group = ? AND time < ?", (group.name, oldest))

    def _made(self, _: None, group: Any, *__: Any, **___: Any) -> None:
        for (name,) in self._database.query("SELECT DISTINCT stream FROM log_events WHERE log_group = ?", (group.name,)):
            group.create_log_stream(name)

    def _gone(self, group: str, stream: str | None = None) -> None:
        which, values = ("", (group,)) if stream is None else (" AND stream = ?", (group, stream))
        self._database.execute(f"DELETE FROM log_events WHERE log_group = ?{which}", values)  # noqa: S608


class _Events:
    """The events of a stream, where moto has a list."""

    def __init__(self, database: Database, stream: Any) -> None:
        self._database = database
        self._place = (stream.log_group.name, stream.log_stream_name)

    def __iadd__(self, events: list[Any]) -> _Events:
        rows = [(*self._place, event.timestamp, event.ingestion_time, event.message) for event in events]
        self._database.execute_many(
            "INSERT INTO log_events (log_group, stream, time, ingested, message) VALUES (?, ?, ?, ?, ?)", rows
        )
        return self

    def __iter__(self) -> Iterator[Any]:
        for identity, at, ingested, message in self._database.query(f"{_SELECT} ORDER BY time, id", self._place):
            event: Any = LogEvent.__new__(LogEvent)
            vars(event).update(event_id=identity, timestamp=at, ingestion_time=ingested, message=message)
            yield event

    def __len__(self) -> int:
        return int(self._database.query("SELECT count(*) FROM log_events WHERE log_group = ? AND stream = ?", self._place)[0][0])

    def bounds(self) -> tuple[int | None, int | None]:
        """The times of the first event and of the last."""
        sql = "SELECT min(time), max(time) FROM log_events WHERE log_group = ? AND stream = ?"
        first, last = self._database.query(sql, self._place)[0]
        return first, last


def _update(stream: Any) -> None:
    """As moto's own, which reads all events for it."""
    stream.first_event_timestamp, stream.last_event_timestamp = stream.events.bounds()
    if stream.last_ingestion_time is None and stream.last_event_timestamp is not None:
        stream.last_ingestion_time = locate("moto.core.utils:utcnow")[2]()
