"""Child processes that never outlive their parent.

The child's standard input is a pipe that the parent holds open. When the parent ends, however it ends (kill -9 included), the
operating system closes the pipe and the child leaves. This works on every platform, and unlike Linux's
PR_SET_PDEATHSIG it does not depend on the *thread* that started the child (which here is often a short-lived one).
"""

from __future__ import annotations

import contextlib
import os
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import IO, Any, Protocol, TypedDict, Unpack


class Process(Protocol):
    """What it takes to end a process: a `subprocess.Popen`, or a fork of `localaws.workers`."""

    @property
    def pid(self) -> int: ...
    @property
    def stdin(self) -> IO[Any] | None: ...
    def poll(self) -> int | None: ...
    def wait(self) -> int: ...
    def kill(self) -> None: ...


class _Options(TypedDict, total=False):
    """Those of `subprocess.Popen` that children are started with."""

    env: Mapping[str, str]
    cwd: str
    stdout: int
    stderr: int


def start_child(module: str, arguments: Sequence[str] = (), **options: Unpack[_Options]) -> subprocess.Popen[str]:
    """Starts `python -m module arguments...` in a session of its own; it ends when this process does."""
    return start_program(__name__, [module, *arguments], **options)


def start_program(module: str, arguments: Sequence[str] = (), **options: Unpack[_Options]) -> subprocess.Popen[str]:
    """The same for a module of ours that calls `end_with_parent` itself."""
    return start_command([sys.executable, "-m", module, *arguments], **options)


def start_command(command: Sequence[str], **options: Unpack[_Options]) -> subprocess.Popen[str]:
    """The same for any program that ends by itself once its standard input closes."""
    return subprocess.Popen(list(command), stdin=subprocess.PIPE, text=True, start_new_session=True, **options)


def stop_child(process: subprocess.Popen[str], patience: float = 5.0) -> None:
    """Asks the child to end (SIGTERM), kills it and its own children after `patience` seconds, and reaps it."""
    if process.poll() is None and patience > 0:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
    end_child(process)


def end_child(process: Process) -> None:
    """Kills the child and its own children, and reaps it."""
    kill_group(process)
    process.wait()
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()


def kill_group(process: Process) -> None:
    """Kills the child and whatever it has started itself."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    elif process.poll() is None:
        process.kill()


def end_with_parent(patience: float = 5.0) -> None:
    """Ends this process once its standard input closes: SIGTERM first, and an immediate exit after `patience` seconds."""
    threading.Thread(target=_wait_for_parent, args=(patience,), name="parent-watch", daemon=True).start()


def _wait_for_parent(patience: float) -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 1024):
            pass
    if patience:
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(patience)
    os._exit(1)


def _run_module() -> None:
    module = sys.argv[1]
    sys.argv = sys.argv[1:]
    end_with_parent()
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _run_module()
