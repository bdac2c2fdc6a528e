"""One Lambda execution environment: a process that serves one invocation at a time and stays warm between them."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import threading
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from pathlib import Path

from localaws import isolation, nodejs, processes
from localaws.workers import bootstrap
from localaws.workers.forks import AVAILABLE, Fork, Forks
from localaws.workers.function import CodeStore, Function
from localaws.workers.runtime_api import Invocation, Result, RuntimeApi

_INHERITED = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "VIRTUAL_ENV",
    "SYSTEMROOT",
    "LD_LIBRARY_PATH",
)
#: The variable that names the port on which this machine serves the AWS APIs over HTTPS, to functions in Node.js.
HTTPS_PORT = "LOCALAWS_HTTPS_PORT"
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_INIT_SECONDS = 60  # Lambda gives 10; a busy laptop gets more, or cold starts would look like faults of the function
_MAX_RESPONSE_BYTES = 6_291_556  # docs: lambda/latest/dg/gettingstarted-limits.html


_NODE_BOOTSTRAP = Path(__file__).with_name("node_bootstrap.mjs")


def base_environ() -> dict[str, str]:
    """The variables of every worker."""
    return isolation.environ({name: os.environ[name] for name in _INHERITED if name in os.environ}) | {
        "PYTHONUNBUFFERED": "1",  # what is printed before the answer is in the pipe before the answer
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }


@dataclass(frozen=True)
class Outcome:
    """A finished invocation: its result, what the function printed, how long it ran, and whether the worker can be used again."""

    request_id: str
    result: Result
    log: str
    milliseconds: float
    worker_alive: bool


class Worker:
    """Starts at once; `invoke` is for one thread at a time."""

    def __init__(self, function: Function, code: CodeStore, aws_environ: Mapping[str, str], forks: Forks) -> None:
        """`aws_environ`: where the APIs are, and the credentials of the function's role."""
        self.function = function
        self.log_stream = f"{time.strftime('%Y/%m/%d')}/[{function.version}]{uuid.uuid4().hex}"
        self.idle_since = time.monotonic()
        self._api = RuntimeApi()
        self._process = self._start(code, aws_environ, forks)
        self._output = _Output(self._process)
        threading.Thread(target=self._watch, daemon=True).start()

    def wait_until_ready(self) -> None:
        """Returns when the function's module is imported, or has failed to be."""
        self._api.ready.wait(_INIT_SECONDS)

    def invoke(self, event: bytes) -> Outcome:
        """Runs the function once, in at most its timeout."""
        invocation = Invocation(event, self.function.arn, self.function.timeout)
        self._output.take()
        started = time.perf_counter()
        self._api.submit(invocation)
        if not self.alive():
            self._api.fail_running(self._exit_error(invocation))
        alive = self._api.ready.wait(_INIT_SECONDS)
        try:
            result = invocation.result.result(self.function.timeout if alive else 0)
            if len(result.payload) > _MAX_RESPONSE_BYTES:
                result = _too_large(len(result.payload))
        except FutureTimeoutError:
            processes.kill_group(self._process)
            alive, result = False, _timed_out(invocation, self.function.timeout)
        milliseconds = (time.perf_counter() - started) * 1000
        log = self._frame(invocation, result, milliseconds)
        self.idle_since = time.monotonic()
        return Outcome(invocation.request_id, result, log, milliseconds, alive and self.alive())

    def alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        processes.end_child(self._process)
        self._output.close()
        self._api.close()

    def _start(self, code: CodeStore, aws_environ: Mapping[str, str], forks: Forks) -> subprocess.Popen[str] | Fork:
        function = self.function
        root = code.unpack(function.code)
        layers = [code.layer(layer) for layer in function.layers]
        environ = base_environ() | dict(function.environ) | dict(aws_environ)
        environ |= {
            "AWS_LAMBDA_RUNTIME_API": self._api.address,
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
            "AWS_LAMBDA_FUNCTION_VERSION": function.version,
            "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
            "AWS_LAMBDA_LOG_STREAM_NAME": self.log_stream,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
            "LAMBDA_TASK_ROOT": str(root),
            "_HANDLER": function.handler,
            "AWS_XRAY_SDK_ENABLED": "false",  # there is no X-Ray daemon here
            "POWERTOOLS_TRACE_DISABLED": "true",
            bootstrap.FIRST_PATHS: os.pathsep.join(str(layer.first) for layer in layers),
            bootstrap.LAYER_PATHS: os.pathsep.join(str(layer.root / "python") for layer in layers),
        }
        if function.snap_start:
            self._be_a_snapshot(environ)
        if function.runtime.startswith("nodejs"):
            packages = [str(layer.root / "nodejs" / "node_modules") for layer in layers]
            environ["NODE_PATH"] = os.pathsep.join([*packages, *filter(None, [os.environ.get("NODE_PATH")])])
            command = [str(nodejs.program() or "node"), str(_NODE_BOOTSTRAP)]
            return processes.start_command(command, env=environ, cwd=str(root), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if AVAILABLE:
            return forks.start(environ, str(root))
        return processes.start_program(
            bootstrap.__name__, env=environ, cwd=str(root), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def _be_a_snapshot(self, environ: dict[str, str]) -> None:
        """Variables as a version with SnapStart has them: its keys are fetched, and no log is named.

        docs: lambda/latest/dg/snapstart-activate.html, snapstart-monitoring.html
        """
        keys = {name: environ.pop(name) for name in _KEYS if name in environ}
        for name in ("AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME"):
            del environ[name]
        environ |= {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start", **self._api.give_credentials(keys)}

    def _watch(self) -> None:
        self._process.wait()
        self._api.fail_running(self._exit_error(self._api.running))

    def _exit_error(self, invocation: Invocation | None) -> bytes:
        request_id = invocation.request_id if invocation else "none"
        message = f"RequestId: {request_id} Error: Runtime exited with exit status {self._process.returncode}"
        return json.dumps({"errorType": "Runtime.ExitError", "errorMessage": message}).encode()

    def _frame(self, invocation: Invocation, result: Result, milliseconds: float) -> str:
        """The invocation's log with the lines that Lambda puts around it."""
        identity, memory = invocation.request_id, self.function.memory
        lines = [
            f"START RequestId: {identity} Version: {self.function.version}",
            self._output.take().rstrip("\n"),
        ]
        if result.error and b"Sandbox.Timedout" in result.payload:
            lines.append(json.loads(result.payload)["errorMessage"])
        lines.append(f"END RequestId: {identity}")
        duration = f"Duration: {milliseconds:.2f} ms\tBilled Duration: {int(milliseconds) + 1} ms"
        lines.append(f"REPORT RequestId: {identity}\t{duration}\tMemory Size: {memory} MB")
        return "\n".join(line for line in lines if line)


class _Output:
    """What a process has printed since it was last asked. A thread keeps the pipe from filling up."""

    def __init__(self, process: subprocess.Popen[str] | Fork) -> None:
        if process.stdout is None:
            raise ValueError("the process has no standard output to read")
        self._stream = process.stdout
        self._descriptor = process.stdout.fileno()
        os.set_blocking(self._descriptor, False)
        self._chunks: list[bytes] = []
        self._lock = threading.Lock()
        threading.Thread(target=self._pump, daemon=True).start()

    def take(self) -> str:
        with self._lock:
            self._drain()
            text = b"".join(self._chunks).decode("utf-8", "replace")
            self._chunks.clear()
        return text

    def close(self) -> None:
        with self._lock:
            self._drain()
            self._stream.close()

    def _pump(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._descriptor, selectors.EVENT_READ)
            open_ = True
            while open_:
                selector.select(timeout=1)
                with self._lock:
                    open_ = self._drain()

    def _drain(self) -> bool:
        """Reads what is there; False when the pipe has ended."""
        while not self._stream.closed:
            try:
                chunk = os.read(self._descriptor, 65536)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not chunk:
                return False
            self._chunks.append(chunk)
        return False


def _timed_out(invocation: Invocation, seconds: int) -> Result:
    message = f"RequestId: {invocation.request_id} Error: Task timed out after {seconds:.2f} seconds"
    return Result(json.dumps({"errorType": "Sandbox.Timedout", "errorMessage": message}).encode(), "Unhandled")


def _too_large(size: int) -> Result:
    message = f"Response payload size ({size} bytes) exceeded maximum allowed payload size ({_MAX_RESPONSE_BYTES} bytes)."
    return Result(
        json.dumps({"errorType": "Function.ResponseSizeTooLarge", "errorMessage": message}).encode(),
        "Unhandled",
    )
