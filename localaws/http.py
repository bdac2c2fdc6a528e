"""An HTTP/1.1 server for WSGI applications."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import BaseWSGIServer, make_server

WsgiApp = Callable[[dict[str, Any], Any], Iterable[bytes]]


class KeepAliveHandler(MotoRequestHandler):
    """Connections stay open, without Nagle's delay (which costs 40 ms a request); no access log."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002
        pass


def serve(app: WsgiApp, port: int) -> BaseWSGIServer:
    """Serves `app` on 127.0.0.1:`port` (0 = any free one) in a thread, and returns the running server."""
    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=KeepAliveHandler)
    server.daemon_threads = True  # type: ignore[attr-defined]
    loop = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name=f"http-{server.port}", daemon=True)
    loop.start()
    return server
