"""Serves the dashboard as a page on this machine: the picture is drawn anew while somebody looks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

#: Seconds after which the page asks for another picture.
_EVERY = 15
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>
:root {{ color-scheme: light }} body {{ font: 15px/1.5 system-ui, sans-serif; margin: 1rem auto; max-width: 84rem;
  padding: 0 1rem }}
img {{ width: 100%; height: auto }} p {{ color: #5b6675 }}</style></head>
<body><h1>{title}</h1><p>The last {minutes:g} minutes, in minutes before now; drawn anew every {every} seconds.</p>
<img src="dashboard.svg" alt="The graphs of the dashboard">
<script>setInterval(() => {{ document.querySelector("img").src = "dashboard.svg?" + Date.now(); }}, {every}000);</script>
</body></html>
"""


class LiveDashboard:
    """An HTTP server on 127.0.0.1; `draw` gives a picture as SVG."""

    def __init__(self, title: str, minutes: float, draw: Callable[[], bytes]) -> None:
        lock, page = threading.Lock(), _PAGE.format(title=title, minutes=minutes, every=_EVERY).encode()

        class Handler(BaseHTTPRequestHandler):
            """Two addresses; a page of another site, which would come by another name, gets nothing."""

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                if self.headers.get("Host", "").partition(":")[0] not in ("127.0.0.1", "localhost"):
                    self.send_error(403)
                elif path == "/":
                    self._answer("text/html; charset=utf-8", page)
                elif path == "/dashboard.svg":
                    with lock:  # one picture at a time
                        picture = draw()
                    self._answer("image/svg+xml", picture)
                else:
                    self.send_error(404)

            def _answer(self, kind: str, body: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
                """Nobody reads who looked."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def serve(self) -> None:
        """Until it is interrupted, or closed."""
        try:
            self._server.serve_forever()
        finally:
            self._server.server_close()

    def close(self) -> None:
        self._server.shutdown()
