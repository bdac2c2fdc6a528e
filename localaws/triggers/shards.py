"""The shards of a Kinesis stream, and what reads one of them."""

from __future__ import annotations

import time
from typing import Any

from moto.kinesis.models import kinesis_backends

from localaws.clients import Aws

_IDLE_PAUSE_SECONDS = 5.0


class ShardReader:
    """Reads a shard from a starting position on.

    While nothing has come, it asks once in a while only, for the metrics of the stream: a call takes milliseconds of the
    processor, and a machine has dozens of readers.
    """

    def __init__(self, aws: Aws, kinesis: Any, stream_arn: str, shard: str, position: dict[str, Any]) -> None:
        """`kinesis` is a client of whoever reads."""
        self._aws = aws
        self._stream_arn = stream_arn
        self._shard_id = shard
        self._kinesis = kinesis
        name = stream_arn.rsplit("/", 1)[-1]  # moto's iterators forget the stream if they were asked for by its ARN
        answer = self._kinesis.get_shard_iterator(StreamName=name, ShardId=shard, **position)
        self._iterator = answer["ShardIterator"]
        self._shard = _stream(aws, stream_arn).shards[shard]
        self._seen = -1  # the newest record when none was left to read
        self._look_at = 0.0

    @property
    def outdated(self) -> bool:
        """Whether the stream has been deleted and made anew since."""
        return _stream(self._aws, self._stream_arn).shards.get(self._shard_id) is not self._shard

    def read(self, limit: int) -> list[dict[str, Any]]:
        newest, now = self._shard.get_max_sequence_number(), time.monotonic()
        if newest == self._seen and now < self._look_at:
            return []
        answer = self._kinesis.get_records(ShardIterator=self._iterator, Limit=limit, StreamARN=self._stream_arn)
        self._iterator = answer["NextShardIterator"]
        records: list[dict[str, Any]] = answer["Records"]
        self._seen, self._look_at = -1 if records else newest, now + _IDLE_PAUSE_SECONDS
        return records


def shards_of(aws: Aws, stream_arn: str) -> list[str]:
    return list(_stream(aws, stream_arn).shards)


def newest(aws: Aws, stream_arn: str, shard: str) -> int:
    """The number of the newest record of a shard; 0 if none has come."""
    return int(_stream(aws, stream_arn).shards[shard].get_max_sequence_number())


def _stream(aws: Aws, stream_arn: str) -> Any:
    return kinesis_backends[aws.account][aws.region].describe_stream(stream_arn=stream_arn, stream_name=None)


def after(number: int) -> dict[str, Any]:
    """The starting position behind a record."""
    if number == 0:
        return {"ShardIteratorType": "TRIM_HORIZON"}
    return {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": str(number)}


def starting_position(mapping: dict[str, Any]) -> dict[str, Any]:
    """Where a mapping begins that has read nothing yet."""
    return {"ShardIteratorType": mapping.get("StartingPosition") or "TRIM_HORIZON"}
