"""boto3 clients of the local AWS environment, made once per service and shared by all threads."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.loaders import JSONFileLoader

from localaws.iam import calls

_CONFIG = Config(
    retries={"total_max_attempts": 1},
    max_pool_connections=64,
    connect_timeout=10,
    read_timeout=910,  # a synchronous Lambda call may last 15 minutes
    parameter_validation=False,  # the service answers for bad parameters, as the real one does
)


def share_descriptions() -> None:
    """Lets all sessions of this process, moto's among them, read once what botocore knows of endpoints and services.

    Each would read it again otherwise: a quarter of the time of a start.
    """
    read, loader = JSONFileLoader.load_file, JSONFileLoader()
    cached = functools.cache(lambda path: read(loader, path))

    def load_file(self: JSONFileLoader, file_path: str) -> Any:
        return cached(file_path)

    JSONFileLoader.load_file = load_file  # type: ignore[method-assign]


def own_session() -> boto3.session.Session:
    """A session that looks at neither profiles nor credentials of the machine's owner: an `AWS_PROFILE` is nothing to it."""
    nothing = (None, None, os.devnull, None)
    unread = {"profile": (None, None, None, None), "config_file": nothing, "credentials_file": nothing}
    return boto3.session.Session(botocore_session=botocore.session.Session(session_vars=unread))


@dataclass(frozen=True)
class Aws:
    """Where the local AWS environment listens, and clients for it."""

    endpoint: str
    region: str
    account: str
    derive: Callable[..., str] = field(default=lambda *what: "", repr=False, compare=False)  # see localaws.persistence.stacks
    _session: boto3.session.Session = field(default_factory=own_session, repr=False, compare=False)
    _clients: dict[str | tuple[str, str], Any] = field(default_factory=dict, repr=False, compare=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def client(self, service: str) -> Any:
        """A boto3 client of `service`; making one is slow and not thread-safe, using one is neither."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._make(service)
            return self._clients[service]

    def client_as(self, role: str, service: str) -> Any:
        """The same for calls that are made with a role; they are written down as its calls where that is wanted."""
        if calls.calls() is None:
            return self.client(service)
        with self._lock:
            if (role, service) not in self._clients:
                self._clients[role, service] = calls.noting_client(self._make(service), role)
            return self._clients[role, service]

    def _make(self, service: str) -> Any:
        return self._session.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106
            config=_CONFIG,
        )

    def environ(self) -> dict[str, str]:
        """The variables with which any AWS SDK in a child process talks to this environment."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }
