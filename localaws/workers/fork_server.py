"""The process that workers are forked from: it has imported what nearly every function imports. `forks` starts and asks it.

What a function brings itself must not be hidden by what is imported here, and some variables are read when a program starts: such
a worker begins anew as a Python of its own.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from localaws.workers import bootstrap

_IMPORTED = ("boto3", "botocore.httpsession", "pydantic.json_schema", "pydantic.main", "pydantic.type_adapter")
#: Variables that Python and the system's loader read once, when a program starts.
_READ_AT_START = ("PYTHON", "LD_")
#: Bytes of a request's length, of a process's number, of its exit code.
NUMBER = 4


@dataclass(frozen=True)
class _Request:
    """A worker to start. `descriptors` are its standard input, its output, and where its end is reported."""

    environ: dict[str, str]
    cwd: str
    descriptors: list[int]


def main() -> None:
    for name in _IMPORTED:
        importlib.import_module(name)
    sys.modules["pydantic"].TypeAdapter(int)  # the first looks for plugins
    gc.freeze()  # what is there now stays shared with the forks
    request = _serve(socket.socket(fileno=os.dup(0)))
    if request is not None:
        _become(request)
        bootstrap.main()


def _serve(control: socket.socket) -> _Request | None:
    """Fork at each request, report each end. Returns in every fork, with its request; and None once nobody can ask any more."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    reports: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([control.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _report_ends(reports)
        if control.fileno() in ready:
            request = _receive(control)
            if request is None:
                return None
            pid = os.fork()
            if pid == 0:
                return request
            stdin, stdout, report = request.descriptors
            os.close(stdin)
            os.close(stdout)
            reports[pid] = report
            _write(report, pid)


def _receive(control: socket.socket) -> _Request | None:
    length, descriptors, _, _ = socket.recv_fds(control, NUMBER, 3)
    if not length:
        return None
    with control.makefile("rb", buffering=0) as stream:
        text = b""
        while len(text) < int.from_bytes(length, "big"):
            text += stream.read(int.from_bytes(length, "big") - len(text)) or b""
    return _Request(**json.loads(text), descriptors=descriptors)


def _report_ends(reports: dict[int, int]) -> None:
    for pid in list(reports):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            report = reports.pop(pid)
            _write(report, os.waitstatus_to_exitcode(status))
            os.close(report)


def _write(report: int, number: int) -> None:
    with contextlib.suppress(BrokenPipeError):  # who started it may have no interest any more
        os.write(report, number.to_bytes(NUMBER, "big", signed=True))


def _become(request: _Request) -> None:
    """Make this fork what a program is that was started with the request's variables, folder and pipes."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    stdin, stdout, _ = request.descriptors
    os.dup2(stdin, 0)
    os.dup2(stdout, 1)
    os.dup2(stdout, 2)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.chdir(request.cwd)
    if _needs_a_start(request):
        os.execve(sys.executable, [sys.executable, "-m", bootstrap.__name__], request.environ)  # noqa: S606
    Path("/proc/self/comm").write_text(process_name(request.environ["AWS_LAMBDA_FUNCTION_NAME"]))
    os.environ.clear()
    os.environ.update(request.environ)
    time.tzset()


def process_name(function: str) -> str:
    """What `ps -o comm` shows of a worker: Linux keeps 15 bytes, and the ends of the names of functions tell them apart."""
    return function[-15:]


def _needs_a_start(request: _Request) -> bool:
    """It brings a module that is imported here already, or a variable that this process did not start with."""
    read = {name for name in {*request.environ, *os.environ} if name.startswith(_READ_AT_START)}
    folders = [request.cwd, *bootstrap.paths(request.environ.get(bootstrap.FIRST_PATHS, ""))]
    brought = {entry.name.partition(".")[0] for folder in folders for entry in Path(folder).iterdir()}
    return any(request.environ.get(name) != os.environ.get(name) for name in read) or not brought.isdisjoint(sys.modules)


if __name__ == "__main__":
    main()
