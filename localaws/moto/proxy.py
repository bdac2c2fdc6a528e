"""Passes the requests of one service on to an emulator that runs elsewhere, so that one endpoint serves all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

import urllib3

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


class ReverseProxy:
    """A WSGI application in front of `target` (http://host:port)."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._pool = urllib3.PoolManager(maxsize=32, retries=False)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        query = f"?{environ['QUERY_STRING']}" if environ.get("QUERY_STRING") else ""
        path = quote(environ["PATH_INFO"].encode("latin-1"), safe="/") + query
        try:
            answer = self._pool.request(
                environ["REQUEST_METHOD"],
                self._target + path,
                body=environ["wsgi.input"].read(length) if length else None,
                headers=_headers(environ),
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as error:
            body = f"The emulator at {self._target} does not answer: {error}".encode()
            start_response("503 Service Unavailable", [("Content-Length", str(len(body)))])
            return [body]
        headers = [(name, value) for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP]
        start_response(f"{answer.status} {answer.reason}", [*headers, ("Content-Length", str(len(answer.data)))])
        return [answer.data]


def _headers(environ: dict[str, Any]) -> dict[str, str]:
    headers = {
        name[5:].replace("_", "-").title(): value
        for name, value in environ.items()
        if name.startswith("HTTP_") and isinstance(value, str)
    }
    headers = {name: value for name, value in headers.items() if name.lower() not in _HOP_BY_HOP}
    if environ.get("CONTENT_TYPE"):
        headers["Content-Type"] = environ["CONTENT_TYPE"]
    return headers
