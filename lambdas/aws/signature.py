"""Signature Version 4 of a request, which is what botocore's signer makes, without the import of it. A test compares the two.

docs: IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import urlsplit

_ALGORITHM = "AWS4-HMAC-SHA256"
#: What proxies and tracing may change on the way.
_UNSIGNED = frozenset({"user-agent", "x-amzn-trace-id"})


class Keys(NamedTuple):
    access_key: str
    secret_key: str
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A request; the path of its URL is quoted, and it has no query."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""


def signed(request: Request, service: str, region: str, keys: Keys, at: datetime) -> dict[str, str]:
    """All headers of the request, with its signature; `at` is the time in UTC."""
    address, time, digest = urlsplit(request.url), at.strftime("%Y%m%dT%H%M%SZ"), sha256(request.body).hexdigest()
    headers = {**request.headers, "Host": address.netloc, "X-Amz-Date": time}
    if keys.token:
        headers["X-Amz-Security-Token"] = keys.token
    if service == "s3":
        headers["X-Amz-Content-SHA256"] = digest
    covered = {lower: " ".join(value.split()) for name, value in headers.items() if (lower := name.lower()) not in _UNSIGNED}
    names = sorted(covered)
    listed, scope = ";".join(names), f"{time[:8]}/{region}/{service}/aws4_request"
    lines = [request.method, address.path or "/", "", *(f"{name}:{covered[name]}" for name in names), "", listed, digest]
    text = "\n".join((_ALGORITHM, time, scope, sha256("\n".join(lines).encode()).hexdigest()))
    key = f"AWS4{keys.secret_key}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    headers["Authorization"] = f"{_ALGORITHM} Credential={keys.access_key}/{scope}, SignedHeaders={listed}, Signature={key.hex()}"
    return headers
