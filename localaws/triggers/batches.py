"""The batches of a Kinesis event source mapping: a function is called with each until it is done or given up.

docs: lambda/latest/dg/services-kinesis-errors.html
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from localaws.moto.lambda_functions import LambdaService
from localaws.poller import Poller
from localaws.triggers.item_failures import reported_failures
from localaws.triggers.on_failure import OnFailure
from localaws.workers.pool import TooManyRequests

_LOG = logging.getLogger(__name__)
MAX_PAUSE_SECONDS = 30.0

#: A record as the function gets it.
Record = dict[str, Any]


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
            self._newest = int(_number(record))
            self._unfinished[self._newest] = None

    def finish(self, records: list[Record]) -> None:
        with self._lock:
            for record in records:
                self._unfinished.pop(int(_number(record)), None)
            done = next(iter(self._unfinished), self._newest + 1) - 1
            if done > self._kept:
                self._kept = done
                self._keep(done)


class Batches:
    """Calls the function of a mapping with batches of one shard, with all that the mapping says about failures."""

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
        self._mapping = mapping
        self._shard = shard
        self._on_failure = on_failure
        self._progress = progress
        self._speed = speed
        self._most_retries = _bound(mapping, "MaximumRetryAttempts")
        self._max_age = _bound(mapping, "MaximumRecordAgeInSeconds")

    def process(self, poller: Poller, records: list[Record]) -> None:
        """Returns when every record is processed or given up, earlier ones never after later ones; or at a stop."""
        attempts = 0
        while not poller.stopped and (records := self._without_expired(records, attempts)):
            done, error = self._call(records)
            self._progress.finish(records[:done])
            records = records[done:]
            if not records:
                return
            attempts = 1 if done else attempts + 1  # progress starts the count anew
            if self._mapping.get("BisectBatchOnFunctionError") and len(records) > 1:
                middle = len(records) // 2
                self.process(poller, records[:middle])
                records, attempts = records[middle:], 0
            elif self._most_retries is not None and attempts > self._most_retries:
                self._give_up(records, "RetryAttemptsExhausted", attempts, error)
                return
            else:
                poller.wait(min(2.0**attempts / 2, MAX_PAUSE_SECONDS) / self._speed)

    def _without_expired(self, records: list[Record], attempts: int) -> list[Record]:
        if self._max_age is None:
            return records
        oldest = time.time() - self._max_age
        expired = [record for record in records if _arrival(record) < oldest]
        if expired:
            self._give_up(expired, "RecordAgeExceeded", attempts, None)
        return records[len(expired) :]

    def _give_up(self, records: list[Record], condition: str, attempts: int, error: str | None) -> None:
        self._on_failure.send(self._shard, records, condition, attempts, error)
        self._progress.finish(records)

    def _call(self, records: list[Record]) -> tuple[int, str | None]:
        """How many of the records are done, from the first on, and the kind of error."""
        function, event = self._mapping["FunctionArn"], json.dumps({"Records": records}).encode()
        try:
            outcome = self._functions.call(function, event, 1000 * (time.time() - _arrival(records[-1])))
            if outcome.result.error:
                return 0, outcome.result.error
            numbers = [_number(record) for record in records]
            failed = reported_failures(self._mapping, outcome.result.payload, numbers)
        except TooManyRequests:
            return 0, "TooManyRequestsException"
        except Exception as error:
            _LOG.error("A batch for %s failed: %r", function, error)
            return 0, type(error).__name__
        if not failed:
            return len(records), None
        return next(place for place, number in enumerate(numbers) if number in failed), "BatchItemFailures"


def _bound(mapping: dict[str, Any], name: str) -> int | None:
    """A bound of a mapping; None where there is none, which AWS writes as -1, too."""
    value = mapping.get(name)
    return None if value in (None, -1) else int(value)


def _number(record: Record) -> str:
    number: str = record["kinesis"]["sequenceNumber"]
    return number


def _arrival(record: Record) -> float:
    """When the record came, in seconds since 1970."""
    moment: float = record["kinesis"]["approximateArrivalTimestamp"]
    return moment
