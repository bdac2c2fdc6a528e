"""The emulator as an HTTP server: all three APIs of Amazon Personalize, and the admin endpoint, on one port."""

import json
import logging
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from personalize_emulator import wire
from personalize_emulator.admin import PREFIX, Admin
from personalize_emulator.errors import InternalFailure, PersonalizeError
from personalize_emulator.http_gate import Gate
from personalize_emulator.http_server import Answer, Environ, HttpServer, WsgiApp
from personalize_emulator.quotas import Quotas
from personalize_emulator.service import Service

DEFAULT_ACCOUNT = "123456789012"
DEFAULT_REGION = "us-east-1"
DEFAULT_SPEED = 100.0
log = logging.getLogger(__name__)


class PersonalizeEmulator:
    """Amazon Personalize for one account and region, in this process.

    `data` is the directory of its state; a second emulator over it goes on where the first one ended. Jobs
    run in child processes with this process's environment and `environment` (for AWS_ENDPOINT_URL_S3); with `s3_root` a
    folder is in the place of S3, where s3://bucket/key is the file bucket/key.
    Simulated time passes `speed` times as fast as real time; `durations` (see clock.DURATIONS) and `filter_lag`,
    after which filters see an event, are in simulated seconds. Only programs of this machine may call it, as localhost or
    127.0.0.1 (see http_gate). `around` wraps the WSGI application, to let something else see each request first.

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
        s3_root: Path | None = None,
        around: Callable[[WsgiApp], WsgiApp] = lambda app: app,
    ) -> None:
        self._server = HttpServer(around(self._serve), host, port, admit=Gate())
        self._service = Service(
            data,
            account=account,
            region=region,
            speed=speed,
            quotas=quotas or Quotas(),
            durations=durations or {},
            filter_lag=filter_lag,
            environment=environment,
            s3_root=s3_root,
        )
        self._admin = Admin(self._service)

    @property
    def endpoint(self) -> str:
        return self._server.url

    def start(self) -> str:
        """Begin to serve; the endpoint URL."""
        self._service.start()
        self._server.start()
        return self.endpoint

    def stop(self) -> None:
        """End serving and every child process; the state stays in the directory."""
        self._server.stop()
        self._service.stop()

    def __enter__(self) -> "PersonalizeEmulator":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _serve(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """The WSGI application."""
        answer = self._answer(environ, environ["wsgi.input"].read())
        start_response(f"{answer.status} ", answer.headers)
        return [answer.body]

    def _answer(self, environ: Environ, body: bytes) -> Answer:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if path.startswith(PREFIX):
            status, shown = self._admin.handle(method, path, body, environ["REMOTE_ADDR"])
            return Answer(status, json.dumps(shown).encode(), [("Content-Type", "application/json")])
        target = environ.get("HTTP_X_AMZ_TARGET")
        content_type = "application/x-amz-json-1.1" if target else "application/json"
        headers = [("Content-Type", content_type), ("x-amzn-RequestId", str(uuid.uuid4()))]
        operation = None
        try:
            operation = wire.route(method, path, target)
            result = self._service.call(operation, wire.decode(body, operation.input))
            return Answer(200, wire.encode(result, operation.output), headers)
        except PersonalizeError as error:
            failure = error
        except Exception:
            log.exception("%s %s %s", method, path, target or "")
            failure = InternalFailure("The request processing has failed because of an unknown error.")
        headers.append(("x-amzn-ErrorType", failure.code))
        return Answer(wire.error_status(failure, operation), wire.encode_error(failure), headers)
