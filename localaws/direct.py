"""Calls of the local AWS to itself, without a network between: a client's request goes to the WSGI application, in its thread.

Such calls are most of all calls (pollers, state machines, pipes into buckets and logs); connections, HTTP and the change of
threads took a third of their processor time. Permissions are checked as for any other call.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders

from personalize_emulator.http_server import Environ, WsgiApp, call, environ_of

_LOG = logging.getLogger(__name__)


class _Raw(io.BytesIO):
    """A body as urllib3 gives it to botocore."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def answer(app: WsgiApp, request: AWSPreparedRequest) -> AWSResponse:
    """What the application answers to a request that botocore is about to send."""
    try:
        with contextlib.ExitStack() as at_the_end:
            status, headers, parts = call(app, _environ(request), at_the_end)
            body = b"".join(parts)
    except Exception as error:  # as the server answers whose application fails
        _LOG.error("%s %s failed: %s: %s", request.method, request.url, type(error).__name__, error)
        status, headers, body = 500, [], b"Internal server error"
    return AWSResponse(request.url, status, HTTPHeaders.from_pairs(headers), _Raw(body))


def _environ(request: AWSPreparedRequest) -> Environ:
    body: Any = request.body or b""
    body = body.read() if hasattr(body, "read") else body.encode() if isinstance(body, str) else body
    url = urlsplit(request.url)
    given = [(name, value.decode() if isinstance(value, bytes) else str(value)) for name, value in request.headers.items()]
    target = f"{url.path or '/'}{f'?{url.query}' if url.query else ''}"
    environ = environ_of(request.method, target, [("Host", url.netloc), *given], (url.hostname or "", url.port or 80))
    return environ | {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
