"""The process of the local AWS environment: moto with its services, and the Personalize emulator as a child process."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any

from localaws import isolation, processes
from localaws.clients import Aws, share_descriptions
from localaws.errors import LocalAwsError
from localaws.iam import calls
from localaws.iam.policies import Access
from localaws.patching import leave_ec2_unread
from localaws.persistence.database import Database
from localaws.persistence.identities import Identities
from localaws.ports import check_port, free_port
from localaws.settings import Settings

Progress = Callable[[str], None]

_LOG = logging.getLogger(__name__)
#: So often in a minute is a part that ends by itself started again.
_MOST_STARTS = 3


class Server:
    """Everything that runs while an environment is up. `stop` can be called at any moment, also during `start`."""

    aws: Aws
    front_endpoint: str
    personalize_endpoint: str | None = None
    warm_functions: Callable[[], None]

    def __init__(self, settings: Settings, on_progress: Progress) -> None:
        self._settings = settings
        self._on_progress = on_progress
        self._resources = contextlib.ExitStack()

    def start(self) -> None:
        """Brings everything up. Raises LocalAwsError with a sentence."""
        settings = self._settings
        self._check_ports()
        port = settings.port or free_port()  # known before anything starts: the emulator reads S3 there
        database = Database(settings.state)
        self._resources.callback(database.close)
        self._database, identities = database, Identities(database)
        secure = f"https://127.0.0.1:{free_port()}"
        self.aws = Aws(f"http://127.0.0.1:{port}", settings.region, settings.account, secure, identities.derive)
        isolation.keep_in()
        own = isolation.environ(os.environ)
        os.environ.clear()
        os.environ.update(own)
        os.environ.update(
            self.aws.environ(), MOTO_PORT=str(port), MOTO_ACCOUNT_ID=settings.account, MOTO_DISABLE_GLOBAL_CORS="true"
        )
        note = calls.start(settings.account, settings.region)
        emulator = self._start_emulator() if settings.personalize else None
        self._on_progress("starting the local AWS environment")
        self._start_services(port, note)
        if emulator is not None:
            emulator.wait_until_ready()

    def stop(self) -> None:
        self._resources.close()

    def _check_ports(self) -> None:
        settings = self._settings
        check_port(settings.port, "--port")
        check_port(settings.api_port, "--api-port")
        if settings.personalize:
            check_port(settings.personalize_port, "--personalize-port")

    def _start_emulator(self) -> _Emulator:
        emulator = _Emulator(self._settings)
        self._resources.callback(emulator.stop)
        self.personalize_endpoint = emulator.endpoint
        return emulator

    def _start_services(self, port: int, note: Callable[[str, Access, bool], None]) -> None:
        share_descriptions()
        leave_ec2_unread()
        from localaws.services import Services  # takes seconds: after the checks, and while the emulator is starting

        services = Services(self._settings, self.aws, self._database, self.personalize_endpoint, note)
        self._resources.callback(services.stop)
        self.front_endpoint = services.start(port)
        self.warm_functions = services.warm_functions


class _Emulator:
    """The Personalize emulator's process. One that ends by itself is started again: its state is on disk."""

    def __init__(self, settings: Settings) -> None:
        self._port = settings.personalize_port or free_port()
        self.endpoint = f"http://127.0.0.1:{self._port}"
        options: dict[str, Any] = {
            "--port": self._port,
            "--data": settings.state / "personalize",
            "--account": settings.account,
            "--region": settings.region,
            "--speed": settings.speed,
        }
        credentials = {"AWS_ACCESS_KEY_ID": "personalize.amazonaws.com", "AWS_SECRET_ACCESS_KEY": "test"}
        self._environ = {**credentials, "AWS_ENDPOINT_URL_STS": os.environ["AWS_ENDPOINT_URL"]}  # it assumes the roles of jobs
        self._arguments = [str(part) for option in options.items() for part in option]
        self._stopped = threading.Event()
        self._lock = threading.Lock()  # between a start and the stop
        self._start()
        threading.Thread(target=self._watch, name="personalize-watch", daemon=True).start()

    def wait_until_ready(self, patience: float = 60) -> None:
        deadline = time.monotonic() + patience
        while not self._ready.wait(0.2) and time.monotonic() < deadline:  # in short steps, so that a signal is noticed
            pass
        if self._process.poll() is not None:
            raise LocalAwsError(f"The Personalize emulator ended with exit code {self._process.returncode} while starting.")
        if not self._ready.is_set():
            raise LocalAwsError(f"The Personalize emulator did not get ready within {patience:.0f} seconds.")

    def stop(self) -> None:
        self._stopped.set()
        with self._lock:
            processes.stop_child(self._process)

    def _start(self) -> None:
        self._ready = threading.Event()
        self._process = processes.start_child(
            "localaws.iam.personalize", self._arguments, env={**os.environ, **self._environ}, stdout=subprocess.PIPE
        )
        threading.Thread(target=self._read, args=(self._process, self._ready), daemon=True).start()

    def _watch(self) -> None:
        """Start the process again when it has ended, at most a few times a minute."""
        starts: list[float] = []
        while not self._stopped.is_set():
            code = self._process.wait()
            starts = [start for start in starts if start > time.monotonic() - 60]
            if len(starts) >= _MOST_STARTS:
                self._stopped.wait(starts[0] + 60 - time.monotonic())
            with self._lock:
                if not self._stopped.is_set():
                    _LOG.error("The Personalize emulator ended with exit code %s and is started again.", code)
                    starts.append(time.monotonic())
                    self._start()

    @staticmethod
    def _read(process: subprocess.Popen[str], ready: threading.Event) -> None:
        """Its first line says that it is ready; the rest is drained, or the pipe would fill up."""
        for _ in process.stdout or ():
            ready.set()
        ready.set()
