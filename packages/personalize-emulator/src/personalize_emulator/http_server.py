"""An HTTP/1.1 server that keeps connections open: SDKs make hundreds of requests in a row."""

import logging
import socket
import socketserver
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """A request that was read whole. caller: the IP address that it comes from."""

    method: str
    path: str
    headers: Message
    body: bytes
    caller: str


@dataclass(frozen=True)
class Response:
    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpServer(socketserver.ThreadingTCPServer):
    """A thread per connection. Raises OSError if the port is in use."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, host: str, port: int, answer: Callable[[Request], Response]) -> None:
        self.answer = answer
        self._connections: set[socket.socket] = set()
        super().__init__((host, port), _Handler)

    @property
    def url(self) -> str:
        host, port = self.socket.getsockname()
        return f"http://{host}:{port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        for connection in list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # it has ended by itself

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # a client may go away at any moment
            log.exception("the connection of %s", client_address)


class _Handler(BaseHTTPRequestHandler):
    """Reads a request whole, so that the next one begins where it ends; writes an answer in one segment."""

    server: HttpServer
    protocol_version = "HTTP/1.1"
    error_message_format, error_content_type = '{"message": "%(message)s"}', "application/json"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16

    def do_POST(self) -> None:
        request = Request(self.command, urlsplit(self.path).path, self.headers, self._body(), self.client_address[0])
        response = self.server.answer(request)
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)

    do_GET = do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_POST  # noqa: N815

    def _body(self) -> bytes:
        try:
            if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
                return self._chunks()
            length = int(self.headers.get("Content-Length", "0"))
            if length < 0:
                raise ValueError
            return self.rfile.read(length)
        except ValueError:
            self.close_connection = True  # nobody knows where the next request begins
            return b""

    def _chunks(self) -> bytes:
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            continue  # trailers
        return b"".join(chunks)

    def handle_expect_100(self) -> bool:
        super().handle_expect_100()
        self.wfile.flush()  # the client waits for it
        return True

    def version_string(self) -> str:
        return "personalize"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass
