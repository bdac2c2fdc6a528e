"""Running jobs in child processes: at most as many at once as the machine has cores."""

import contextlib
import json
import logging
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, cast

log = logging.getLogger(__name__)


class Child:
    """A process that does one job after another.

    Its standard input stays open as long as this process lives: when it closes, the child ends itself, so
    that a killed emulator leaves no orphan at work.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "localaws.personalize.jobs"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **one_thread, **environment},
            start_new_session=True,  # a Ctrl-C in the terminal is for the parent
        )

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def run(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """The answer of a job; a reason for failure if the process dies of it."""
        stdin, stdout = cast(IO[bytes], self._process.stdin), cast(IO[bytes], self._process.stdout)
        try:
            stdin.write(json.dumps(spec).encode() + b"\n")
            stdin.flush()
            answer = json.loads(stdout.readline())
        except (OSError, ValueError):
            self.kill()
            code = self.close()
            return {"failure": f"Internal error: the job's process ended with code {code}"}
        if answer["last"]:
            self.close()
        result: dict[str, Any] = answer["result"]
        return result

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> int:
        """Let the process end; its exit code."""
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):  # what was not yet sent is of no use to a dead child
                cast(IO[bytes], stream).close()
        return self._process.wait()


@dataclass
class _Job:
    key: str
    spec: dict[str, Any]
    done: Callable[[dict[str, Any]], None]
    child: Child | None = None
    cancelled: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


class JobRunner:
    """A few threads, each of which gives one job at a time to a child process: one that is there, or else a new one."""

    def __init__(self, environment: Mapping[str, str] | None = None, workers: int | None = None) -> None:
        self._environment = dict(environment or {})
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._jobs: dict[str, _Job] = {}
        self._idle: list[Child] = []
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._work, name=f"personalize-job-{i}", daemon=True)
            for i in range(workers or os.cpu_count() or 1)
        ]
        for thread in self._threads:
            thread.start()

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
        for child in self._idle:
            child.close()

    def _work(self) -> None:
        while job := self._queue.get():
            with job.lock:
                if job.cancelled:
                    continue
                child = job.child = self._child()
            result = child.run(job.spec)
            with job.lock:
                job.child = None  # from here on the child may be at another job
                if job.cancelled:
                    child.close()
                    continue
            with self._lock:
                self._idle.append(child)
                if self._jobs.get(job.key) is job:
                    del self._jobs[job.key]
            try:
                job.done(result)
            except Exception:
                log.exception("the end of job %s", job.key)

    def _child(self) -> Child:
        """The process that was at work last; starting another takes longer than most jobs."""
        with self._lock:
            while self._idle:
                if (child := self._idle.pop()).alive:
                    return child
        return Child(self._environment)
