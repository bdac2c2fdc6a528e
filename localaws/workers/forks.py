"""Workers that start within milliseconds, as forks of a process that has the usual imports behind it (`fork_server`)."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import IO

from localaws.processes import kill_group
from localaws.workers import fork_server
from localaws.workers.fork_server import NUMBER

#: Elsewhere a fork may not use what the system's own libraries began before it.
AVAILABLE = sys.platform == "linux"


class Fork:
    """A worker's process: what localaws needs of a `subprocess.Popen`."""

    def __init__(self, stdin: int, stdout: int, report: int) -> None:
        self.stdin: IO[bytes] = os.fdopen(stdin, "wb", buffering=0)  # once it is closed, the worker leaves
        self.stdout: IO[bytes] = os.fdopen(stdout, "rb", buffering=0)
        self._report = os.fdopen(report, "rb", buffering=0)
        self._reading = threading.Lock()
        self.returncode: int | None = None
        self.pid = 0

    def wait_until_started(self) -> None:
        self.pid = int.from_bytes(self._report.read(NUMBER), "big")
        if not self.pid:
            self.forget()
            raise ConnectionError("the process that workers are forked from has ended")

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def forget(self) -> None:
        for stream in (self.stdin, self.stdout, self._report):
            stream.close()

    def poll(self) -> int | None:
        return self.returncode

    def wait(self) -> int:
        """The exit code; negative for a signal."""
        with self._reading:
            if self.returncode is None:
                code = self._report.read(NUMBER)
                if not code:  # nobody can tell how it will end, if what it was forked from was killed
                    kill_group(self)
                self.returncode = int.from_bytes(code, "big", signed=True) if code else -signal.SIGKILL
                self._report.close()
        return self.returncode


class Forks:
    """Starts workers. The process that they are forked from is started with the first, and again if it was killed."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = dict(environ)
        self._asking = threading.Lock()
        self._control: socket.socket | None = None
        self._server: subprocess.Popen[bytes] | None = None

    def start(self, environ: Mapping[str, str], cwd: str) -> Fork:
        """A process in a session of its own that runs `bootstrap`, in a folder, with these variables and no others."""
        request = json.dumps({"environ": dict(environ), "cwd": cwd}).encode()
        try:
            return self._fork(request)
        except OSError:
            self.close()
            return self._fork(request)

    def close(self) -> None:
        """Ends the server; not the workers."""
        with self._asking:
            if self._control is not None and self._server is not None:
                self._control.close()
                self._server.wait()
            self._control = self._server = None

    def _fork(self, request: bytes) -> Fork:
        read_in, write_in = os.pipe()
        read_out, write_out = os.pipe()
        read_report, write_report = os.pipe()
        fork = Fork(write_in, read_out, read_report)
        try:
            with self._asking:
                control = self._connect()
                socket.send_fds(control, [len(request).to_bytes(NUMBER, "big")], [read_in, write_out, write_report])
                control.sendall(request)
        except OSError:
            fork.forget()
            raise
        finally:
            for descriptor in (read_in, write_out, write_report):
                os.close(descriptor)
        fork.wait_until_started()
        return fork

    def _connect(self) -> socket.socket:
        if self._control is None:
            self._control, theirs = socket.socketpair()
            command = [sys.executable, "-m", fork_server.__name__]
            with theirs:
                self._server = subprocess.Popen(command, stdin=theirs.fileno(), env=self._environ, start_new_session=True)
        return self._control
