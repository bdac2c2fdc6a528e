"""Lambda: every call of a function that moto knows runs it for real in a worker, whoever the caller is."""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import re
import threading
import time
from collections.abc import Callable
from typing import Any

from moto.awslambda.utils import get_backend

from localaws import nodejs
from localaws.clients import Aws
from localaws.cloudwatch.meter import Meter
from localaws.iam.permissions import Permissions
from localaws.iam.policies import Access, Principal
from localaws.moto import function_versions
from localaws.moto.function_versions import LambdaError
from localaws.patching import follow, intercept, replace
from localaws.workers.function import Archive, Function
from localaws.workers.pool import TooManyRequests, WorkerPool
from localaws.workers.worker import Outcome

_LOG = logging.getLogger(__name__)
_MODELS = "moto.awslambda.models"
_RETRY_PAUSES = (60.0, 120.0)  # seconds; docs: lambda/latest/dg/invocation-async-error-handling.html


class LambdaService:
    """Runs moto's functions in a pool of workers, and counts how often and how long they run.

    `speed` divides the pauses between retries of asynchronous calls.
    """

    def __init__(self, aws: Aws, pool: WorkerPool, meter: Meter, permissions: Permissions, speed: float) -> None:
        self._aws = aws
        self._permissions = permissions
        self._pool = pool
        self._meter = meter
        self._speed = speed

    def call(self, name_or_arn: str, event: bytes, iterator_age: float | None = None) -> Outcome:
        """Invokes a function by name or (qualified) ARN and waits for its answer.

        `iterator_age`: for a batch of a stream, the milliseconds that its last record has waited.
        """
        function = get_backend(self._aws.account, self._aws.region).get_function(name_or_arn)
        if iterator_age is not None:
            self._meter.add("AWS/Lambda", "IteratorAge", iterator_age, FunctionName=function.function_name)
        return self._work(function, event)

    def role_of(self, name_or_arn: str) -> str:
        """The ARN of a function's role."""
        return str(get_backend(self._aws.account, self._aws.region).get_function(name_or_arn).role)

    def has_mapping(self, uuid: str) -> bool:
        """Whether an event source mapping is there still."""
        return get_backend(self._aws.account, self._aws.region).get_event_source_mapping(uuid) is not None

    def check_service(self, service: str, name_or_arn: str, source: str) -> None:
        """Raises Denied unless a function's policy lets a service (`apigateway`) invoke it, for the resource `source`."""
        self._permissions.check(self._permissions.service(service), Access("lambda:InvokeFunction", name_or_arn), source)

    def check_role(self, role: str, service: str, name_or_arn: str, source: str) -> None:
        """Raises Denied unless a service may assume a role, and may invoke a function with it."""
        self._permissions.check(self._permissions.service(service), Access("sts:AssumeRole", role), source)
        session = Principal(arn=role, role=role, account=self._aws.account)
        self._permissions.check(session, Access("lambda:InvokeFunction", name_or_arn), source)

    def call_later(self, name_or_arn: str, event: bytes) -> None:
        """An asynchronous invocation: two retries, then a line in the log."""
        function = get_backend(self._aws.account, self._aws.region).get_function(name_or_arn)
        threading.Thread(target=self._call_with_retries, args=(function, event), daemon=True).start()

    def warm(self) -> None:
        """Starts one worker for each deployed function, one after the other, in the background: for its aliases, if any."""
        backend, functions = get_backend(self._aws.account, self._aws.region), []
        for function in backend.list_functions():
            aliases = [f"{function.function_name}:{alias.name}" for alias in backend.list_aliases(function.function_name)]
            functions += [describe(backend.get_function(name)) for name in aliases or [function.function_name]]

        def start() -> None:
            for function in functions:
                self._pool.warm(function)

        threading.Thread(target=start, name="lambda-warm", daemon=True).start()

    def install(self) -> None:
        """Puts this service in the place of moto's docker runtime."""
        function_versions.install()
        replace(f"{_MODELS}:LambdaFunction.invoke", self._invoke)
        intercept(f"{_MODELS}:LambdaBackend.create_function", self._create)
        follow(f"{_MODELS}:LambdaBackend.create_function", lambda function, _, spec: _keep_log_group(function, spec))
        intercept(f"{_MODELS}:LambdaFunction.update_configuration", _update)
        follow(f"{_MODELS}:LambdaFunction.update_configuration", lambda _, function, spec: _keep_log_group(function, spec))

    def _create(self, by_moto: Callable[..., Any], backend: Any, spec: dict[str, Any]) -> Any:
        """docs: lambda/latest/dg/lambda-intro-execution-role.html"""
        if not self._permissions.may_assume(str(spec.get("Role")), "lambda"):
            message = "The role defined for the function cannot be assumed by Lambda."
            raise LambdaError("InvalidParameterValueException", message, 400)
        _check_settings(spec)
        for layer in spec.get("Layers") or ():
            if str(layer).split(":")[4:5] != [self._aws.account]:
                message = (
                    f"The layer {layer} is of another account and can't be had here: bring what it holds in the function's code "
                    "or in a layer of the app."
                )
                raise LambdaError("InvalidParameterValueException", message, 400)
        return by_moto(backend, spec)

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
            raise LambdaError("TooManyRequestsException", str(error), 429) from error

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
        for pause in (*_RETRY_PAUSES, None):
            with contextlib.suppress(TooManyRequests):
                if self._work(function, event).result.error is None:
                    return
            if pause is not None:
                time.sleep(pause / self._speed)
        _LOG.error("%s failed %d times with an event that nobody waits for.", function.function_name, 1 + len(_RETRY_PAUSES))


def describe(function: Any) -> Function:
    """moto's function as a worker needs it."""
    environ = {name: str(value) for name, value in (function.environment_vars or {}).items()}
    backend = get_backend(function.account_id, function.region)
    layers = [backend.layers_versions_by_arn(layer["Arn"]) for layer in function.layers]
    published = str(function.version) != "$LATEST"
    whole = backend.get_function(function.function_name) if published else function
    reserved = whole.reserved_concurrency  # for all versions together
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
        snap_start=published and function_versions.has_snap_start(function),
        reserved_concurrency=None if reserved is None else int(reserved),
    )


def _reader(layer: Any) -> Callable[[], bytes]:
    return lambda: bytes(layer.code_bytes)


def _check_json(event: bytes) -> None:
    try:
        json.loads(event)
    except ValueError as error:
        message = f"Could not parse request body into json: {error}"
        raise LambdaError("InvalidRequestContentException", message, 400) from error


#: docs: lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
_RESERVED = frozenset(
    {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        *("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_RUNTIME_API"),
        *(f"AWS_LAMBDA_FUNCTION_{name}" for name in ("NAME", "MEMORY_SIZE", "VERSION")),
        *("AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME"),
        *("AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
        *("LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"),
    }
)
_MOST_ENVIRONMENT = 4096  # bytes
_RUNTIME = re.compile(r"(python3\.\d+|nodejs\d+\.x)")


def _update(by_moto: Callable[..., Any], function: Any, spec: dict[str, Any]) -> Any:
    _check_settings(spec)
    return by_moto(function, spec)


def _check_settings(spec: dict[str, Any]) -> None:
    """Raises what Lambda answers for variables that it sets itself or that are too many, and for a runtime that is not here."""
    variables = (spec.get("Environment") or {}).get("Variables") or {}
    unable = "Lambda was unable to configure your environment variables because the environment variables you have provided"
    if reserved := sorted(_RESERVED & variables.keys()):
        message = (
            f"{unable} contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
        raise LambdaError("InvalidParameterValueException", message, 400)
    measured = json.dumps(variables, separators=(",", ":"))
    if len(measured.encode()) > _MOST_ENVIRONMENT:
        message = f"{unable} exceeded the 4KB limit. String measured: {measured}"
        raise LambdaError("InvalidParameterValueException", message, 400)
    runtime = spec.get("Runtime")
    if spec.get("PackageType") == "Image" or (runtime and not _RUNTIME.fullmatch(runtime)):
        message = f"The runtime {runtime or 'of a container image'} is not emulated: functions here are in Python or Node.js."
        raise LambdaError("InvalidParameterValueException", message, 400)
    _check_node(runtime)


def _check_node(runtime: str | None) -> None:
    if runtime and runtime.startswith("nodejs") and nodejs.program() is None:
        message = f"Functions in {runtime} need Node.js on this machine: `make setup` brings one where none is on PATH."
        raise LambdaError("InvalidParameterValueException", message, 400)


def _keep_log_group(function: Any, spec: dict[str, Any]) -> None:
    """moto drops LoggingConfig."""
    log_group = (spec.get("LoggingConfig") or {}).get("LogGroup")
    if log_group:
        function.logs_group_name = log_group
