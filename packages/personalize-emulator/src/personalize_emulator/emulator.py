"""The emulator as an HTTP server: all three APIs of Amazon Personalize, and the admin endpoint, on one port."""

import json
import logging
import threading
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from personalize_emulator import wire
from personalize_emulator.admin import PREFIX, Admin
from personalize_emulator.errors import InternalFailure, PersonalizeError
from personalize_emulator.http_server import HttpServer, Request, Response
from personalize_emulator.quotas import Quotas
from personalize_emulator.service import Service

DEFAULT_ACCOUNT = "123456789012"
DEFAULT_REGION = "us-east-1"
DEFAULT_SPEED = 100.0
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
        self._server = HttpServer(host, port, self._answer)
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
        return self._server.url

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

    def _answer(self, request: Request) -> Response:
        if request.path.startswith(PREFIX):
            status, shown = self._admin.handle(request.method, request.path, request.body, request.caller)
            return Response(status, {"Content-Type": "application/json"}, json.dumps(shown).encode())
        target = request.headers.get("X-Amz-Target")
        headers = {
            "Content-Type": "application/x-amz-json-1.1" if target else "application/json",
            "x-amzn-RequestId": str(uuid.uuid4()),
        }
        operation = None
        try:
            operation = wire.route(request.method, request.path, target)
            result = self._service.call(operation, wire.decode(request.body, operation.input))
            return Response(200, headers, wire.encode(result, operation.output))
        except PersonalizeError as error:
            failure = error
        except Exception:
            log.exception("%s %s %s", request.method, request.path, target or "")
            failure = InternalFailure("The request processing has failed because of an unknown error.")
        headers["x-amzn-ErrorType"] = failure.code
        return Response(wire.error_status(failure, operation), headers, wire.encode_error(failure))
