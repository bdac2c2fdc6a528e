"""Who may call a server on this machine: programs of this machine, and the server's own pages; no page of anybody else.

A server that listens on 127.0.0.1 alone is still reached by every page that the machine's owner opens in a browser. Browsers say
where a call comes from, in `Origin` and `Sec-Fetch-Site`, and programs such as SDKs and curl say neither.
docs: fetch.spec.whatwg.org/#origin-header, www.w3.org/TR/fetch-metadata
"""

from __future__ import annotations

import json
import re

from personalize_emulator.http_server import Answer, Environ

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[^:\[\]]+)(?::\d{1,5})?", re.IGNORECASE)
_LOOPBACK = frozenset({"127.0.0.1", "[::1]", "localhost"})


class Gate:
    """For `HttpServer(admit=…)`."""

    def __call__(self, environ: Environ) -> Answer | None:
        """None for a request that may come in, else 403 with a sentence."""
        host = environ.get("HTTP_HOST", "")
        found = _HOST.fullmatch(host)
        name = found["name"].lower() if found else ""
        if name not in _LOOPBACK and not name.endswith(".localhost"):
            return _refused(f"this server answers on this machine only, as localhost or 127.0.0.1, and not as {host or 'nobody'}")
        origin, site = environ.get("HTTP_ORIGIN"), environ.get("HTTP_SEC_FETCH_SITE", "none")
        own = origin in (None, f"http://{host}", "null" if site == "same-origin" else None)  # null: a page that sends no referrer
        if (own and site in ("none", "same-origin")) or self.admits_page(environ):
            return None
        return _refused(f"pages of {origin or 'other sites'} may not call this")

    def admits_page(self, environ: Environ) -> bool:
        """Whether a page of another origin may make this call. Here none may."""
        return False


def _refused(sentence: str) -> Answer:
    return Answer(403, json.dumps({"message": sentence}).encode(), [("Content-Type", "application/json")])
