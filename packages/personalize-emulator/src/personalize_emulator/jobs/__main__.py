"""A child process that works through jobs: a specification per line of input, an answer per line of output."""

import contextlib
import json
import os
import queue
import re
import resource
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import boto3

from personalize_emulator.jobs.children import aws_settings
from personalize_emulator.jobs.work import run

_LARGE = 400_000_000  # bytes: a process that has grown beyond this makes room for a new one


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not mix with the answers
    specifications: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(specifications,), daemon=True).start()
    last = False
    with contextlib.suppress(BrokenPipeError):  # the parent has died
        while not last:
            job = json.loads(specifications.get())
            _take_over(job["environment"])
            result = run(job["spec"])
            last = _most_memory() > _LARGE
            answers.write(json.dumps({"result": result, "last": last}) + "\n")
            answers.flush()
    os._exit(0)  # the reading thread holds standard input, which an orderly end would wait for


def _take_over(environment: Mapping[str, str]) -> None:
    """Let the AWS settings be those of a job."""
    settings = aws_settings()
    if settings != environment:
        for name in settings:
            del os.environ[name]
        os.environ.update(environment)
        boto3.setup_default_session()  # another may hold the credentials of the job before


def _most_memory() -> int:
    """The most memory that this process has had, in bytes. On Linux getrusage would count that of its parent as well."""
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text()) if status.exists() else None
    return int(found[1]) * 1024 if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _read(specifications: "queue.SimpleQueue[bytes]") -> None:
    """The parent holds the other end: when it dies, however, this process must not go on."""
    for line in sys.stdin.buffer:
        specifications.put(line)
    os._exit(0)


if __name__ == "__main__":
    main()
