"""The door for tests and tools: `POST /_localaws/fire {"arn": …}` fires a schedule now.

`POST /_localaws/permission {"key": …, "service": …, "operation": …, "parameters": {…}}` says whether who has the access key may
make a call: `{}`, or `{"message": …}` with the reason why not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from werkzeug.wrappers import Request, Response

from localaws.errors import LocalAwsError
from localaws.iam.permissions import Denied, Permissions
from localaws.triggers.schedules import Schedules

PATH = "/_localaws"


class Admin:
    """A WSGI application, mounted under PATH."""

    def __init__(self, schedules: Schedules, permissions: Permissions) -> None:
        self._schedules = schedules
        self._permissions = permissions

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        response = self._answer(Request(environ))
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if (request.method, request.path) == ("POST", "/permission"):
            return self._permission(json.loads(request.get_data()))
        if (request.method, request.path) != ("POST", "/fire"):
            return _json({"message": "There is only POST /_localaws/fire."}, 404)
        try:
            self._schedules.fire(str(json.loads(request.get_data())["arn"]))
        except (ValueError, KeyError, TypeError):
            return _json({"message": 'The body must be {"arn": "…"}.'}, 400)
        except LocalAwsError as error:
            return _json({"message": str(error)}, 404)
        return _json({}, 200)

    def _permission(self, asked: dict[str, Any]) -> Response:
        principal = self._permissions.principal(asked["key"])
        try:
            if principal is not None:
                self._permissions.check_call(principal, asked["service"], asked["operation"], asked["parameters"])
        except Denied as denied:
            return _json({"message": denied.message}, 200)
        return _json({}, 200)


def _json(body: dict[str, str], status: int) -> Response:
    return Response(json.dumps(body), status, content_type="application/json")
