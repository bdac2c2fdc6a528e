"""Running jobs in child processes: at most as many at once as the machine has cores."""

import logging
import os
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from personalize_emulator.jobs.children import CHILDREN, Child, aws_settings

log = logging.getLogger(__name__)


@dataclass
class _Job:
    key: str
    spec: dict[str, Any]
    done: Callable[[dict[str, Any]], None]
    child: Child | None = None
    cancelled: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


class JobRunner:
    """A few threads, each of which gives one job at a time to a child process.

    A job runs with the AWS settings of this process's environment and with `environment`.
    """

    def __init__(self, environment: Mapping[str, str] | None = None, workers: int | None = None) -> None:
        self._environment = dict(environment or {})
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._jobs: dict[str, _Job] = {}
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._work, name=f"personalize-job-{i}", daemon=True)
            for i in range(workers or os.cpu_count() or 1)
        ]
        CHILDREN.join()
        for thread in self._threads:
            thread.start()

    @property
    def environment(self) -> dict[str, str]:
        """The AWS settings that a job runs with."""
        return aws_settings() | self._environment

    def submit(self, key: str, spec: dict[str, Any], done: Callable[[dict[str, Any]], None]) -> None:
        """Run a job and call `done` with its answer: what it returns, or {"failure": reason}."""
        job = _Job(key, spec, done)
        with self._lock:
            self._jobs[key] = job
        self._queue.put(job)

    def cancel(self, key: str) -> None:
        """End a job, if there is one of this key; its `done` is not called."""
        with self._lock:
            job = self._jobs.pop(key, None)
        if job:
            with job.lock:
                job.cancelled = True
                if job.child:
                    job.child.kill()

    def cancel_all(self) -> None:
        with self._lock:
            keys = list(self._jobs)
        for key in keys:
            self.cancel(key)

    def close(self) -> None:
        self.cancel_all()
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()
        CHILDREN.leave()

    def _work(self) -> None:
        while job := self._queue.get():
            with job.lock:
                if job.cancelled:
                    continue
                child = job.child = CHILDREN.take()
            result = child.run(job.spec, self.environment)
            with job.lock:
                job.child = None  # from here on the child may be at another job
                if job.cancelled:
                    child.close()
                    continue
            CHILDREN.give_back(child)
            with self._lock:
                if self._jobs.get(job.key) is job:
                    del self._jobs[job.key]
            try:
                job.done(result)
            except Exception:
                log.exception("the end of job %s", job.key)
