"""An HTTP/1.1 server for WSGI applications: h11 speaks the protocol, and each connection has a thread of its own.

A pool of threads would not do: a call may last as long as a function of AWS Lambda does, and may itself call the server.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import socket
import socketserver
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import IO, Any
from urllib.parse import unquote_to_bytes, urlsplit

import h11

log = logging.getLogger(__name__)

Environ = dict[str, Any]
Headers = list[tuple[str, str]]
WsgiApp = Callable[[Environ, Any], Iterable[bytes]]

#: The key of `environ` under which the headers stand as they came: pairs of name and value.
RAW_HEADERS = "http_server.headers"
#: Seconds: for the next part of a request, for the next request of a connection, for what a refused client still sends.
_PART, _IDLE, _LINGER = 20.0, 300.0, 0.5
_MOST_LINGER = 64 << 20  # bytes
_MOST_HEAD = 64 << 10
_IN_MEMORY = 1 << 20  # larger bodies go to disk
_READ = 64 << 10
_WITHOUT_BODY = (204, 304)


@dataclass(frozen=True)
class Answer:
    """A whole answer. `headers` are pairs of name and value; the length is added."""

    status: int
    body: bytes = b""
    headers: Headers = field(default_factory=list)


class HttpServer(socketserver.ThreadingTCPServer):
    """Serves `app` on host:port (port 0: any free one). Raises OSError if the port is in use.

    `admit` sees a request's environ before its body is read, and gives None to let it in or the answer that refuses it.
    A body may have `most_body` bytes.

        server = HttpServer(app)
        server.start()
        requests.get(server.url)
    """

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self,
        app: WsgiApp,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        admit: Callable[[Environ], Answer | None] = lambda environ: None,
        most_body: int = 10 << 20,
    ) -> None:
        self.app = app
        self.admit = admit
        self.most_body = most_body
        self.host = host
        self._connections: set[socket.socket] = set()
        self._started = False
        super().__init__((host, port), _Connection)
        self.port = int(self.socket.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def start(self) -> None:
        """Serve in a thread, until `stop`."""
        self._started, name = True, f"http-{self.port}"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, name=name, daemon=True).start()

    def stop(self) -> None:
        """End serving and close every connection; requests that are being answered are cut off."""
        if self._started:
            self.shutdown()
        self.server_close()
        for connection in list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # it has ended by itself

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # a client may go away at any moment
            log.exception("the connection of %s", client_address)


def environ_of(method: str, target: str, given: Sequence[tuple[str, str]], address: tuple[str, int]) -> Environ:
    """A request for an application: `given` are its headers as they came, `address` where it came to. Its body is to be added.

    docs: peps.python.org/pep-3333. Headers with an underscore are left out: they would pass for others.
    """
    headers: dict[str, str] = {}
    for name, value in given:
        if "_" not in name:
            key = name.upper().replace("-", "_")
            headers[key] = f"{headers[key]},{value}" if key in headers else value
    if target == "*":
        target = "/"
    elif not target.startswith("/"):  # the whole address, as proxies are sent it
        parts = urlsplit(target)
        headers["HOST"] = parts.netloc
        target = parts.path + (f"?{parts.query}" if parts.query else "") or "/"
    path, _, query = target.partition("?")
    own = {"CONTENT_TYPE": headers.pop("CONTENT_TYPE", ""), "CONTENT_LENGTH": headers.pop("CONTENT_LENGTH", "")}
    headers.pop("TRANSFER_ENCODING", None)  # the application gets the body whole
    return {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "RAW_URI": target,  # as it came, so that an encoded slash is told from a slash
        "SERVER_NAME": address[0],
        "SERVER_PORT": str(address[1]),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        RAW_HEADERS: list(given),
        **own,
        **{f"HTTP_{name}": value for name, value in headers.items()},
    }


def call(app: WsgiApp, environ: Environ, at_the_end: contextlib.ExitStack) -> tuple[int, Headers, Iterator[bytes]]:
    """What an application answers: status, headers and the parts of the body, which `at_the_end` closes."""
    written: list[bytes] = []
    started: list[tuple[str, Headers]] = []

    def start_response(status: str, headers: Headers, exc_info: object = None) -> Callable[[bytes], None]:
        started.append((status, headers))
        return written.append

    parts = app(environ, start_response)
    at_the_end.callback(getattr(parts, "close", lambda: None))
    following = iter(parts)
    first = next(following, b"")  # an application may wait with start_response until it is asked for the first part
    status, headers = started[-1]
    return int(status[:3]), headers, itertools.chain(written, [first], following)


class _TooLarge(Exception):
    """The body has more bytes than the server takes."""


class _Connection(socketserver.BaseRequestHandler):
    """Answers the requests of one connection, one after the other."""

    server: HttpServer
    request: socket.socket

    def handle(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_MOST_HEAD)
        try:
            while self._exchange():
                self._http.start_next_cycle()
        except (ConnectionError, TimeoutError):
            return  # the client has gone, or says nothing

    def _exchange(self) -> bool:
        """Whether another request can follow."""
        try:
            head = self._next_event(_IDLE)
            if not isinstance(head, h11.Request):
                return False
            environ = self._environ(head)
            refused = self.server.admit(environ)
            if refused is not None:
                return self._end(refused)
            body, length = self._body(int(environ["CONTENT_LENGTH"] or 0))
        except _TooLarge:
            return self._end(_plain(413, f"the body may have {self.server.most_body} bytes"))
        except h11.RemoteProtocolError as error:
            return self._end(_plain(error.error_status_hint, str(error)))
        environ |= {"wsgi.input": body, "CONTENT_LENGTH": str(length)}
        with body:
            self._respond(environ)
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    def _next_event(self, seconds: float = _PART) -> Any:
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                self.request.settimeout(seconds)
                self._http.receive_data(self.request.recv(_READ))
                seconds = _PART
        except ValueError:  # Python makes no number of thousands of digits
            raise h11.RemoteProtocolError("Content-Length is not a length") from None
        return event

    def _body(self, announced: int) -> tuple[IO[bytes], int]:
        """The body, in memory or on disk, and its length. Raises _TooLarge."""
        if announced > self.server.most_body:
            raise _TooLarge
        if self._http.they_are_waiting_for_100_continue:
            self._write(h11.InformationalResponse(status_code=100, headers=[]))
        body: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - the caller closes it
        length = 0
        while not isinstance(event := self._next_event(), h11.EndOfMessage):
            if not isinstance(event, h11.Data):
                raise ConnectionError  # the client has gone
            length += len(event.data)
            if length > self.server.most_body:
                raise _TooLarge
            body.write(event.data)
        body.seek(0)
        return body, length

    def _environ(self, head: h11.Request) -> Environ:
        given = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers.raw_items()]
        own = {"REMOTE_ADDR": self.client_address[0], "SERVER_PROTOCOL": f"HTTP/{head.http_version.decode('ascii')}"}
        address = self.server.host, self.server.port
        return environ_of(head.method.decode("ascii"), head.target.decode("ascii"), given, address) | own

    def _respond(self, environ: Environ) -> None:
        """Send what the application answers; 500 if it fails, without its reasons."""
        is_head = environ["REQUEST_METHOD"] == "HEAD"
        with contextlib.ExitStack() as at_the_end:
            try:
                status, headers, parts = call(self.server.app, environ, at_the_end)
                beginning, goes_on = _beginning(parts)
            except Exception as error:
                log.error("%s %s failed: %s: %s", environ["REQUEST_METHOD"], environ["RAW_URI"], type(error).__name__, error)
                log.debug("%s", environ["RAW_URI"], exc_info=True)
                status, headers, beginning, goes_on = 500, [], b"Internal server error", False
            if not goes_on:
                self._send(Answer(status, beginning, headers), is_head=is_head)
                return
            self._write(_head(status, headers, None))
            for part in itertools.chain([beginning], parts):
                self._write(h11.Data(data=part))
            self._write(h11.EndOfMessage())

    def _send(self, answer: Answer, *, is_head: bool = False, last: bool = False) -> None:
        headers = [*answer.headers, ("Connection", "close")] if last else answer.headers
        body = b"" if is_head or answer.status in _WITHOUT_BODY else answer.body
        head = _head(answer.status, headers, None if is_head and _length(headers) else len(answer.body))
        self._write(head, h11.Data(data=body), h11.EndOfMessage())

    def _write(self, *events: h11.Event) -> None:
        self.request.settimeout(None)
        begins = self._http.our_state is h11.SEND_RESPONSE
        try:
            self.request.sendall(b"".join(self._http.send(event) or b"" for event in events))
        except h11.LocalProtocolError as error:  # a header that can't be one, a body that is not as long as its header says
            log.error("an answer could not be written: %s", error)
            if begins:
                self.request.sendall(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            raise ConnectionAbortedError from error

    def _end(self, answer: Answer) -> bool:
        """Answer, and give the client a moment to read it: to close on what it still sends would take the answer away from it."""
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._send(answer, last=True)
            self.request.shutdown(socket.SHUT_WR)
            self.request.settimeout(_LINGER)
            for _ in range(_MOST_LINGER // _READ):
                if not self.request.recv(_READ):
                    break
        return False


def _plain(status: int, sentence: str) -> Answer:
    return Answer(status, sentence.encode(), [("Content-Type", "text/plain; charset=utf-8")])


def _beginning(parts: Iterator[bytes]) -> tuple[bytes, bool]:
    """A body, or its first megabyte and True."""
    beginning = b""
    for part in parts:
        beginning += part
        if len(beginning) > _IN_MEMORY:
            return beginning, True
    return beginning, False


def _head(status: int, headers: Headers, length: int | None) -> h11.Response:
    """`length` is that of the body; None leaves it to the headers."""
    own = {"transfer-encoding", "date"} | (set() if length is None else {"content-length"})
    kept = [(name, value) for name, value in headers if name.lower() not in own]
    if length is not None and status not in _WITHOUT_BODY:
        kept.append(("Content-Length", str(length)))
    encoded = [(name.encode(), value.encode("latin-1", "replace")) for name, value in (*kept, ("Date", formatdate(usegmt=True)))]
    return h11.Response(status_code=status, headers=encoded, reason=_reason(status))


def _length(headers: Headers) -> bool:
    return any(name.lower() == "content-length" for name, _ in headers)


def _reason(status: int) -> bytes:
    return HTTPStatus(status).phrase.encode() if status in {each.value for each in HTTPStatus} else b""
