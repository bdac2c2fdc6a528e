"""Lambda: every call of a function that moto knows runs it for real in a worker, whoever the caller is."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from moto.awslambda.utils import get_backend
from moto.core.exceptions import JsonRESTError

from localaws.clients import Aws
from localaws.cloudwatch.meter import Meter
from localaws.patching import replace, wrap
from localaws.workers.function import Archive, Function
from localaws.workers.pool import TooManyRequests, WorkerPool
from localaws.workers.worker import Outcome

_MODELS = "moto.awslambda.models"
_RETRY_PAUSES = (60.0, 120.0)  # seconds; docs: lambda/latest/dg/invocation-async-error-handling.html


class Deliver(Protocol):
    """Sends an event to a target by its ARN (see localaws.moto.targets)."""

    def __call__(self, arn: str, body: str) -> None: ...


class LambdaService:
    """Runs moto's functions in a pool of workers, and counts how often and how long they run.

    `speed` divides the pauses between retries of asynchronous calls.
    """

    def __init__(self, aws: Aws, pool: WorkerPool, meter: Meter, speed: float) -> None:
        self._aws = aws
        self._pool = pool
        self._meter = meter
        self._speed = speed
        self.deliver: Deliver | None = None  # for on-failure destinations; set once the event targets exist

    def call(self, name_or_arn: str, event: bytes, iterator_age: float | None = None) -> Outcome:
        """Invokes a function by name or (qualified) ARN and waits for its answer.

        `iterator_age`: for a batch of a stream, the milliseconds that its last record has waited.
        """
        function = get_backend(self._aws.account, self._aws.region).get_function(name_or_arn)
        if iterator_age is not None:
            self._meter.add("AWS/Lambda", "IteratorAge", iterator_age, FunctionName=function.function_name)
        return self._work(function, event)

    def call_later(self, name_or_arn: str, event: bytes) -> None:
        """An asynchronous invocation: two retries, then the function's on-failure destination or dead-letter queue."""
        function = get_backend(self._aws.account, self._aws.region).get_function(name_or_arn)
        threading.Thread(target=self._call_with_retries, args=(function, event), daemon=True).start()

    def warm(self) -> None:
        """Starts one worker for each deployed function, one after the other, in the background."""
        functions = [describe(f) for f in get_backend(self._aws.account, self._aws.region).list_functions()]

        def start() -> None:
            for function in functions:
                self._pool.warm(function)

        threading.Thread(target=start, name="lambda-warm", daemon=True).start()

    def install(self) -> None:
        """Puts this service in the place of moto's docker runtime."""
        replace(f"{_MODELS}:LambdaFunction.invoke", self._invoke)
        wrap(f"{_MODELS}:LambdaBackend.create_function", _keeping_configuration)
        wrap(f"{_MODELS}:LambdaFunction.update_configuration", _keeping_updated_configuration)

    @property
    def _invoke(self) -> Callable[..., bytes]:
        service = self

        def invoke(function: Any, body: Any, request_headers: Any, response_headers: dict[str, str]) -> bytes:
            event = (body.encode() if isinstance(body, str) else body) or b"{}"
            headers = {name.lower(): value for name, value in dict(request_headers or {}).items()}
            kind = headers.get("x-amz-invocation-type", "RequestResponse")
            _check_json(event)
            if kind == "DryRun":
                return b""
            if kind == "Event":
                service.call_later(function.function_arn, event)
                return b""
            outcome = service._run(function, event)
            if outcome.result.error:
                response_headers["x-amz-function-error"] = outcome.result.error
            response_headers["x-amz-log-result"] = base64.b64encode(outcome.log.encode()[-4096:]).decode()
            response_headers["x-amz-executed-version"] = str(function.version)
            return outcome.result.payload

        return invoke

    def _run(self, function: Any, event: bytes) -> Outcome:
        try:
            return self._work(function, event)
        except TooManyRequests as error:
            raise _LambdaError("TooManyRequestsException", str(error), 429) from error

    def _work(self, function: Any, event: bytes) -> Outcome:
        """docs: lambda/latest/dg/monitoring-metrics-types.html. Raises TooManyRequests."""
        found = {"Throttles": 1.0}
        try:
            outcome = self._pool.invoke(describe(function), event)
            failed = float(outcome.result.error is not None)
            found = {"Throttles": 0.0, "Invocations": 1.0, "Errors": failed, "Duration": outcome.milliseconds}
        finally:
            for metric, value in found.items():
                self._meter.add("AWS/Lambda", metric, value, FunctionName=function.function_name)
        return outcome

    def _call_with_retries(self, function: Any, event: bytes) -> None:
        config = function.event_invoke_config[0].config if function.event_invoke_config else {}
        attempts = 1 + int(config.get("MaximumRetryAttempts", len(_RETRY_PAUSES)))
        for attempt in range(attempts):
            try:
                outcome = self._work(function, event)
            except TooManyRequests:
                outcome = None
            if outcome is not None and outcome.result.error is None:
                return
            if attempt + 1 < attempts:
                time.sleep(_RETRY_PAUSES[min(attempt, 1)] / self._speed)
        self._give_up(function, event, outcome, attempts, config)

    def _give_up(self, function: Any, event: bytes, outcome: Outcome | None, attempts: int, config: Any) -> None:
        destination = ((config.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")
        dead_letter = getattr(function, "dead_letter_arn", None)
        if self.deliver is None or not (destination or dead_letter):
            return
        if dead_letter:
            self.deliver(dead_letter, event.decode())
        if destination:
            payload = json.loads(outcome.result.payload) if outcome else None
            record = {
                "version": "1.0",
                "requestContext": {
                    "requestId": outcome.request_id if outcome else None,
                    "functionArn": function.function_arn,
                    "condition": "RetriesExhausted",
                    "approximateInvokeCount": attempts,
                },
                "requestPayload": json.loads(event),
                "responseContext": {
                    "statusCode": 200,
                    "executedVersion": "$LATEST",
                    "functionError": "Unhandled",
                },
                "responsePayload": payload,
            }
            self.deliver(destination, json.dumps(record))


class _LambdaError(JsonRESTError):
    def __init__(self, error_type: str, message: str, status: int) -> None:
        self.code = status
        super().__init__(error_type, message)


def describe(function: Any) -> Function:
    """moto's function as a worker needs it."""
    environ = {name: str(value) for name, value in (function.environment_vars or {}).items()}
    backend = get_backend(function.account_id, function.region)
    layers = [backend.layers_versions_by_arn(layer["Arn"]) for layer in function.layers]
    reserved = function.reserved_concurrency
    return Function(
        name=function.function_name,
        arn=function.function_arn,
        version=str(function.version),
        handler=function.handler,
        runtime=function.run_time,
        code=Archive(function.code_sha_256, lambda: function.code_bytes),
        layers=tuple(Archive(layer.code_sha_256, _reader(layer)) for layer in layers if layer is not None),
        environ=tuple(sorted(environ.items())),
        timeout=int(function.timeout),
        memory=int(function.memory_size),
        log_group=function.logs_group_name,
        region=function.region,
        role=str(function.role),
        reserved_concurrency=None if reserved is None else int(reserved),
    )


def _reader(layer: Any) -> Callable[[], bytes]:
    return lambda: bytes(layer.code_bytes)


def _check_json(event: bytes) -> None:
    try:
        json.loads(event)
    except ValueError as error:
        message = f"Could not parse request body into json: {error}"
        raise _LambdaError("InvalidRequestContentException", message, 400) from error


def _keeping_configuration(create_function: Callable[..., Any]) -> Callable[..., Any]:
    """moto drops LoggingConfig and DeadLetterConfig."""

    def create(self: Any, spec: dict[str, Any]) -> Any:
        function = create_function(self, spec)
        _keep(function, spec)
        return function

    return create


def _keeping_updated_configuration(update_configuration: Callable[..., Any]) -> Callable[..., Any]:
    def update(self: Any, config_updates: dict[str, Any]) -> Any:
        configuration = update_configuration(self, config_updates)
        _keep(self, config_updates)
        return configuration

    return update


def _keep(function: Any, spec: dict[str, Any]) -> None:
    log_group = (spec.get("LoggingConfig") or {}).get("LogGroup")
    if log_group:
        function.logs_group_name = log_group
    if "DeadLetterConfig" in spec:
        function.dead_letter_arn = (spec["DeadLetterConfig"] or {}).get("TargetArn")
