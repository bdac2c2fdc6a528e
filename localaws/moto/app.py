"""moto's WSGI application, made safe for many threads."""

from __future__ import annotations

import contextlib
import functools
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from moto.core.request import (
    PRESERVED_HEADER_NAMES_ENVIRON_KEY,
    environ_key_for_header,
    should_preserve_original_header_name,
)
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from localaws.patching import wrap
from personalize_emulator.http_server import RAW_HEADERS, Answer, Environ, WsgiApp

# These call back into the server while they answer: a lock around them could never be taken again by the call-back.
# SQS is among them because a long poll would keep everybody else from sending for up to 20 seconds.
_REENTRANT = frozenset({"awslambda", "stepfunctions", "cloudformation", "sqs", "moto_api"})


def install() -> None:
    """A JSON body is no form: moto would read `&Action=…` or `&TableName=…` in a text as what the call is, and is about.

    What moto looks up anew for each call, it looks up once: the folders of its own package, the methods of a class.
    """
    wrap("moto.backends:list_of_moto_modules", lambda listed: functools.cache(lambda: frozenset(listed())))
    wrap("moto.core.responses:method_names_from_class", functools.cache)
    wrap("moto.core.responses:parse_qsl", lambda parse: lambda body, **how: [] if _is_json(body) else parse(body, **how))


def _is_json(body: Any) -> bool:
    return isinstance(body, str) and body.lstrip().startswith(("{", "["))


class LockedApp(DomainDispatcherApplication):
    """moto's backends lose updates under concurrency, so each service answers one request at a time."""

    def __init__(
        self,
        elsewhere: Mapping[str, WsgiApp],
        around: Callable[[WsgiApp], WsgiApp],
        refuse: Callable[[Environ], Answer | None],
        on_answer: Callable[[str, Environ], None],
    ) -> None:
        """`elsewhere`: the services that another application answers, by moto's name for them; `around` wraps moto's own.

        `refuse` gives the answer to a call that its caller may not make; `on_answer` is called with
        moto's name of the service before an answer goes out.
        """
        super().__init__(create_backend_app)
        self._refuse = refuse
        self._on_answer = on_answer
        self._around = functools.cache(around)
        self._elsewhere = elsewhere
        self._locks: dict[str, threading.RLock] = {}
        self._locks_lock = threading.Lock()

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        environ |= _metadata_headers(environ)
        app: Any = self.get_application(environ)
        if app.service in self._elsewhere:
            return self._elsewhere[app.service](environ, start_response)
        refused = self._refuse(environ)
        if refused is not None:
            start_response(f"{refused.status} ", [*refused.headers, ("x-amzn-RequestId", str(uuid.uuid4()))])
            return [refused.body]
        lock = contextlib.nullcontext() if app.service in _REENTRANT else self.exclusively(app.service)
        with lock:
            answer: Iterable[bytes] = self._around(app)(environ, start_response)
        self._on_answer(app.service, environ)
        return answer

    def exclusively(self, service: str) -> threading.RLock:
        """While this is held, no call of the service is answered."""
        with self._locks_lock:
            return self._locks.setdefault(service, threading.RLock())


def _metadata_headers(environ: Environ) -> Environ:
    """The names of S3's metadata may have underscores: moto wants them, and how they were spelled, in `environ`."""
    kept = [(name, value) for name, value in environ.get(RAW_HEADERS, ()) if should_preserve_original_header_name(name)]
    added = {environ_key_for_header(name): value for name, value in kept if environ_key_for_header(name) not in environ}
    return {**added, PRESERVED_HEADER_NAMES_ENVIRON_KEY: {environ_key_for_header(name): name for name, _ in kept}}
