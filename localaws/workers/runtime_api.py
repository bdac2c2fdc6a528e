"""The Lambda Runtime API (version 2018-06-01) for one worker. docs: lambda/latest/dg/runtimes-api.html

A version with SnapStart finds its role's credentials here too, instead of in its variables.
docs: lambda/latest/dg/snapstart-activate.html#snapstart-credentials
"""

from __future__ import annotations

import json
import queue
import secrets
import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from personalize_emulator.http_gate import Gate
from personalize_emulator.http_server import Answer, Environ, HttpServer

_PREFIX = "/2018-06-01/runtime/"
_CREDENTIALS = "/2021-04-23/credentials"
_CREDENTIALS_LAST = timedelta(hours=1)
#: A function's answer may have 6 MB; what is larger must come through, to be refused with the reason.
_MOST_ANSWER = 64 << 20


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
        self._keys: Mapping[str, str] | None = None
        self._token = ""
        self._server = HttpServer(self._serve, admit=Gate(), most_body=_MOST_ANSWER)
        self._server.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.port}"

    def give_credentials(self, keys: Mapping[str, str]) -> dict[str, str]:
        """Hands out what would be the variables of a role's credentials; returns the variables that say where."""
        self._keys, self._token = keys, secrets.token_urlsafe()
        address = f"http://{self.address}{_CREDENTIALS}"
        return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": address, "AWS_CONTAINER_AUTHORIZATION_TOKEN": self._token}

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
        """Returns at once: the server's thread needs a moment to notice."""
        self._pending.put(None)
        threading.Thread(target=self._server.stop, daemon=True).start()

    def _serve(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """The WSGI application."""
        body, path = environ["wsgi.input"].read(), environ["PATH_INFO"].removeprefix(_PREFIX)
        match environ["REQUEST_METHOD"], *path.split("/"):
            case "GET", "invocation", "next":
                answer = self._next()
            case "GET", "restore", "next":  # a snapshot would be taken here, and restored
                answer = Answer(200)
            case "GET", *parts if "/".join(parts) == _CREDENTIALS and self._keys is not None:
                answer = self._credentials(self._keys) if environ.get("HTTP_AUTHORIZATION") == self._token else Answer(403)
            case "POST", ("init" | "restore"), "error":
                self.fail_init(body)
                answer = Answer(202)
            case "POST", "invocation", request_id, ("response" | "error") as kind:
                self.complete(request_id, body, "Unhandled" if kind == "error" else None)
                answer = Answer(202)
            case _:
                answer = Answer(404)
        start_response(f"{answer.status} ", answer.headers)
        return [answer.body]

    def _credentials(self, keys: Mapping[str, str]) -> Answer:
        """docs: sdkref/latest/guide/feature-container-credentials.html"""
        found = {
            "AccessKeyId": keys["AWS_ACCESS_KEY_ID"],
            "SecretAccessKey": keys["AWS_SECRET_ACCESS_KEY"],
            "Token": keys.get("AWS_SESSION_TOKEN", ""),
            "Expiration": (datetime.now(UTC) + _CREDENTIALS_LAST).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        return Answer(200, json.dumps(found).encode(), [("Content-Type", "application/json")])

    def _next(self) -> Answer:
        invocation = self.next()
        if invocation is None:
            return Answer(410)
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + invocation.timeout) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
            "Content-Type": "application/json",
        }
        return Answer(200, invocation.event, list(headers.items()))
