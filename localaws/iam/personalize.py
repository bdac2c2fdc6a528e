"""The Personalize emulator with permissions before it: `python -m localaws.iam.personalize`, with the emulator's own arguments.

The emulator knows nothing of them. Each call is held against them by the process of the local AWS environment. Its answers are
kept for a moment, since a call of the runtime is short; in AWS, too, a changed policy takes seconds to be seen everywhere.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import time
from collections.abc import Iterable
from typing import Any

import urllib3

from personalize_emulator import wire
from personalize_emulator.__main__ import main
from personalize_emulator.errors import PersonalizeError
from personalize_emulator.http_server import Environ, WsgiApp

_KEY = re.compile(r"Credential=([^/,\s]+)/")
#: With these letters the keys of a role's sessions begin.
_SESSION = "ASIA"
_KEPT_SECONDS = 2.0
_MOST_KEPT = 10_000
#: What permissions are about, of a runtime's or an event's request: the rest differs from call to call.
_NAMED = frozenset({"campaignArn", "recommenderArn", "filterArn", "datasetArn", "trackingId"})


class _Guarded:
    """A WSGI application that lets through what is allowed."""

    def __init__(self, app: WsgiApp) -> None:
        self._app = app
        self._door = f"{os.environ['AWS_ENDPOINT_URL']}/_localaws/permission"
        self._kept: dict[str, tuple[float, str]] = {}
        self._lock = threading.Lock()

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        message = self._refusal(environ)
        if not message:
            return self._app(environ, start_response)
        status = 400 if "HTTP_X_AMZ_TARGET" in environ else 403
        headers = [("Content-Type", "application/json"), ("x-amzn-ErrorType", "AccessDeniedException")]
        start_response(f"{status} ", headers)
        return [json.dumps({"__type": "AccessDeniedException", "message": message, "Message": message}).encode()]

    def _refusal(self, environ: Environ) -> str:
        """Why the caller may not make this call; "" if it may."""
        found = _KEY.search(environ.get("HTTP_AUTHORIZATION", ""))
        if found is None or not found[1].startswith(_SESSION):
            return ""  # the administrator's
        try:
            operation = wire.route(environ["REQUEST_METHOD"], environ["PATH_INFO"], environ.get("HTTP_X_AMZ_TARGET"))
        except PersonalizeError:
            return ""
        question = {
            "key": found[1],
            "service": operation.service,
            "operation": operation.name,
            "parameters": _parameters(operation, environ),
        }
        return self._ask(json.dumps(question, sort_keys=True))

    def _ask(self, question: str) -> str:
        now = time.monotonic()
        until, message = self._kept.get(question, (0.0, ""))
        if until > now:
            return message
        answer = urllib3.request("POST", self._door, body=question, headers={"Content-Type": "application/json"}, timeout=60)
        message = str(answer.json().get("message", ""))
        with self._lock:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[question] = now + _KEPT_SECONDS, message
        return message


def _parameters(operation: wire.Operation, environ: Environ) -> dict[str, Any]:
    stream = environ["wsgi.input"]
    try:
        found = json.loads(stream.read() or b"{}")
    except ValueError:
        found = {}
    finally:
        stream.seek(0)
    if not isinstance(found, dict):
        return {}
    return found if operation.service == "personalize" else {name: found[name] for name in _NAMED & found.keys()}


if __name__ == "__main__":
    sys.exit(main(_Guarded))
