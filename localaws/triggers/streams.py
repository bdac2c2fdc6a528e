"""Kinesis event source mappings. docs: lambda/latest/dg/with-kinesis.html"""

from __future__ import annotations

import base64
import queue
import time
import zlib
from functools import partial
from typing import Any

from localaws.clients import Aws
from localaws.moto.lambda_functions import LambdaService
from localaws.persistence.streams import Positions
from localaws.poller import Poller
from localaws.triggers.batches import MAX_PAUSE_SECONDS, Batches, Progress, Record
from localaws.triggers.on_failure import OnFailure
from localaws.triggers.shards import ShardReader, after, newest, starting_position

_MAX_EVENT_BYTES = 6_000_000


class _Lane(Poller):
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
        role: str,
        shard: str,
        on_failure: OnFailure,
        positions: Positions,
        speed: float,
    ) -> None:
        """It goes on where the poller of the mapping's function was, before a change of the mapping or before a restart."""
        super().__init__(f"{shard}-{mapping['UUID']}", pause=0.2)
        self._still_there = partial(functions.has_mapping, mapping["UUID"])
        self._event_record = partial(_event_record, mapping, shard, aws.region)
        place = mapping["FunctionArn"], mapping["EventSourceArn"].rsplit("/", 1)[-1], shard
        kinesis = aws.client_as(role, "kinesis", "lambda")
        self._reader = ShardReader(aws, kinesis, mapping["EventSourceArn"], shard, _begin(aws, mapping, place, positions))
        self._progress = Progress(lambda number: positions.write(*place, number))
        batches = Batches(functions, mapping, shard, on_failure, self._progress, speed)
        size, window = mapping.get("BatchSize") or 100, float(mapping.get("MaximumBatchingWindowInSeconds") or 0)
        self._limit = min(10_000, max(1000, size))
        lanes = range(mapping.get("ParallelizationFactor") or 1)
        self._lanes = [_Lane(f"{self.name}-{number}", batches, size, window) for number in lanes]
        for lane in self._lanes:
            lane.start()

    def turn(self) -> bool:
        if not self._still_there():  # a deleted mapping's role may no longer read
            return False
        found = self._reader.read(self._limit)
        for record in map(self._event_record, found):
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
            lane.join(MAX_PAUSE_SECONDS)


def _begin(aws: Aws, mapping: dict[str, Any], place: tuple[str, str, str], positions: Positions) -> dict[str, Any]:
    """The starting position: behind what is done, or else where the mapping says."""
    done = positions.read(*place)
    if done is None and mapping.get("StartingPosition") == "LATEST":  # it is that of now, whenever the first record comes
        done = newest(aws, mapping["EventSourceArn"], place[2])
        positions.write(*place, done)
    return starting_position(mapping) if done is None else after(done)


def _event_record(mapping: dict[str, Any], shard: str, region: str, record: dict[str, Any]) -> Record:
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
        "eventID": f"{shard}:{record['SequenceNumber']}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": f"{mapping['FunctionArn']}-role",
        "awsRegion": region,
        "eventSourceARN": mapping["EventSourceArn"],
    }
