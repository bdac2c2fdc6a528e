"""Rows into a table, 25 at a time, several calls in flight; what the table puts off is written again."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

from lambdas.aws import clients
from lambdas.aws.clients import PARALLEL_PUTS
from lambdas.aws.retry import OutOfTime, Patience
from lambdas.aws.tables import WRITE_BATCH

#: Batches that may wait for a thread: enough to keep all busy, few enough for flat memory.
WAITING = 2 * PARALLEL_PUTS


class Writer:
    """Takes rows; they are all in the table once `drain` has returned. A call raises what writing earlier rows has met."""

    def __init__(self, table: str, keys: Sequence[str], patience: Patience) -> None:
        self.table, self.keys, self.patience = table, keys, patience
        self._batch: dict[tuple[str, ...], Mapping[str, Any]] = {}
        self._threads = ThreadPoolExecutor(PARALLEL_PUTS)
        self._flying: deque[Future[None]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._threads.shutdown(cancel_futures=True)

    def put(self, row: Mapping[str, Any]) -> None:
        """One batch holds each key once: DynamoDB refuses it otherwise. A later row of the same key counts."""
        key = tuple(row[name]["S"] for name in self.keys)
        if key in self._batch:
            self.drain()
        self._batch[key] = row
        if len(self._batch) == WRITE_BATCH:
            self._send()

    def drain(self) -> None:
        """Wait until all rows so far are written. Raises OutOfTime when the table takes too long."""
        self._send()
        while self._flying:
            self._flying.popleft().result()

    def _send(self) -> None:
        if not self._batch:
            return
        rows = [{"PutRequest": {"Item": row}} for row in self._batch.values()]
        self._batch = {}
        self._flying.append(self._threads.submit(self._write, rows))
        if len(self._flying) > WAITING:
            self._flying.popleft().result()

    def _write(self, waiting: list[Any]) -> None:
        pause = 0.05
        while waiting:
            answer = self.patience.call(clients.bulk_dynamodb().batch_write_item, RequestItems={self.table: waiting})
            waiting = answer.get("UnprocessedItems", {}).get(self.table, [])
            if waiting:
                if time.monotonic() + pause > self.patience.deadline:
                    raise OutOfTime
                self.patience.pause(pause)
                pause = min(2 * pause, 5)
