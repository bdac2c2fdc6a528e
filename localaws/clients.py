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
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.loaders import JSONFileLoader

from localaws import direct
from personalize_emulator.http_server import WsgiApp

_CONFIG = Config(
    retries={"total_max_attempts": 1},
    max_pool_connections=64,
    connect_timeout=10,
    read_timeout=910,  # a synchronous Lambda call may last 15 minutes
    parameter_validation=False,  # the service answers for bad parameters, as the real one does
    user_agent="localaws",  # boto3 puts its own together anew for each call
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
class Credentials:
    """What a client signs with. The key of a service is its name: `lambda.amazonaws.com`."""

    key: str
    secret: str
    token: str | None = None

    def environ(self) -> dict[str, str]:
        """The variables with which a process signs so."""
        session = {"AWS_SESSION_TOKEN": self.token} if self.token else {}
        return {"AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret, **session}


#: Of whoever sits at this machine, who may do everything.
_ADMINISTRATOR = Credentials("test", "test")
#: The header in which a service says for which of its resources it calls.
SOURCE = "X-Localaws-Source-Arn"


def _own_credentials(service: str) -> Credentials:
    return Credentials(f"{service}.amazonaws.com", "test")


@dataclass(frozen=True)
class Aws:
    """Where the local AWS environment listens, and clients for it."""

    endpoint: str
    region: str
    account: str
    secure_endpoint: str = ""  # the same over HTTPS, with a certificate that functions trust
    derive: Callable[..., str] = field(default=lambda *what: "", repr=False, compare=False)  # see localaws.persistence.stacks
    _session: boto3.session.Session = field(default_factory=own_session, repr=False, compare=False)
    _clients: dict[str | tuple[str, ...], Any] = field(default_factory=dict, repr=False, compare=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)
    _here: list[WsgiApp] = field(default_factory=list, repr=False, compare=False)

    def client(self, service: str) -> Any:
        """A boto3 client of `service`; making one is slow and not thread-safe, using one is neither."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._make(service)
            return self._clients[service]

    def client_as(self, role: str, service: str, by: str, source: str = "") -> Any:
        """The same for calls that an AWS service (`by`: "scheduler") makes with a role, in the name of `source`, an ARN.

        Raises ClientError (AccessDenied) where the role does not trust the service.
        """
        key = (role, service, by, source)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self._make(service, self.credentials(role, by, source))
            return self._clients[key]

    def client_of(self, by: str, service: str, source: str = "") -> Any:
        """The same for calls that an AWS service makes in its own name, which the resource's policy has to allow."""
        key = ("", service, by, source)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self._make(service, _own_credentials(by), source)
            return self._clients[key]

    def credentials(self, role: str, by: str, source: str = "", session: str = "") -> Credentials:
        """What a service gets of STS for a role. Raises ClientError where the role does not trust the service."""
        sts = self._make("sts", _own_credentials(by), source)
        found = sts.assume_role(RoleArn=role, RoleSessionName=session or by)["Credentials"]
        return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])

    def _make(self, service: str, credentials: Credentials = _ADMINISTRATOR, source: str = "") -> Any:
        client = self._session.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id=credentials.key,
            aws_secret_access_key=credentials.secret,
            aws_session_token=credentials.token,
            config=_CONFIG,
        )
        client.meta.events.register("before-send", self._answer_here)
        if source:
            client.meta.events.register("before-sign.*.*", lambda request, **_: request.headers.add_header(SOURCE, source))
        return client

    def serve_here(self, app: WsgiApp) -> None:
        """From now on, calls of these clients are answered by the application in this process."""
        self._here.append(app)

    def _answer_here(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
        return direct.answer(self._here[-1], request) if self._here else None

    def environ(self) -> dict[str, str]:
        """The variables with which any AWS SDK in a child process talks to this environment."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            **_ADMINISTRATOR.environ(),
        }
