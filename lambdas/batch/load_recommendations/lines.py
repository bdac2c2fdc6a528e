"""The lines of an object of any size: fetched in ranges, so that no more than one range and one line are in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from botocore.exceptions import HTTPClientError, ResponseStreamingError

from lambdas.aws import clients

RANGE_BYTES = 4 * 1024 * 1024
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its end, and the byte at which the next one starts."""

    text: bytes
    end: int


def read_lines(bucket: str, key: str, offset: int = 0) -> Iterator[Line]:
    """The lines that are not empty, from a byte where one starts. Raises ClientError, also when the object changes meanwhile."""
    head = clients.s3().head_object(Bucket=bucket, Key=key)
    size, etag = head["ContentLength"], head["ETag"]
    rest, at = b"", offset
    while at < size:
        chunk = _read_range(bucket, key, etag, at, min(at + RANGE_BYTES, size))
        start, at = at - len(rest), at + len(chunk)
        *whole, rest = (rest + chunk).split(b"\n")
        for text in whole:
            start += len(text) + 1
            if text.strip():
                yield Line(text, start)
    if rest.strip():
        yield Line(rest, size)


def _read_range(bucket: str, key: str, etag: str, start: int, end: int) -> bytes:
    """The bytes from `start` up to `end`; a connection that breaks is made again."""
    for attempt in range(_ATTEMPTS):
        answer = clients.s3().get_object(Bucket=bucket, Key=key, Range=f"bytes={start}-{end - 1}", IfMatch=etag)
        try:
            return answer["Body"].read()
        except (HTTPClientError, ResponseStreamingError):
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")
