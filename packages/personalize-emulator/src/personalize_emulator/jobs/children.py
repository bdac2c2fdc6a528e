"""The child processes that do jobs. All emulators of a process share them: starting one takes longer than most jobs."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import IO, Any, cast


class Child:
    """A process that does one job after another, each with the environment that it names.

    Its standard input stays open as long as this process lives: when it closes, the child ends itself, so
    that a killed emulator leaves no orphan at work.
    """

    def __init__(self) -> None:
        one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "personalize_emulator.jobs"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **one_thread},
            start_new_session=True,  # a Ctrl-C in the terminal is for the parent
        )

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def run(self, spec: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
        """The answer of a job; a reason for failure if the process dies of it."""
        stdin, stdout = cast(IO[bytes], self._process.stdin), cast(IO[bytes], self._process.stdout)
        try:
            stdin.write(json.dumps({"spec": spec, "environment": dict(environment)}).encode() + b"\n")
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


class _Children:
    """The children that wait for work. Whoever uses them joins first; when the last one leaves, they end."""

    def __init__(self) -> None:
        self._idle: list[Child] = []
        self._users = 0
        self._lock = threading.Lock()

    def join(self) -> None:
        with self._lock:
            self._users += 1

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            left = [] if self._users else self._idle
            self._idle = self._idle if self._users else []
        for child in left:
            child.close()

    def take(self) -> Child:
        """The process that was at work last, or else a new one."""
        with self._lock:
            while self._idle:
                if (child := self._idle.pop()).alive:
                    return child
        return Child()

    def give_back(self, child: Child) -> None:
        with self._lock:
            self._idle.append(child)


CHILDREN = _Children()


def aws_settings() -> dict[str, str]:
    """The AWS settings in the environment of this process, as they are now."""
    return {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
