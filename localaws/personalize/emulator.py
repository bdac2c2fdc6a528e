"""The emulator as an HTTP server: all three APIs of Amazon Personalize, and the admin endpoint, on one port."""

import json
import logging
import socket
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from localaws.personalize import wire
from localaws.personalize.admin import PREFIX, Admin
from localaws.personalize.errors import InternalFailure, PersonalizeError
from localaws.personalize.quotas import Quotas
from localaws.personalize.service import Service

DEFAULT_ACCOUNT = "123456789012"
DEFAULT_REGION = "us-east-1"
DEFAULT_SPEED = 100.0
_REASONS = {200: "OK", 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 409: "Conflict"}
log = logging.getLogger(__name__)


class PersonalizeEmulator:
    """Amazon Personalize for one account and region, in this process.

    `data` is the directory of its state; a second emulator over it goes on where the first one ended. Jobs
    run in child processes with this process's environment and `environment` (for AWS_ENDPOINT_URL_S3).
    Simulated time passes `speed` times as fast as real time; `durations` (see clock.DURATIONS) and `filter_lag`,
    after which filters see an event, are in simulated seconds.

        with PersonalizeEmulator(tmp_path) as emulator:
            personalize = boto3.client("personalize", endpoint_url=emulator.endpoint)
    """

    def __init__(
        self,
        data: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        account: str = DEFAULT_ACCOUNT,
        region: str = DEFAULT_REGION,
        speed: float = DEFAULT_SPEED,
        quotas: Quotas | None = None,
        durations: Mapping[str, Sequence[float]] | None = None,
        filter_lag: float = 0.0,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._server = _Server(host, port, self, handler=_Handler)
        self._service = Service(
            data,
            account=account,
            region=region,
            speed=speed,
            quotas=quotas or Quotas(),
            durations=durations or {},
            filter_lag=filter_lag,
            environment=environment,
        )
        self._admin = Admin(self._service)
        self._thread = threading.Thread(target=self._server.serve_forever, name="personalize-http", daemon=True)

    @property
    def endpoint(self) -> str:
        return f"http://{self._server.host}:{self._server.port}"

    def start(self) -> str:
        """Begin to serve; the endpoint URL."""
        self._service.start()
        self._thread.start()
        return self.endpoint

    def stop(self) -> None:
        """End serving and every child process; the state stays in the directory."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        self._server.close_connections()
        self._service.stop()

    def __enter__(self) -> "PersonalizeEmulator":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """The WSGI application."""
        length = environ.get("CONTENT_LENGTH") or "0"
        body = environ["wsgi.input"].read(int(length)) if length.isdigit() else b""
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        headers = [("Content-Type", "application/json")]
        if path.startswith(PREFIX):
            status, shown = self._admin.handle(method, path, body, environ.get("REMOTE_ADDR", ""))
            answer = json.dumps(shown).encode()
        else:
            status, answer, more = self._answer(method, path, environ.get("HTTP_X_AMZ_TARGET"), body)
            headers = more
        headers += [("Content-Length", str(len(answer))), ("x-amzn-RequestId", str(uuid.uuid4()))]
        start_response(f"{status} {_REASONS.get(status, 'Error')}", headers)
        return [answer]

    def _answer(self, method: str, path: str, target: str | None, body: bytes) -> tuple[int, bytes, list[tuple[str, str]]]:
        content_type = "application/x-amz-json-1.1" if target else "application/json"
        headers = [("Content-Type", content_type)]
        operation = None
        try:
            operation = wire.route(method, path, target)
            request = wire.decode(body, operation.input)
            result = self._service.call(operation, request)
            return 200, wire.encode(result, operation.output), headers
        except PersonalizeError as error:
            failure = error
        except Exception:
            log.exception("%s %s %s", method, path, target or "")
            failure = InternalFailure("The request processing has failed because of an unknown error.")
        headers.append(("x-amzn-ErrorType", failure.code))
        return wire.error_status(failure, operation), wire.encode_error(failure), headers


class _Handler(WSGIRequestHandler):
    """Keep-alive connections, whole answers in one segment, no line of log per request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


class _Server(ThreadedWSGIServer):
    """Knows its open connections, so that they end with it."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, host: str, port: int, app: Any, handler: type[WSGIRequestHandler]) -> None:
        # Bound here, because werkzeug ends the process itself when a port is in use.
        with socket.create_server((host, port)) as bound:
            super().__init__(host, port, app, handler, fd=bound.fileno())
        self._connections: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        for connection in list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # it has ended by itself
