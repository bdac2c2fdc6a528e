"""The process of the embedded AWS: moto's server, the Lambda workers, the API Gateway front and the Personalize emulator."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localaws import processes
from localaws.clients import Aws
from localaws.errors import LocalAwsError
from localaws.ports import check_port, free_port

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Settings:
    """What an environment is started with. Port 0 takes any free one; `speed` is the factor of the clock."""

    data: Path
    port: int = 4566
    api_port: int = 4567
    personalize_port: int = 4568
    region: str = "us-east-1"
    account: str = "123456789012"
    speed: float = 1.0
    personalize: bool = True


class Server:
    """Everything that runs while an environment is up. `stop` can be called at any moment, also during `start`."""

    def __init__(self, settings: Settings, on_progress: Progress) -> None:
        self._settings = settings
        self._on_progress = on_progress
        self._resources = contextlib.ExitStack()
        self.aws: Aws
        self.personalize_endpoint: str | None = None
        self.front_endpoint: str

    def start(self) -> None:
        """Brings everything up. Raises LocalAwsError with a sentence."""
        settings = self._settings
        self._check_ports()
        port = settings.port or free_port()  # known before anything starts: the emulator reads S3 there
        self.aws = Aws(f"http://127.0.0.1:{port}", settings.region, settings.account)
        os.environ.update(self.aws.environ(), MOTO_PORT=str(port))
        emulator = self._start_emulator() if settings.personalize else None
        self._on_progress("starting the embedded AWS")
        self._start_moto(port, emulator)
        if emulator is not None:
            emulator.wait_until_ready()

    def stop(self) -> None:
        self._resources.close()

    def warm_functions(self) -> None:
        """Starts a worker of every function in the background."""
        self._functions.warm()

    def _check_ports(self) -> None:
        settings = self._settings
        check_port(settings.port, "--port")
        check_port(settings.api_port, "--api-port")
        if settings.personalize:
            check_port(settings.personalize_port, "--personalize-port")

    def _start_emulator(self) -> Emulator:
        emulator = Emulator(self._settings)
        self._resources.callback(emulator.stop)
        self.personalize_endpoint = emulator.endpoint
        return emulator

    def _start_moto(self, port: int, emulator: Emulator | None) -> None:
        # These imports take seconds: they come after the checks, and while the emulator is starting.
        from localaws.api_gateway.front import Front
        from localaws.http import serve
        from localaws.lambda_workers.function import CodeStore
        from localaws.lambda_workers.pool import WorkerPool
        from localaws.moto import events, lambda_functions, patching, stepfunctions
        from localaws.moto.app import LockedApp
        from localaws.moto.cloudformation import catalogue, engine
        from localaws.moto.proxy import ReverseProxy

        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        logging.getLogger("moto").setLevel(logging.ERROR)
        patching.check_version()
        settings = self._settings
        os.environ.update(MOTO_ACCOUNT_ID=settings.account, MOTO_CALL_RESET_API="false")
        elsewhere = {"personalize": ReverseProxy(emulator.endpoint)} if emulator else {}
        self._resources.callback(serve(LockedApp(elsewhere), port).shutdown)

        pool = WorkerPool(CodeStore(settings.data / "lambda"), self.client_environ(), lambda_functions.LogWriter(self.aws))
        self._resources.callback(pool.close)
        self._functions = lambda_functions.LambdaService(self.aws, pool, settings.speed)
        self._functions.install()
        stepfunctions.install(self.aws, settings.speed)
        engine.install(self.aws, catalogue.PROVIDERS)
        events.install(self.aws, self._functions)

        front = serve(Front(self.aws, self._functions), settings.api_port)
        self._resources.callback(front.shutdown)
        self.front_endpoint = f"http://127.0.0.1:{front.port}"

    def client_environ(self) -> dict[str, str]:
        """The variables for SDKs: the Personalize emulator is addressed directly, since it is on the way of every request."""
        return {**self.aws.environ(), **personalize_environ(self.personalize_endpoint)}


def personalize_environ(endpoint: str | None) -> dict[str, str]:
    names = ("PERSONALIZE", "PERSONALIZE_RUNTIME", "PERSONALIZE_EVENTS")
    return {f"AWS_ENDPOINT_URL_{name}": endpoint for name in names} if endpoint else {}


class Emulator:
    """The Personalize emulator's process."""

    def __init__(self, settings: Settings) -> None:
        port = settings.personalize_port or free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        options: dict[str, Any] = {
            "--port": port,
            "--data": settings.data / "personalize",
            "--account": settings.account,
            "--region": settings.region,
            "--speed": settings.speed,
        }
        arguments = [str(part) for option in options.items() for part in option]
        self._process = processes.start_child("localaws.personalize", arguments, stdout=subprocess.PIPE)
        self._ready = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def wait_until_ready(self, patience: float = 60) -> None:
        self._ready.wait(patience)
        if self._process.poll() is not None:
            raise LocalAwsError(f"The Personalize emulator ended with exit code {self._process.returncode} while starting.")
        if not self._ready.is_set():
            raise LocalAwsError(f"The Personalize emulator did not get ready within {patience:.0f} seconds.")

    def stop(self) -> None:
        processes.stop_child(self._process)

    def _read(self) -> None:
        """Its first line says that it is ready; the rest is drained, or the pipe would fill up."""
        for _ in self._process.stdout or ():
            self._ready.set()
        self._ready.set()
