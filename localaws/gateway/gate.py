"""Which pages may call a deployed API: those of the origins that the called route's CORS names, and no others.

Only the API itself knows its origins: its OPTIONS method is asked, as a browser would ask it.
docs: apigateway/latest/developerguide/how-to-cors.html
"""

from __future__ import annotations

import io
from collections.abc import Callable

from personalize_emulator.http_gate import Gate
from personalize_emulator.http_server import Answer, Environ

_PREFLIGHT = "HTTP_ACCESS_CONTROL_REQUEST_METHOD"
_MOST_KEPT = 1000


class FrontGate(Gate):
    """Beside what every gate lets in: calls of pages that the route allows, and links that a person follows from anywhere."""

    def __init__(self, preflight: Callable[[Environ], Answer], version: Callable[[Environ], str | None]) -> None:
        """`preflight` answers an OPTIONS request; `version` names the deployed route of a request, None if there is none."""
        self._preflight = preflight
        self._version = version
        self._known: dict[tuple[str, str], bool] = {}

    def admits_page(self, environ: Environ) -> bool:
        route = self._version(environ)
        if route is None:
            return False
        if environ["REQUEST_METHOD"] == "OPTIONS" and _PREFLIGHT in environ:
            return True  # a question that the route answers
        origin = environ.get("HTTP_ORIGIN")
        return _is_followed_link(environ) if origin is None else self._allows(route, origin, environ)

    def _allows(self, route: str, origin: str, environ: Environ) -> bool:
        if (route, origin) not in self._known:
            asked = {key: value for key, value in environ.items() if not key.startswith("HTTP_") or key == "HTTP_HOST"}
            asked |= {"REQUEST_METHOD": "OPTIONS", "CONTENT_LENGTH": "0", "wsgi.input": io.BytesIO()}
            asked |= {"HTTP_ORIGIN": origin, _PREFLIGHT: environ["REQUEST_METHOD"]}
            answer = self._preflight(asked)
            allowed = {name.lower(): value for name, value in answer.headers}.get("access-control-allow-origin")
            if len(self._known) >= _MOST_KEPT:
                self._known.clear()
            self._known[route, origin] = answer.status // 100 == 2 and allowed in (origin, "*")
        return self._known[route, origin]


def _is_followed_link(environ: Environ) -> bool:
    """A top-level navigation: the address bar shows where it leads, and the page that it came from sees nothing of the answer."""
    to_a_page = (environ.get("HTTP_SEC_FETCH_MODE"), environ.get("HTTP_SEC_FETCH_DEST")) == ("navigate", "document")
    return to_a_page and environ["REQUEST_METHOD"] in ("GET", "HEAD")
