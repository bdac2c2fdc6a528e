"""Raw HTTP requests as no client would send them, made from a seed."""

from __future__ import annotations

import random
import socket
import string
from collections.abc import Iterator

_METHODS = (b"GET", b"POST", b"PUT", b"OPTIONS", b"PRI", b"get", b"", b"G E T", b"\x16\x03\x01")
_TARGETS = (
    b"/",
    b"/things?a=b",
    b"//",
    b"*",
    b"http://evil.example/",
    b"evil:443",
    b"/%",
    b"/%ff%fe",
    b"/\xff",
    b"/" + b"a" * 70_000,
    b"",
)
_VERSIONS = (b"HTTP/1.1", b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/1.1 x", b"http/1.1", b"")
_LENGTHS = (
    b"3",
    b"0",
    b"-1",
    b"+3",
    b"3, 3",
    b"3, 4",
    b"1" * 5000,
    b"10000000000000",
    b"4294967296",
    b"0x10",
    b"",
    b"NaN",
    b" 3",
)
_CHUNKS = (
    b"FFFFFFFFFFFF\r\nabc",
    b"7FFFFFFFFFFFFFFF\r\nabc",
    b"F" * 5000 + b"\r\nabc",
    b"-1\r\nabc",
    b"3\r\nabc\r\n0\r\n\r\n",
    b"3\r\nabcdef",
    b"3;" + b"e" * 80_000 + b"\r\nabc",
    b"0\r\n" + b"X: y\r\n" * 5000,
    b"zz\r\n",
    b"\r\n\r\n",
)
_ENDS = (b"\r\n\r\n", b"\n\n", b"\r\n", b"")


def requests(seed: int, count: int, host: str) -> Iterator[bytes]:
    """`count` requests, most of them malformed in one or several ways."""
    draw = random.Random(seed)
    for _ in range(count):
        headers = [b"Host: " + host.encode()] if draw.random() < 0.9 else []
        body = b""
        if draw.random() < 0.5:
            headers.append(b"Content-Length: " + draw.choice(_LENGTHS))
            body = draw.choice((b"abc", b"", b"abcdef", bytes(range(256))))
        if draw.random() < 0.4:
            headers.append(
                b"Transfer-Encoding: " + draw.choice((b"chunked", b"Chunked", b"gzip, chunked", b"chunked, chunked", b"x"))
            )
            body = draw.choice(_CHUNKS)
        if draw.random() < 0.3:
            headers.append(
                draw.choice(
                    (
                        b"X-" + b"h" * 70_000 + b": 1",
                        b": empty",
                        b"no colon",
                        b"A:\x00b",
                        b" folded",
                        b"Expect: 100-continue",
                        b"Upgrade: h2c",
                        b"Host: second",
                    )
                )
            )
        if draw.random() < 0.1:
            headers += [b"X-%d: %d" % (number, number) for number in range(3000)]
        draw.shuffle(headers)
        line = b" ".join(
            (draw.choice(_METHODS[:3] if draw.random() < 0.7 else _METHODS), draw.choice(_TARGETS), draw.choice(_VERSIONS))
        )
        request = line + b"\r\n" + b"\r\n".join(headers) + draw.choice(_ENDS if draw.random() < 0.3 else _ENDS[:1]) + body
        yield _broken(draw, request) if draw.random() < 0.2 else request


def _broken(draw: random.Random, request: bytes) -> bytes:
    """Cut, repeated, or with a byte that does not belong."""
    place = draw.randrange(len(request) + 1)
    other = draw.choice(string.printable).encode()
    return draw.choice((request[:place], request[place:], request[:place] + other + request[place:], request * 2))


def answer_of(address: tuple[str, int], request: bytes, patience: float) -> bytes:
    """What comes back before the server closes. Raises TimeoutError if it neither answers nor closes."""
    with socket.create_connection(address, patience) as connection:
        answer = b""
        try:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(1 << 16):
                answer += part
        except TimeoutError:
            raise
        except OSError:
            pass  # it has closed
        return answer
