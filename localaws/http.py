"""An HTTP/1.1 server for WSGI applications that keeps connections open.

werkzeug's own server closes each connection after one request, and an SDK makes hundreds of them in a row.
"""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import BaseWSGIServer, make_server

_LOG = logging.getLogger(__name__)

#: A body that does not go on for so long is given up.
BODY_SECONDS = 20.0

WsgiApp = Callable[[dict[str, Any], Any], Iterable[bytes]]


class _BadRequest(Exception):
    """What follows the headers is not what they say."""


class KeepAliveHandler(MotoRequestHandler):
    """Reads a request whole before the application sees it, so that the next one begins where it ends; no access log."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two packets, between which Nagle would wait 40 ms

    def run_wsgi(self) -> None:
        try:
            environ = self._whole_request()
        except (_BadRequest, TimeoutError, ConnectionError) as error:
            self.close_connection = True  # where the next request begins is not known
            self.send_error(400, str(error) or "Bad Request")
            return
        status, headers, body = self._answer(environ)
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        names = set()
        for name, value in headers:
            self.send_header(name, value)
            names.add(name.lower())
        if "content-length" not in names and code not in ("204", "304"):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and code not in ("204", "304"):
            self.wfile.write(body)
        if self.headers.get("Connection", "").lower() == "close":
            self.close_connection = True

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002
        pass

    def _whole_request(self) -> dict[str, Any]:
        """Raises _BadRequest for a length that is none or a body that ends before it, TimeoutError if the body stops coming."""
        environ = self.make_environ()
        self.connection.settimeout(BODY_SECONDS)
        try:
            if environ.get("wsgi.input_terminated"):  # chunked
                body = self._chunks(environ)
            else:
                body = self._of_length(environ.get("CONTENT_LENGTH") or "0")
        finally:
            self.connection.settimeout(None)
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        return environ

    def _chunks(self, environ: dict[str, Any]) -> bytes:
        try:
            body = bytes(environ["wsgi.input"].read())
        except OSError as error:
            raise _BadRequest(str(error)) from None
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        return body

    def _of_length(self, length: str) -> bytes:
        if not (length.isascii() and length.isdigit()):
            raise _BadRequest("Content-Length is not a length")
        body = bytearray()  # grows with what comes: a length is only a promise
        while missing := int(length) - len(body):
            part = self.rfile.read1(min(missing, 1 << 20))
            if not part:
                raise _BadRequest("the body is shorter than Content-Length says")
            body += part
        return bytes(body)

    def _answer(self, environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], bytes]:
        written: list[bytes] = []
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Callable[[bytes], None]:
            started.append((status, headers))
            return written.append

        try:
            chunks = self.server.app(environ, start_response)
            body = b"".join([*written, *chunks])
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
        except Exception as error:
            _LOG.error("%s %s failed: %s: %s", self.command, self.path, type(error).__name__, error)
            return "500 Internal Server Error", [("Content-Type", "text/plain")], b"Internal server error"
        return *started[-1], body


def serve(app: WsgiApp, port: int) -> BaseWSGIServer:
    """Serves `app` on 127.0.0.1:`port` (0 = any free one) in a thread, and returns the running server."""
    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=KeepAliveHandler)
    loop = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name=f"http-{server.port}", daemon=True)
    loop.start()
    return server
