"""Kinesis and Firehose: the records of streams are rows, none is held in memory; and how far each reader of a stream has come."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

from moto.kinesis.models import Record, kinesis_backends

from localaws.clients import Aws
from localaws.patching import follow, locate, replace
from localaws.persistence.codec import decode, encode
from localaws.persistence.journal import Journal

_MODELS = "moto.kinesis.models"
_BACKEND = f"{_MODELS}:KinesisBackend"
#: What GetRecords gives at most. docs: kinesis/latest/APIReference/API_GetRecords.html
_MOST_RECORDS, _MOST_BYTES = 10_000, 10 << 20
_INSERT = "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?)"
_SELECT = "SELECT number, arrived, partition_key, hash_key, data FROM records WHERE stream = ? AND shard = ? AND number"


class Streams:
    """Records are written with the call that puts them; a stream that is made finds those that it had.

    moto numbers the records of a shard from 1.
    """

    def __init__(self, aws: Aws, journal: Journal) -> None:
        self._backend = kinesis_backends[aws.account][aws.region]
        self._journal = journal
        self._database = journal.database
        self._newest: dict[tuple[str, str], int] = {}

    def install(self) -> None:
        shard = f"{_MODELS}:Shard"
        replace(f"{shard}.put_record", self._put)
        replace(f"{shard}.get_records", self._get)
        replace(f"{shard}.get_min_sequence_number", lambda shard: self._one("min(number)", shard))
        replace(f"{shard}.get_max_sequence_number", lambda shard: self.newest(shard.stream_name, shard.shard_id))
        replace(f"{shard}.get_sequence_number_at", self._number_at)
        follow(f"{_MODELS}:Stream.init_shards", self._made)
        for call in ("split_shard", "merge_shards"):
            replace(f"{_MODELS}:Stream.{call}", _not_here)
        follow(f"{_BACKEND}.create_stream", lambda stream, *_, **__: self._note_stream(stream.stream_name))
        for call in ("increase", "decrease"):
            follow(f"{_BACKEND}.{call}_stream_retention_period", lambda _, __, ___, name, ____: self._note_stream(name))
        follow(f"{_BACKEND}.delete_stream", lambda stream, *_, **__: self._gone(stream.stream_name))

    def restore(self, of_stacks: set[str]) -> None:
        """Make the streams anew that no stack will make."""
        for name, text in self._database.read("stream", "").items():
            if name not in of_stacks:
                kept = decode(text)
                self._backend.create_stream(name, kept["shards"], kept["mode"], kept["hours"])

    def newest(self, stream: str, shard: str) -> int:
        """The number of the newest record that a shard has ever had; 0 if none has come."""
        return self._newest.get((stream, shard), 0)

    def expire(self) -> None:
        """Delete what is older than its stream keeps it, but for the newest, whose number goes on."""
        for stream in list(self._backend.streams.values()):
            oldest = time.time() - stream.retention_period_hours * 3600
            for shard in stream.shards:
                newest = self.newest(stream.stream_name, shard)
                found = (stream.stream_name, shard, newest, oldest)
                self._database.execute("DELETE FROM records WHERE stream = ? AND shard = ? AND number < ? AND arrived < ?", found)

    def _made(self, _: None, stream: Any, *__: Any) -> None:
        for shard in stream.shards.values():
            shard.stream_name = stream.stream_name
            self._newest[stream.stream_name, shard.shard_id] = self._one("max(number)", shard)

    def _one(self, what: str, shard: Any) -> int:
        found = self._database.query(
            f"SELECT {what} FROM records WHERE stream = ? AND shard = ?",  # noqa: S608 - ours
            (shard.stream_name, shard.shard_id),
        )
        return int(found[0][0] or 0)

    def _put(self, shard: Any, partition_key: str, data: str, explicit_hash_key: str) -> str:
        number = self._newest[shard.stream_name, shard.shard_id] = self.newest(shard.stream_name, shard.shard_id) + 1
        row = (shard.stream_name, shard.shard_id, number, time.time(), partition_key, explicit_hash_key, data)
        self._journal.add(_INSERT, row)
        return str(number)

    def _get(self, shard: Any, last_sequence_id: str, limit: int | None) -> tuple[list[Record], int, int]:
        last, size = int(last_sequence_id), 0
        found: list[Record] = []
        place = (shard.stream_name, shard.shard_id, last, min(limit or _MOST_RECORDS, _MOST_RECORDS))
        for row in self._database.query(f"{_SELECT} > ? ORDER BY number LIMIT ?", place):
            size += len(row[-1]) * 3 // 4
            if found and size > _MOST_BYTES:
                break
            found.append(_record(*row))
        newest = self.newest(shard.stream_name, shard.shard_id)
        if not found:
            return [], max(last, newest), 0
        (_, arrived, *_), *_ = self._database.query(f"{_SELECT} = ?", (shard.stream_name, shard.shard_id, newest))
        return found, int(found[-1].sequence_number), int((arrived - found[-1].created_at) * 1000)

    def _number_at(self, shard: Any, at_timestamp: float) -> int:
        """The last record before a moment; 0 if there is none."""
        found = self._database.query(
            "SELECT max(number) FROM records WHERE stream = ? AND shard = ? AND arrived < ?",
            (shard.stream_name, shard.shard_id, float(at_timestamp)),
        )
        return int(found[0][0] or 0)

    def _note_stream(self, name: str | None) -> None:
        def read() -> str | None:
            stream = self._backend.streams.get(str(name))
            kept = ("shard_count", "stream_mode", "retention_period_hours")
            shown = zip(("shards", "mode", "hours"), kept, strict=True)
            return encode({key: getattr(stream, attribute) for key, attribute in shown}) if stream else None

        if name is not None:
            self._journal.note(("stream", "", name), read)

    def _gone(self, name: str) -> None:
        self._database.execute("DELETE FROM records WHERE stream = ?", (name,))
        self._database.execute("DELETE FROM kept WHERE kind = 'position' AND key LIKE ? ESCAPE '\\'", (f"{_escaped(name)}/%",))
        self._newest = {place: number for place, number in self._newest.items() if place[0] != name}
        self._note_stream(name)


class Positions:
    """How far the readers of streams have come. A reader is a function or a delivery stream, by its ARN or name."""

    def __init__(self, journal: Journal) -> None:
        self._database = journal.database

    def read(self, reader: str, stream: str, shard: str) -> int | None:
        """The number of the last record that is done; None if the reader is new."""
        found = self._database.read("position", reader).get(f"{stream}/{shard}")
        return int(found) if found is not None else None

    def write(self, reader: str, stream: str, shard: str, number: int) -> None:
        self._database.write({("position", reader, f"{stream}/{shard}"): str(number)})

    def forget(self, reader: str) -> None:
        self._database.drop("position", reader)


def _record(number: int, arrived: float, partition_key: str, hash_key: str, data: str) -> Record:
    record = Record(partition_key, data, number, hash_key)
    record.created_at, record.created_at_datetime = arrived, datetime.fromtimestamp(arrived, UTC)
    return record


def _not_here(*_: Any) -> None:
    error = locate("moto.kinesis.exceptions:InvalidArgumentError")[2]
    raise error(
        message="The shards of a stream can't be changed in the local AWS environment: create a stream with another ShardCount."
    )


def _escaped(name: str) -> str:
    return json.dumps(name)[1:-1].replace("%", "\\%").replace("_", "\\_")
