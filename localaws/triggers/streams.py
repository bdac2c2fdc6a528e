"""Kinesis event source mappings. docs: lambda/latest/dg/with-kinesis.html, lambda/latest/dg/services-kinesis-errors.html"""

from __future__ import annotations

import base64
import json
import logging
import queue
import threading
import time
import zlib
from collections.abc import Callable
from typing import Any

from moto.kinesis.models import kinesis_backends

from localaws.clients import Aws
from localaws.moto.lambda_functions import LambdaService
from localaws.persistence.streams import Positions
from localaws.poller import Poller
from localaws.triggers.filters import RecordFilter
from localaws.triggers.item_failures import reported_failures
from localaws.triggers.on_failure import OnFailure
from localaws.workers.pool import TooManyRequests

_LOG = logging.getLogger(__name__)
_MAX_EVENT_BYTES = 6_000_000
_MAX_PAUSE_SECONDS = 30.0
_IDLE_PAUSE_SECONDS = 5.0

Record = dict[str, Any]


class ShardReader:
    """Reads a shard from a starting position on.

    While nothing has come, it asks once in a while only, for the metrics of the stream: a call takes milliseconds of the
    processor, and a machine has dozens of readers.
    """

    def __init__(self, aws: Aws, stream_arn: str, shard: str, position: dict[str, Any]) -> None:
        self._aws = aws
        self._stream_arn = stream_arn
        self._shard_id = shard
        self._kinesis = aws.client("kinesis")
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
        answer = self._kinesis.get_records(ShardIterator=self._iterator, Limit=limit)
        self._iterator = answer["NextShardIterator"]
        records: list[dict[str, Any]] = answer["Records"]
        self._seen, self._look_at = -1 if records else newest, now + _IDLE_PAUSE_SECONDS
        return records


def shards_of(aws: Aws, stream_arn: str) -> list[str]:
    return list(_stream(aws, stream_arn).shards)


def _stream(aws: Aws, stream_arn: str) -> Any:
    return kinesis_backends[aws.account][aws.region].describe_stream(stream_arn=stream_arn, stream_name=None)


class Progress:
    """How far a shard is processed, while its lanes finish in another order than that of the records.

    `keep` is called with the number of the last record of those that are done without a gap, whenever that is another.
    """

    def __init__(self, keep: Callable[[int], None]) -> None:
        self._keep = keep
        self._lock = threading.Lock()
        self._unfinished: dict[int, None] = {}
        self._newest = 0
        self._kept = 0

    def begin(self, record: Record) -> None:
        with self._lock:
            self._newest = int(record["kinesis"]["sequenceNumber"])
            self._unfinished[self._newest] = None

    def finish(self, records: list[Record]) -> None:
        with self._lock:
            for record in records:
                self._unfinished.pop(int(record["kinesis"]["sequenceNumber"]), None)
            done = next(iter(self._unfinished), self._newest + 1) - 1
            if done > self._kept:
                self._kept = done
                self._keep(done)


class Batches:
    """Invokes the function of a mapping with batches, with all that the mapping says about failures."""

    def __init__(
        self,
        functions: LambdaService,
        mapping: dict[str, Any],
        shard: str,
        on_failure: OnFailure,
        progress: Progress,
        speed: float,
    ) -> None:
        self._functions = functions
        self._shard = shard
        self._progress = progress
        self._mapping = mapping
        self._on_failure = on_failure
        self._speed = speed
        retries = mapping.get("MaximumRetryAttempts")
        age = mapping.get("MaximumRecordAgeInSeconds")
        self._retries = None if retries in (None, -1) else int(retries)
        self._max_age = None if age in (None, -1) else int(age)

    def process(self, poller: Poller, records: list[Record]) -> None:
        """Returns when every record is processed or given up, earlier ones never after later ones; or at a stop."""
        attempts = 0
        while records and not poller.stopped:
            records = self._without_expired(records, attempts)
            done, error = self._invoke(records) if records else (0, None)
            self._progress.finish(records[:done])
            records = records[done:]
            attempts = 1 if done else attempts + 1  # progress starts the count anew
            if self._mapping.get("BisectBatchOnFunctionError") and len(records) > 1:
                middle = len(records) // 2
                self.process(poller, records[:middle])
                records, attempts = records[middle:], 0
            elif records and self._retries is not None and attempts > self._retries:
                self._give_up(records, "RetryAttemptsExhausted", attempts, error)
                return
            elif records:
                poller.wait(min(2.0**attempts / 2, _MAX_PAUSE_SECONDS) / self._speed)

    def _without_expired(self, records: list[Record], attempts: int) -> list[Record]:
        if self._max_age is None:
            return records
        oldest = time.time() - self._max_age
        expired = [record for record in records if record["kinesis"]["approximateArrivalTimestamp"] < oldest]
        if expired:
            self._give_up(expired, "RecordAgeExceeded", attempts, None)
        return records[len(expired) :]

    def _give_up(self, records: list[Record], condition: str, attempts: int, error: str | None) -> None:
        self._on_failure.send(self._shard, records, condition, attempts, error)
        self._progress.finish(records)

    def _invoke(self, records: list[Record]) -> tuple[int, str | None]:
        """How many of the records are done, from the first on, and the kind of error."""
        try:
            age = 1000 * (time.time() - records[-1]["kinesis"]["approximateArrivalTimestamp"])
            outcome = self._functions.call(self._mapping["FunctionArn"], json.dumps({"Records": records}).encode(), age)
            if outcome.result.error:
                return 0, outcome.result.error
            numbers = [record["kinesis"]["sequenceNumber"] for record in records]
            failed = reported_failures(self._mapping, outcome.result.payload, numbers)
        except TooManyRequests:
            return 0, "TooManyRequestsException"
        except Exception as error:
            _LOG.error("A batch for %s failed: %r", self._mapping["FunctionArn"], error)
            return 0, type(error).__name__
        if not failed:
            return len(records), None
        return next(place for place, number in enumerate(numbers) if number in failed), "BatchItemFailures"


class Lane(Poller):
    """Gathers records into batches and processes one batch after the other."""

    def __init__(self, name: str, batches: Batches, size: int, window: float) -> None:
        super().__init__(name, pause=0)
        self._batches = batches
        self._size = size
        self._window = window
        self._records: queue.Queue[Record] = queue.Queue(maxsize=2 * size)
        self._left_over: Record | None = None

    def put(self, record: Record) -> None:
        """Waits while the lane is full."""
        while not self.stopped:
            try:
                self._records.put(record, timeout=0.5)
            except queue.Full:
                continue
            return

    def turn(self) -> bool:
        batch = self._gather()
        if batch:
            self._batches.process(self, batch)
        return True

    def _gather(self) -> list[Record]:
        first = self._left_over or self._next(0.5)
        self._left_over = None
        if first is None:
            return []
        batch, size, deadline = [first], len(first["kinesis"]["data"]), time.monotonic() + self._window
        while len(batch) < self._size and not self.stopped:
            record = self._next(max(0.0, deadline - time.monotonic()))
            if record is None:
                break
            size += len(record["kinesis"]["data"])
            if size > _MAX_EVENT_BYTES:
                self._left_over = record
                break
            batch.append(record)
        return batch

    def _next(self, seconds: float) -> Record | None:
        try:
            return self._records.get(timeout=seconds) if seconds else self._records.get_nowait()
        except queue.Empty:
            return None


class ShardPoller(Poller):
    """Reads one shard and deals its records out to lanes, so that equal partition keys stay in order."""

    def __init__(
        self,
        aws: Aws,
        functions: LambdaService,
        mapping: dict[str, Any],
        shard: str,
        on_failure: OnFailure,
        positions: Positions,
        speed: float,
    ) -> None:
        """It goes on where the poller of the mapping's function was, before a change of the mapping or before a restart."""
        super().__init__(f"{shard}-{mapping['UUID']}", pause=0.2)
        self._mapping = mapping
        self._shard = shard
        self._region = aws.region
        self._filter = RecordFilter(mapping)
        place = mapping["FunctionArn"], mapping["EventSourceArn"].rsplit("/", 1)[-1], shard
        done = positions.read(*place)
        if done is None and mapping.get("StartingPosition") == "LATEST":  # it is that of now, whenever the first record comes
            done = int(_stream(aws, mapping["EventSourceArn"]).shards[shard].get_max_sequence_number())
            positions.write(*place, done)
        self._reader = ShardReader(
            aws, mapping["EventSourceArn"], shard, _starting_position(mapping) if done is None else after(done)
        )
        self._progress = Progress(lambda number: positions.write(*place, number))
        batches = Batches(functions, mapping, shard, on_failure, self._progress, speed)
        size, window = mapping.get("BatchSize") or 100, float(mapping.get("MaximumBatchingWindowInSeconds") or 0)
        self._limit = min(10_000, max(1000, size))
        self._lanes = [
            Lane(f"{self.name}-{number}", batches, size, window) for number in range(mapping.get("ParallelizationFactor") or 1)
        ]
        for lane in self._lanes:
            lane.start()

    def turn(self) -> bool:
        found = self._reader.read(self._limit)
        for record in map(self._event_record, found):
            if self._filter.passes(record):
                self._progress.begin(record)
                key = record["kinesis"]["partitionKey"].encode()
                self._lanes[zlib.crc32(key) % len(self._lanes)].put(record)
        return bool(found)

    def stop(self) -> None:
        super().stop()
        for lane in self._lanes:
            lane.stop()

    def finish(self) -> None:
        """Stop, and wait for the batches that are running."""
        self.stop()
        for lane in self._lanes:
            lane.join(_MAX_PAUSE_SECONDS)

    def _event_record(self, record: dict[str, Any]) -> Record:
        return {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": record["PartitionKey"],
                "sequenceNumber": record["SequenceNumber"],
                "data": base64.b64encode(record["Data"]).decode(),
                "approximateArrivalTimestamp": record["ApproximateArrivalTimestamp"].timestamp(),
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{self._shard}:{record['SequenceNumber']}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": f"{self._mapping['FunctionArn']}-role",
            "awsRegion": self._region,
            "eventSourceARN": self._mapping["EventSourceArn"],
        }


def after(number: int) -> dict[str, Any]:
    """The starting position behind a record."""
    if number == 0:
        return {"ShardIteratorType": "TRIM_HORIZON"}
    return {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": str(number)}


def _starting_position(mapping: dict[str, Any]) -> dict[str, Any]:
    position = mapping.get("StartingPosition") or "TRIM_HORIZON"
    if position == "AT_TIMESTAMP":
        return {"ShardIteratorType": position, "Timestamp": mapping["StartingPositionTimestamp"]}
    return {"ShardIteratorType": position}
