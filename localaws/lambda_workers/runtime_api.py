"""The Lambda Runtime API (version 2018-06-01) for one worker. docs: lambda/latest/dg/runtimes-api.html"""

from __future__ import annotations

import queue
import threading
import time
import uuid
from concurrent.futures import Future
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Result:
    """A function's answer: the JSON payload, and the kind of error if it is one ("Unhandled")."""

    payload: bytes
    error: str | None = None


@dataclass
class Invocation:
    """One event on its way through a worker."""

    event: bytes
    function_arn: str
    timeout: int
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    result: Future[Result] = field(default_factory=Future)


class RuntimeApi:
    """Hands invocations to the runtime client that polls it, and takes back their results."""

    def __init__(self) -> None:
        self.ready = threading.Event()  # set when the function's module is imported and the client asks for work
        self._pending: queue.SimpleQueue[Invocation | None] = queue.SimpleQueue()
        self.running: Invocation | None = None
        self._init_error: bytes | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.5}, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    def submit(self, invocation: Invocation) -> None:
        self.running = invocation
        self._pending.put(invocation)

    def next(self) -> Invocation | None:
        """Waits for the next invocation; None when the worker is closed."""
        self.ready.set()
        return self._pending.get()

    def complete(self, request_id: str, payload: bytes, error: str | None) -> None:
        running = self.running
        if running and running.request_id == request_id and not running.result.done():
            running.result.set_result(Result(payload, error))

    def fail_init(self, payload: bytes) -> None:
        """Keeps the error of a module that could not be imported, for the invocation that is waiting for it."""
        self._init_error = payload
        self.ready.set()

    def fail_running(self, payload: bytes) -> None:
        """Answers the running invocation with an error: the process has ended."""
        self.ready.set()
        running = self.running
        if running and not running.result.done():
            running.result.set_result(Result(self._init_error or payload, "Unhandled"))

    def close(self) -> None:
        """Returns at once: the server's thread needs up to half a second to notice."""
        self._pending.put(None)
        threading.Thread(target=self._stop_serving, daemon=True).start()

    def _stop_serving(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(api: RuntimeApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # 40 ms a call otherwise
        wbufsize = -1

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

        def do_GET(self) -> None:
            invocation = api.next()
            if invocation is None:
                self._answer(410, b"")
                return
            deadline = int((time.time() + invocation.timeout) * 1000)
            headers = {
                "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
                "Lambda-Runtime-Deadline-Ms": str(deadline),
                "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
                "Content-Type": "application/json",
            }
            self._answer(200, invocation.event, headers)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            *_, request_id, kind = self.path.split("/")
            if self.path.endswith("/init/error"):
                api.fail_init(body)
            else:
                api.complete(request_id, body, "Unhandled" if kind == "error" else None)
            self._answer(202, b"")

        def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

    return Handler
