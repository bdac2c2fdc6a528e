"""Writes what functions and jobs print to CloudWatch Logs, and the metrics in it to CloudWatch, without delaying the answer."""

from __future__ import annotations

import queue
import time
from collections import defaultdict
from typing import Any

from localaws.clients import Aws
from localaws.cloudwatch.embedded_metrics import put_embedded
from localaws.poller import Poller
from localaws.workers.worker import Outcome, Worker

_GATHERING_SECONDS = 0.2


class LogWriter(Poller):
    """A queue of logs, and the thread that empties it."""

    def __init__(self, aws: Aws) -> None:
        super().__init__("lambda-logs", pause=0)
        self._aws = aws
        self._waiting: queue.SimpleQueue[tuple[str, str, int, str]] = queue.SimpleQueue()
        self._streams: set[tuple[str, str]] = set()

    def add(self, worker: Worker, outcome: Outcome) -> None:
        self.write(worker.function.log_group, worker.log_stream, outcome.log)

    def write(self, group: str, stream: str, text: str) -> None:
        self._waiting.put((group, stream, int(time.time() * 1000), text))

    def turn(self) -> bool:
        """Writes what has come within a moment in one call per stream, since each call takes time from the functions."""
        try:
            waiting = [self._waiting.get(timeout=0.5)]
        except queue.Empty:
            return True
        self.wait(_GATHERING_SECONDS)
        while not self._waiting.empty():
            waiting.append(self._waiting.get())
        logs = self._aws.client("logs")
        by_stream: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        for group, stream, moment, text in waiting:
            by_stream[group, stream] += [{"timestamp": moment, "message": line} for line in text.splitlines()]
        for (group, stream), events in by_stream.items():
            if (group, stream) not in self._streams:
                self._create_stream(logs, group, stream)
            logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
        put_embedded(self._aws, (event["message"] for events in by_stream.values() for event in events))
        return True

    def _create_stream(self, logs: Any, group: str, stream: str) -> None:
        try:
            logs.create_log_stream(logGroupName=group, logStreamName=stream)
        except logs.exceptions.ResourceNotFoundException:
            logs.create_log_group(logGroupName=group)
            logs.create_log_stream(logGroupName=group, logStreamName=stream)
        self._streams.add((group, stream))
