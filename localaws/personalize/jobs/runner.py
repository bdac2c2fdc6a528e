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


@dataclass
class _Job:
    key: str
    spec: dict[str, Any]
    done: Callable[[dict[str, Any]], None]
    process: subprocess.Popen[bytes] | None = None
    cancelled: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


class JobRunner:
    """A few threads, each watching over one child process at a time.

    A child gets its specification through its standard input, which stays open as long as this process
    lives: when it closes, the child ends itself, so that a killed emulator leaves no orphan at work.
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
                if job.process:
                    job.process.kill()

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

    def _work(self) -> None:
        while job := self._queue.get():
            with job.lock:
                if job.cancelled:
                    continue
                job.process = self._start()
            result = _result_of(job.process, job.spec)
            with job.lock:
                if job.cancelled:
                    continue
            with self._lock:
                if self._jobs.get(job.key) is job:
                    del self._jobs[job.key]
            job.done(result)

    def _start(self) -> subprocess.Popen[bytes]:
        one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        return subprocess.Popen(
            [sys.executable, "-m", "localaws.personalize.jobs"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **one_thread, **self._environment},
            start_new_session=True,
        )


def _result_of(process: subprocess.Popen[bytes], spec: dict[str, Any]) -> dict[str, Any]:
    stdin, stdout = cast(IO[bytes], process.stdin), cast(IO[bytes], process.stdout)
    try:
        stdin.write(json.dumps(spec).encode() + b"\n")
        stdin.flush()
        output = stdout.read()
    except BrokenPipeError:
        output = b""  # the child ended before it began
    with contextlib.suppress(BrokenPipeError):
        stdin.close()
    stdout.close()
    code = process.wait()
    try:
        result: dict[str, Any] = json.loads(output)
        return result
    except ValueError:
        log.error("job %s ended with code %s and no answer", spec.get("kind"), code)
        return {"failure": f"Internal error: the job's process ended with code {code}"}
