"""Kinesis: moto's shards, without work that grows with the number of records they hold."""

from __future__ import annotations

from typing import Any

from localaws.moto.patching import replace


def install() -> None:
    replace("moto.kinesis.models:Shard.get_records", _get_records)
    replace("moto.kinesis.models:Shard.get_max_sequence_number", _get_max_sequence_number)


def _get_max_sequence_number(shard: Any) -> int:
    return int(next(reversed(shard.records), 0))


def _get_records(shard: Any, last_sequence_id: str, limit: int | None) -> tuple[list[Any], int, int]:
    """The records after a sequence number; moto counts these up by one from 1."""
    last, newest = int(last_sequence_id), _get_max_sequence_number(shard)
    found: list[Any] = []
    while last < newest and (limit is None or len(found) < limit):
        last += 1
        record = shard.records.get(last)
        if record is not None:
            found.append(record)
    behind = shard.records[newest].created_at - found[-1].created_at if found else 0
    return found, last, int(behind * 1000)
