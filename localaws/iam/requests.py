"""What an HTTP request to an AWS API asks for, and how a service says that it is denied."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote
from xml.sax.saxutils import escape, unescape

import botocore.session
from moto.core.request import Request
from moto.core.routing import get_router_class
from moto.core.utils import get_service_model

from personalize_emulator.http_server import Answer, Environ

_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/\d+/[^/]+/([^/]+)/")
#: The names of services in boto3, by those in a signature, where the two differ.
_CLIENT_NAMES = {"states": "stepfunctions", "monitoring": "cloudwatch", "execute-api": "apigatewaymanagementapi"}
#: Operations of rest-json services whose body is not made of parameters.
_PAYLOADS = frozenset({"Invoke", "InvokeAsync", "InvokeWithResponseStream"})
#: The error code of the services that have one of their own. docs: sns/latest/api/CommonErrors.html
_CODES = {"s3": "AccessDenied", "sqs": "AccessDenied", "sns": "AuthorizationError"}
_NO_SUCH_OPERATION = "UnknownOperation"
#: The objects in the body of DeleteObjects, and what each is named by.
_DELETED = re.compile(r"<Object>(.*?)</Object>", re.DOTALL)
_MEMBER = re.compile(r"<(Key|VersionId)>(.*?)</", re.DOTALL)
_QUOTES = {"&quot;": '"', "&apos;": "'"}


@dataclass(frozen=True)
class Signed:
    """Who signed a request, by its access key, and for which service (by its name in boto3)."""

    key: str
    service: str


@dataclass(frozen=True)
class Asked:
    """A call of an API."""

    operation: str
    parameters: Mapping[str, Any]


def signed(environ: Environ) -> Signed | None:
    """By the header or by the query of a presigned URL; None if a request is not signed."""
    found = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    if found is None and "X-Amz-Credential" in environ.get("QUERY_STRING", ""):
        found = _CREDENTIAL.search(f"Credential={parse_qs(environ['QUERY_STRING'])['X-Amz-Credential'][0]}")
    return Signed(found[1], _CLIENT_NAMES.get(found[2], found[2])) if found else None


def asked(service: str, environ: Environ) -> Asked:
    """The operation and those of its parameters that permissions are about. The body can be read again afterwards."""
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target:
        return Asked(target.rpartition(".")[2], _json(environ))
    protocol = _protocol(service)
    if service == "s3":
        return _s3(environ)
    if protocol.startswith("rest-"):
        return _rest(service, protocol, environ)
    smithy = re.search(r"/operation/(\w+)$", environ["PATH_INFO"])
    if smithy:
        return Asked(smithy[1], {})
    queue = {"QueueUrl": environ["PATH_INFO"]} if service == "sqs" else {}
    form = queue | dict(parse_qsl(environ.get("QUERY_STRING", ""))) | dict(parse_qsl(_body(environ).decode("utf-8", "replace")))
    return Asked(form.pop("Action", _NO_SUCH_OPERATION), form)


def denial(service: str, message: str, environ: Environ) -> Answer:
    """The answer of a service to a call that is not allowed."""
    protocol = _protocol_of(service, environ)
    code = _CODES.get(service, "AccessDenied" if protocol in ("query", "ec2") else "AccessDeniedException")
    if service == "s3":
        text = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        body = b"" if environ["REQUEST_METHOD"] == "HEAD" else text.encode()
        return Answer(403, body, [("Content-Type", "application/xml")])
    if protocol in ("query", "ec2"):
        error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        text = f"<ErrorResponse>{error}<RequestId>00000000-0000-0000-0000-000000000000</RequestId></ErrorResponse>"
        return Answer(403, text.encode(), [("Content-Type", "text/xml")])
    status = 403 if service == "sqs" or protocol.startswith("rest-") else 400
    headers = [("Content-Type", "application/json"), ("x-amzn-ErrorType", code), ("x-amzn-query-error", f"{code};Sender")]
    return Answer(status, json.dumps({"__type": code, "message": message, "Message": message}).encode(), headers)


def _protocol_of(service: str, environ: Environ) -> str:
    """The protocol that a client speaks, where a service knows several."""
    if "HTTP_X_AMZ_TARGET" in environ:
        return "json"
    is_form = environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded") and service != "s3"
    return "query" if is_form else _protocol(service)


@functools.cache
def _protocol(service: str) -> str:
    """json, query, rest-json or rest-xml; json for what boto3 does not know."""
    try:
        metadata = botocore.session.get_session().get_service_model(service).metadata
    except botocore.exceptions.UnknownServiceError:
        return "json"
    return str(metadata["protocols"][-1] if "smithy" in metadata["protocol"] else metadata["protocol"])


@functools.cache
def _router(service: str, protocol: str) -> Any:
    router = get_router_class(service, protocol)
    return router(get_service_model(service)) if router else None


_router(
    "s3", "rest-xml"
)  # now: the first call of a client takes the bucket out of the paths, which all sessions of a process share


def _rest(service: str, protocol: str, environ: Environ) -> Asked:
    request = Request(environ)
    try:
        model, found = _router(service, protocol).match(request)
    except Exception:  # moto's answer to what it does not know is better than one of permissions
        return Asked(_NO_SUCH_OPERATION, {})
    members = getattr(model.input_shape, "members", {})
    names = {member.serialization.get("name", name): name for name, member in members.items()}  # `api_Key` is `apiKey`
    in_query = {key for key, name in names.items() if members[name].serialization.get("location") == "querystring"}
    query = {key: value for key, value in request.args.items() if key in in_query}
    has_body = protocol == "rest-json" and model.name not in _PAYLOADS and environ["REQUEST_METHOD"] not in ("GET", "DELETE")
    given = {**(_json(environ) if has_body else {}), **query, **found}
    return Asked(model.name, {names.get(key, key): value for key, value in given.items()})


def _s3(environ: Environ) -> Asked:
    call = _rest("s3", "rest-xml", environ)
    more: dict[str, Any] = {}
    if "HTTP_X_AMZ_COPY_SOURCE" in environ:
        more["CopySource"] = unquote(environ["HTTP_X_AMZ_COPY_SOURCE"])
    if call.operation == "DeleteObjects":
        entries = _DELETED.findall(_body(environ).decode("utf-8", "replace"))
        more["Delete"] = {"Objects": [_object(entry) for entry in entries]}
    return Asked(call.operation, {**call.parameters, **more})


def _object(entry: str) -> dict[str, str]:
    return {name: unescape(text, _QUOTES) for name, text in _MEMBER.findall(entry)}


def _json(environ: Environ) -> dict[str, Any]:
    try:
        found = json.loads(_body(environ) or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _body(environ: Environ) -> bytes:
    stream = environ["wsgi.input"]
    body: bytes = stream.read()
    stream.seek(0)
    return body
