"""Calls of the local AWS to itself, without a network between: a client's request goes to the WSGI application, in its thread.

Such calls are most of all calls (pollers, state machines, pipes into buckets and logs); connections, HTTP and the change of
threads took a third of their processor time. Permissions are checked as for any other call.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders

from personalize_emulator.http_server import RAW_HEADERS, Environ, WsgiApp

_LOG = logging.getLogger(__name__)


class _Raw(io.BytesIO):
    """A body as urllib3 gives it to botocore."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def answer(app: WsgiApp, request: AWSPreparedRequest) -> AWSResponse:
    """What the application answers to a request that botocore is about to send."""
    started: list[tuple[str, list[tuple[str, str]]]] = []
    try:
        parts = app(_environ(request), lambda status, headers, exc_info=None: started.append((status, headers)))
        body = b"".join(parts)
        getattr(parts, "close", lambda: None)()
        status, headers = started[-1]
    except Exception as error:  # as the server answers whose application fails
        _LOG.error("%s %s failed: %s: %s", request.method, request.url, type(error).__name__, error)
        status, headers, body = "500", [], b"Internal server error"
    return AWSResponse(request.url, int(status[:3]), HTTPHeaders.from_pairs(headers), _Raw(body))


def _environ(request: AWSPreparedRequest) -> Environ:
    body: Any = request.body or b""
    body = body.read() if hasattr(body, "read") else body.encode() if isinstance(body, str) else body
    url = urlsplit(request.url)
    target = f"{url.path or '/'}{f'?{url.query}' if url.query else ''}"
    given = [(name, value.decode() if isinstance(value, bytes) else str(value)) for name, value in request.headers.items()]
    names = {name.upper().replace("-", "_"): value for name, value in given if "_" not in name}
    names.pop("TRANSFER_ENCODING", None)
    return {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(url.path or "/").decode("latin-1"),
        "QUERY_STRING": url.query,
        "RAW_URI": target,
        "SERVER_NAME": url.hostname,
        "SERVER_PORT": str(url.port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": names.pop("CONTENT_TYPE", ""),
        **{f"HTTP_{name}": value for name, value in ({"HOST": url.netloc} | names).items() if name != "CONTENT_LENGTH"},
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": url.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        RAW_HEADERS: given,
    }
