"""Mapping templates. docs: apigateway/latest/developerguide/api-gateway-mapping-template-reference.html"""

from __future__ import annotations

import base64
import functools
import json
import re
import urllib.parse
from typing import Any

import airspeed
from jsonpath_ng.ext.parser import parse

from localaws import evaluations

# Velocity's names may have hyphens, as those of headers do (velocity.apache.org/engine/1.7/user-guide.html#References).
airspeed.NameOrCall.NAME = re.compile(r"([_a-z][a-z0-9_-]*)", re.IGNORECASE)
airspeed.SetDirective.PLACE = re.compile(r"\s*\$([a-z_][a-z0-9_-]*(?:\.[a-z_][a-z0-9_-]*)*)", re.IGNORECASE)
# Methods of Java's strings that airspeed lacks.
airspeed.__additional_methods__[str]["substring"] = lambda text, start, end=None: text[start:end]


@functools.lru_cache(maxsize=512)
def _template(text: str) -> Any:
    template = airspeed.Template(text)
    template.ensure_compiled()
    return template


@functools.lru_cache(maxsize=512)
def _path(expression: str) -> Any:
    return parse(expression)


class _Input:
    """`$input`: the body and the parameters of a request."""

    def __init__(self, body: str, parameters: dict[str, dict[str, str]]) -> None:
        self.body = body
        self._parameters = parameters
        try:
            self._document = json.loads(body) if body else {}
        except (ValueError, RecursionError):
            self._document = body

    def path(self, expression: str) -> Any:
        if expression == "$":
            return self._document
        found = [match.value for match in _path(expression).find(self._document)]
        return found[0] if len(found) == 1 else (found or "")

    def json(self, expression: str) -> str:
        return json.dumps(self.path(expression), separators=(",", ":"), ensure_ascii=False)

    def params(self, name: str | None = None) -> Any:
        if name is None:
            return self._parameters
        places = (self._parameters[place] for place in ("path", "querystring", "header"))
        return next((place[name] for place in places if name in place), "")


class _Util:
    """`$util`. The names are those that templates use."""

    def base64Encode(self, value: Any) -> str:  # noqa: N802
        return base64.b64encode(str(value).encode(errors="replace")).decode()  # as Java does with half a surrogate pair

    def base64Decode(self, value: str) -> str:  # noqa: N802
        return base64.b64decode(value).decode()

    def escapeJavaScript(self, value: Any) -> str:  # noqa: N802
        return json.dumps(str(value), ensure_ascii=False)[1:-1].replace("'", "\\'").replace("/", "\\/")

    def parseJson(self, value: str) -> Any:  # noqa: N802
        return json.loads(value)

    def urlEncode(self, value: Any) -> str:  # noqa: N802
        return urllib.parse.quote_plus(str(value))

    def urlDecode(self, value: str) -> str:  # noqa: N802
        return urllib.parse.unquote_plus(value)


def render(
    template: str,
    body: str,
    parameters: dict[str, dict[str, str]],
    context: dict[str, Any],
    stage_variables: dict[str, str],
) -> str:
    """Fills in a template. What it sets in `$context` (responseOverride, requestOverride) is in `context` afterwards."""
    evaluations.note(template=template, body=body, parameters=parameters, context=context, stage_variables=stage_variables)
    names = {
        "input": _Input(body, parameters),
        "util": _Util(),
        "context": context,
        "stageVariables": stage_variables,
    }
    return str(_template(template).merge(names))
