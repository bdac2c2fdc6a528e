"""Writes what functions print to CloudWatch Logs, one stream per worker, without delaying the answer."""

from __future__ import annotations

import queue
import time
from typing import Any

from localaws.clients import Aws
from localaws.lambda_workers.worker import Outcome, Worker
from localaws.pumps.pump import Pump


class LogWriter(Pump):
    """A queue of logs, and the thread that empties it."""

    def __init__(self, aws: Aws) -> None:
        super().__init__("lambda-logs", pause=0)
        self._aws = aws
        self._waiting: queue.SimpleQueue[tuple[str, str, str]] = queue.SimpleQueue()
        self._streams: set[tuple[str, str]] = set()

    def add(self, worker: Worker, outcome: Outcome) -> None:
        self._waiting.put((worker.function.log_group, worker.log_stream, outcome.log))

    def turn(self) -> bool:
        try:
            group, stream, text = self._waiting.get(timeout=0.5)
        except queue.Empty:
            return True
        logs = self._aws.client("logs")
        if (group, stream) not in self._streams:
            self._create_stream(logs, group, stream)
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": line} for line in text.splitlines()]
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
        return True

    def _create_stream(self, logs: Any, group: str, stream: str) -> None:
        try:
            logs.create_log_stream(logGroupName=group, logStreamName=stream)
        except logs.exceptions.ResourceNotFoundException:
            logs.create_log_group(logGroupName=group)
            logs.create_log_stream(logGroupName=group, logStreamName=stream)
        self._streams.add((group, stream))
