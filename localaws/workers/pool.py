"""The workers of all functions: warm ones are used again, their number is bounded, idle ones are closed."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping

from localaws.workers.forks import Forks
from localaws.workers.function import CodeStore, Function
from localaws.workers.worker import Outcome, Worker, base_environ

_IDLE_SECONDS = 300


class TooManyRequests(Exception):
    """The function's reserved concurrency is in use."""


class WorkerPool:
    """Invokes functions. A call waits for a free place when `max_workers` processes are all busy."""

    def __init__(
        self,
        code: CodeStore,
        aws_environ: Callable[[Function], Mapping[str, str]],
        on_log: Callable[[Worker, Outcome], None],
        max_workers: int = 24,
    ) -> None:
        self._code = code
        self._aws_environ = aws_environ  # of a function: where the APIs are, and its role's credentials
        self._on_log = on_log
        self._forks = Forks(base_environ())
        self._max_workers = max_workers
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()
        self._starting = 0
        self._running: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._closed = False
        threading.Thread(target=self._close_idle, name="lambda-reaper", daemon=True).start()

    def invoke(self, function: Function, event: bytes) -> Outcome:
        """Runs `function` with a JSON event. Raises TooManyRequests above its reserved concurrency."""
        worker = self._acquire(function)
        outcome: Outcome | None = None
        try:
            outcome = worker.invoke(event)
        finally:
            self._release(worker, keep=outcome is not None and outcome.worker_alive)
        self._on_log(worker, outcome)
        return outcome

    def warm(self, function: Function) -> None:
        """Starts a worker ahead of the first call, if there is room and none is warm; returns when it is ready."""
        with self._changed:
            if self._closed or self._total() >= self._max_workers // 2 or any(w.function == function for w in self._idle):
                return
            self._starting += 1
        self._start(function, busy=False).wait_until_ready()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            workers = [*self._idle, *self._busy]
            self._changed.notify_all()
        for worker in workers:
            worker.close()
        self._forks.close()

    def _acquire(self, function: Function) -> Worker:
        with self._changed:
            limit = function.reserved_concurrency
            if limit is not None and self._running[function.name] >= limit:
                raise TooManyRequests(f"Rate Exceeded: {function.name} has {limit} reserved concurrent executions.")
            self._running[function.name] += 1
            warm, stale = self._claim(function)
        if stale is not None:
            stale.close()
        return warm or self._start(function, busy=True)

    def _claim(self, function: Function) -> tuple[Worker | None, Worker | None]:
        """A warm worker, or else a place for a new one (and an idle worker that has ended, or has to give way)."""
        while not self._closed:
            for worker in reversed(self._idle):
                if worker.function == function:
                    self._idle.remove(worker)
                    if worker.alive():
                        self._busy.add(worker)
                        return worker, None
                    self._starting += 1
                    return None, worker
            if self._total() < self._max_workers:
                self._starting += 1
                return None, None
            if self._idle:
                self._starting += 1
                return None, self._idle.pop(0)
            self._changed.wait()
        raise RuntimeError("the local AWS environment is stopping")

    def _start(self, function: Function, *, busy: bool) -> Worker:
        worker: Worker | None = None
        try:
            worker = Worker(function, self._code, self._aws_environ(function), self._forks)
        finally:
            with self._changed:
                self._starting -= 1
                if worker is None:
                    self._running[function.name] -= int(busy)
                elif busy:
                    self._busy.add(worker)
                else:
                    self._idle.append(worker)
                self._changed.notify_all()
                closed = self._closed
        if closed:
            worker.close()
        return worker

    def _release(self, worker: Worker, *, keep: bool) -> None:
        with self._changed:
            self._busy.discard(worker)
            self._running[worker.function.name] -= 1
            keep = keep and not self._closed
            if keep:
                self._idle.append(worker)
            self._changed.notify_all()
        if not keep:
            worker.close()

    def _total(self) -> int:
        return len(self._idle) + len(self._busy) + self._starting

    def _close_idle(self) -> None:
        while not self._closed:
            time.sleep(5)
            oldest = time.monotonic() - _IDLE_SECONDS
            with self._changed:
                expired = [worker for worker in self._idle if worker.idle_since < oldest]
                self._idle = [worker for worker in self._idle if worker.idle_since >= oldest]
            for worker in expired:
                worker.close()
