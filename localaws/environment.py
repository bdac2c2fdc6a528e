"""The door for other programs: start, find and stop a local AWS environment that runs in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from localaws import deploy, processes, state
from localaws.clients import Aws, own_session
from localaws.errors import LocalAwsError, sentence
from localaws.iam import calls
from localaws.settings import personalize_environ

__all__ = ["Environment", "LocalAwsError", "launch"]

_START_SECONDS = 180
_ANSWER_SECONDS = 10
_LOGS_KEPT = 5


def _silent(message: str) -> None:
    return None


class Environment:
    """A running local AWS environment. As a context manager it is stopped at the end."""

    def __init__(self, current: dict[str, Any], data: Path, process: subprocess.Popen[str] | None = None) -> None:
        self._state = current
        self._data = data
        self._process = process
        self._session = own_session()
        self._clients: dict[str, Any] = {}

    @classmethod
    def attach(cls, data: Path) -> Environment | None:
        """The environment that runs on the data directory; None if none does."""
        current = state.read(data)
        return None if current is None else cls(current, data)

    @property
    def pid(self) -> int:
        """The process that runs it; its functions, jobs and the emulator are children of it."""
        return int(self._state["pid"])

    @property
    def aws_endpoint(self) -> str:
        return str(self._state["aws_endpoint"])

    @property
    def front_endpoint(self) -> str:
        """Where all deployed APIs are served."""
        return str(self._state["front_endpoint"])

    @property
    def personalize_endpoint(self) -> str | None:
        """The emulator's own endpoint, which saves the way through moto."""
        endpoint: str | None = self._state["personalize_endpoint"]
        return endpoint

    @property
    def api_url(self) -> str | None:
        """Base URL of the stage of the first REST API, for apps that have one."""
        url: str | None = self._state["api_url"]
        return url

    def url_of(self, url: str) -> str:
        """Where this environment serves what API Gateway serves at `url`; another URL stays as it is."""
        found = re.match(r"https://(?P<api>\w+)\.execute-api\.[^/]+/(?P<rest>.*)", url)
        return f"{self.front_endpoint}/restapis/{found['api']}/{found['rest']}" if found else url

    @property
    def apis(self) -> dict[str, str]:
        """The stages' base URLs by the API's name."""
        return dict(self._state["apis"])

    @property
    def stacks(self) -> dict[str, dict[str, str]]:
        """The outputs of all stacks."""
        return {name: dict(outputs) for name, outputs in self._state["stacks"].items()}

    def outputs(self, stack: str) -> dict[str, str]:
        """The outputs of one stack. Raises LocalAwsError if there is no such stack."""
        if stack not in self._state["stacks"]:
            raise LocalAwsError(f"There is no stack {stack}; deployed are: {', '.join(self._state['stacks']) or 'none'}.")
        return dict(self._state["stacks"][stack])

    @property
    def environ(self) -> dict[str, str]:
        """The variables with which any AWS SDK in a child process talks to this environment."""
        return {**self._aws().environ(), **personalize_environ(self.personalize_endpoint)}

    def parts(self) -> dict[str, str]:
        """Whether each part answers: `up` or `down` by its name (aws, api, personalize)."""
        addresses = {"aws": self.aws_endpoint, "api": self.front_endpoint, "personalize": self.personalize_endpoint}
        return {name: "up" if _answers(address) else "down" for name, address in addresses.items() if address}

    def client(self, service: str) -> Any:
        """A boto3 client of `service` for this environment."""
        if service not in self._clients:
            direct = service.startswith("personalize") and self.personalize_endpoint
            self._clients[service] = self._session.client(
                service,  # type: ignore[call-overload]
                endpoint_url=direct or self.aws_endpoint,
                region_name=self._state["region"],
                aws_access_key_id="test",
                aws_secret_access_key="test",  # noqa: S106
            )
        return self._clients[service]

    def deploy(self, app: Path, on_progress: Callable[[str], None] = _silent) -> None:
        """Deploys a cloud assembly, or a new version of one. Raises LocalAwsError naming what failed."""
        deploy.deploy(self._aws(), app, on_progress)
        if self._state.get("calls"):
            calls.keep_policies(Path(self._state["calls"]), self._aws().client)
        self._state |= state.describe(self._aws(), self._state["front_endpoint"])
        state.write(self._data, self._state)

    def fire(self, arn: str) -> None:
        """Fires a schedule (an EventBridge rule or an EventBridge Scheduler schedule) now, whenever it is due."""
        request = urllib.request.Request(  # noqa: S310 - our own endpoint
            f"{self.aws_endpoint}/_localaws/fire", json.dumps({"arn": arn}).encode(), method="POST"
        )
        try:
            urllib.request.urlopen(request).close()  # noqa: S310
        except urllib.error.HTTPError as error:
            raise LocalAwsError(json.loads(error.read())["message"]) from error

    def stop(self) -> None:
        """Stops all its processes; returns when they have ended."""
        if self._process is not None:
            processes.stop_child(self._process, patience=15)
            return
        pid = self.pid
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline and state.read(self._data) is not None:
            time.sleep(0.05)
        if state.read(self._data) is not None:
            raise LocalAwsError(f"The local AWS environment (process {pid}) did not stop within 15 seconds.")
        _wait_for_end(pid)

    def _aws(self) -> Aws:
        return Aws(self.aws_endpoint, self._state["region"], self._state["account"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.stop()


def _answers(address: str) -> bool:
    """Whether anything comes back, whatever it is."""
    try:
        urllib.request.urlopen(f"{address}/_localaws", timeout=_ANSWER_SECONDS).close()  # noqa: S310 - our own endpoint
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def _wait_for_end(pid: int) -> None:
    """Its last act is to give the data directory free; a moment later it has ended (or waits for its parent to notice)."""
    deadline = time.monotonic() + 2
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            os.kill(pid, 0)
            time.sleep(0.01)


def launch(
    app: Path | None,
    data: Path,
    *,
    port: int = 4566,
    api_port: int = 4567,
    personalize_port: int = 4568,
    region: str = "us-east-1",
    account: str = "123456789012",
    speed: float = 1.0,
    personalize: bool = True,
    detach: bool = False,
    state: Path | None = None,
    fresh: bool = False,
    on_progress: Callable[[str], None] = _silent,
) -> Environment:
    """Starts an environment, deploys `app` into it and waits until all of it answers.

    Port 0 takes any free port; `speed` divides the waits of Step Functions and of the Personalize emulator. A detached
    environment keeps running after this process; any other ends with it. `state` is the folder of what is there again after a
    restart (by default a folder in `data`); with `fresh` it is emptied first. Raises LocalAwsError with a sentence.
    """
    options = {
        "--app": app,
        "--data": data,
        "--state": state,
        "--port": port,
        "--api-port": api_port,
        "--personalize-port": personalize_port,
        "--region": region,
        "--account": account,
        "--speed": speed,
    }
    arguments = [str(part) for name, value in options.items() if value is not None for part in (name, value)]
    arguments += ["--json", *([] if personalize else ["--no-personalize"]), *(["--fresh"] if fresh else [])]
    log = _new_log(data)
    process = _start(arguments, log, detach)
    try:
        current = _wait_until_ready(process, log, on_progress)
    except BaseException:
        processes.stop_child(process, patience=15)
        raise
    return Environment(current, data, process)


def _new_log(data: Path) -> Path:
    """The file that a new environment writes to, since a pipe would end with us. Raises LocalAwsError if there can be none."""
    log = data / "logs" / f"{time.strftime('%Y-%m-%dT%H-%M-%S')}-{os.getpid()}-{time.monotonic_ns()}.log"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
        for old in sorted(log.parent.glob("*.log"))[:-_LOGS_KEPT]:
            old.unlink(missing_ok=True)
    except OSError as error:
        raise LocalAwsError(f"The local AWS environment can't keep its files in {data}: {sentence(error)}") from None
    return log


def _start(arguments: list[str], log: Path, detach: bool) -> subprocess.Popen[str]:
    with log.open("a", encoding="utf-8") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "localaws", *arguments, *([] if detach else ["--end-with-parent"])],
            stdin=subprocess.DEVNULL if detach else subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )


def _wait_until_ready(process: subprocess.Popen[str], log: Path, on_progress: Callable[[str], None]) -> dict[str, Any]:
    deadline = time.monotonic() + _START_SECONDS
    with log.open(encoding="utf-8") as said:
        unfinished, other = "", []
        while time.monotonic() < deadline:
            ended = process.poll() is not None
            *lines, unfinished = (unfinished + said.read()).split("\n")
            for line in lines:
                event = _event(line)
                if event is None:
                    other.append(line)
                elif event["event"] == "ready":
                    current: dict[str, Any] = event["state"]
                    return current
                elif event["event"] == "error":
                    raise LocalAwsError(event["message"])
                else:
                    on_progress(event["message"])
            if ended:
                detail = " ".join(other[-1:])
                raise LocalAwsError(
                    f"The local AWS environment ended with exit code {process.returncode} while starting. {detail}"
                )
            time.sleep(0.02)
    raise LocalAwsError(f"The local AWS environment was not ready within {_START_SECONDS} seconds; see {log}.")


def _event(line: str) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None
