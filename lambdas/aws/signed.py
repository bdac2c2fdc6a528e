"""The calls of an answer that somebody waits for, and of each event, signed and sent without boto3: in less processor time.

As with boto3: connections of urllib3 that are kept alive, time-outs, proxies, error classes, credentials. Left out: the client,
its validation, its parsing by service model, its retries. Tests hold requests, signatures and answers against botocore's own
serializer, signer and parser. Timestamps are numbers.

    dynamodb = SignedClient(DYNAMODB, seconds=2)
    dynamodb.get_item(TableName="shop-catalogue", Key={"item_id": {"S": "i1"}})["Item"]
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import botocore
import urllib3
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)
from pydantic_core import from_json
from urllib3 import exceptions as raised

from lambdas.aws.signature import Keys, Request, signed

if TYPE_CHECKING:
    from botocore.credentials import Credentials

#: The certificates that boto3 trusts.
_CERTIFICATES = str(Path(botocore.__file__).with_name("cacert.pem"))


@dataclass(frozen=True)
class Service:
    """Where a service is and how it is called: by an operation's path, or by a target in a header."""

    endpoint: str
    signing_name: str
    json_version: str = "1.1"
    target: str = ""
    paths: Mapping[str, str] | None = None

    def route(self, operation: str) -> tuple[str, dict[str, str]]:
        """Path and headers of an operation."""
        if self.paths is not None:
            return self.paths[operation], {"Content-Type": "application/json"}
        content = f"application/x-amz-json-{self.json_version}"
        return "/", {"Content-Type": content, "X-Amz-Target": f"{self.target}.{operation}"}


PERSONALIZE_RUNTIME = Service(
    "personalize-runtime",
    "personalize",
    paths={"GetRecommendations": "/recommendations", "GetPersonalizedRanking": "/personalize-ranking"},
)
PERSONALIZE_EVENTS = Service(
    "personalize-events",
    "personalize",
    paths={"PutEvents": "/events", "PutItems": "/items", "PutUsers": "/users"},
)
DYNAMODB = Service("dynamodb", "dynamodb", json_version="1.0", target="DynamoDB_20120810")
SSM = Service("ssm", "ssm", target="AmazonSSM")
KINESIS = Service("kinesis", "kinesis", target="Kinesis_20131202")


class SignedClient:
    """One service in the function's region. An operation is a method, as boto3 has it: `get_item(TableName=..., Key=...)`.

    Answers are plain JSON with bytes where DynamoDB has them. Raises ClientError and BotoCoreError as boto3 does.
    """

    def __init__(self, service: Service, *, connect_seconds: float = 0.5, seconds: float = 2.0, connections: int = 16) -> None:
        self._service, self._region = service, _region()
        self._endpoint = _endpoint(service.endpoint, self._region)
        self._connections = _Connections(connect_seconds, seconds, connections)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        return partial(self._call, "".join(part.title() for part in name.split("_")))

    def _call(self, operation: str, **parameters: Any) -> Any:
        request = self.request(operation, parameters)
        return parse(self._connections.send(request, self._service.signing_name, self._region, operation))

    def request(self, operation: str, parameters: Mapping[str, Any]) -> Request:
        """The request, not signed yet."""
        path, headers = self._service.route(operation)
        body = json.dumps(parameters, default=_base64).encode()
        return Request("POST", self._endpoint + path, headers | _of_all(), body)


class SignedObjects:
    """Objects of S3, read whole. Raises ClientError and BotoCoreError as boto3 does."""

    def __init__(self, *, connect_seconds: float = 2.0, seconds: float = 10.0) -> None:
        self._region = _region()
        self._connections = _Connections(connect_seconds, seconds, 4)

    def read(self, bucket: str, key: str) -> bytes:
        return self._connections.send(self.request(bucket, key), "s3", self._region, "GetObject")

    def request(self, bucket: str, key: str) -> Request:
        """The request, not signed yet: the bucket in the path where an endpoint is configured, else in the host."""
        configured, own = _configured("s3"), _endpoint("s3", self._region).replace("https://", f"https://{bucket}.", 1)
        return Request("GET", f"{f'{configured}/{bucket}' if configured else own}/{quote(key, safe='/~')}", _of_all())


class _Connections:
    """Connections that are kept, by host."""

    def __init__(self, connect_seconds: float, seconds: float, most: int) -> None:
        self._options: dict[str, Any] = {
            "timeout": urllib3.Timeout(connect=connect_seconds, read=seconds),
            "maxsize": most,
            "ca_certs": os.environ.get("AWS_CA_BUNDLE") or os.environ.get("REQUESTS_CA_BUNDLE") or _CERTIFICATES,
        }
        self._pools: dict[str, urllib3.HTTPConnectionPool] = {}

    def send(self, request: Request, service: str, region: str, operation: str) -> bytes:
        """Sign and send: the answer's body. Raises ClientError for a refusal, BotoCoreError where no answer came."""
        address, headers = urlsplit(request.url), signed(request, service, region, _keys(), datetime.now(UTC))
        pool = self._pools.get(address.netloc) or self._pool(request.url, address.scheme, address.netloc)
        target = request.url if pool.proxy and address.scheme == "http" else address.path
        try:
            answer = pool.urlopen(
                request.method, target, request.body or None, headers, retries=False, assert_same_host=False, decode_content=False
            )
        except raised.HTTPError as error:
            raise _failure(error, request.url) from None
        if answer.status >= 300:
            raise ClientError(parse_error(answer.status, answer.headers, answer.data), operation)
        return answer.data

    def _pool(self, url: str, scheme: str, host: str) -> urllib3.HTTPConnectionPool:
        if proxy := _proxy(scheme, host):
            password = urllib3.util.make_headers(proxy_basic_auth=urllib3.util.parse_url(proxy).auth)
            manager: urllib3.PoolManager = urllib3.ProxyManager(proxy, proxy_headers=password, **self._options)
        else:
            manager = urllib3.PoolManager(**self._options)
        return self._pools.setdefault(host, manager.connection_from_url(url))


def _proxy(scheme: str, host: str) -> str | None:
    """The proxy that the environment names for a host, as for boto3: HTTPS_PROXY, HTTP_PROXY, NO_PROXY."""
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    from urllib.request import getproxies, proxy_bypass

    return None if proxy_bypass(host) else getproxies().get(scheme)


def _failure(error: raised.HTTPError, url: str) -> BotoCoreError:
    """What boto3 raises for an error of urllib3."""
    named: dict[str, Any] = {"endpoint_url": url, "error": error}
    match error:
        case raised.SSLError():
            return SSLError(**named)
        case raised.NewConnectionError():
            return EndpointConnectionError(**named)
        case raised.ProxyError():
            return ProxyConnectionError(proxy_url="of the environment", error=error)
        case raised.ConnectTimeoutError():
            return ConnectTimeoutError(**named)
        case raised.ReadTimeoutError():
            return ReadTimeoutError(**named)
        case raised.ProtocolError():
            return ConnectionClosedError(request=None, **named)
    return HTTPClientError(error=error)


def _of_all() -> dict[str, str]:
    """The headers of all requests; with the trace's id, X-Ray joins the service's segment to the function's."""
    trace = os.environ.get("_X_AMZN_TRACE_ID")
    traced = trace and "AWS_LAMBDA_FUNCTION_NAME" in os.environ
    return {"User-Agent": "recostack"} | ({"X-Amzn-Trace-Id": quote(trace or "", safe="-=;:+&[]{}\"',")} if traced else {})


def parse(body: bytes) -> Any:
    """An answer as plain data. Only `{"B": text}` of DynamoDB is no JSON as it stands."""
    if b'"B":' in body or b'"BS":' in body:
        return json.loads(body, object_hook=_with_bytes)
    return from_json(body, cache_strings="keys") if body else {}  # in a third of the time that the standard library takes


def parse_error(status: int, headers: Mapping[str, str], body: bytes) -> Any:
    """A refusal as the `response` of a ClientError.

    docs: the code may stand in the header x-amzn-errortype or in the body, with a namespace before it or an address after it.
    """
    if body.startswith(b"<"):  # of S3
        fields = {name: text.decode() for name in ("Code", "Message") if (text := _between(body, name))}
    else:
        try:
            found = json.loads(body) if body else {}
        except ValueError:
            found = {"message": body.decode(errors="replace")}
        fields = found if isinstance(found, dict) else {}
    code = headers.get("x-amzn-errortype") or fields.get("code") or fields.get("Code") or fields.get("__type") or str(status)
    metadata = {"HTTPStatusCode": status, "RequestId": headers.get("x-amzn-requestid", ""), "HTTPHeaders": dict(headers.items())}
    return {
        "Error": {
            "Code": str(code).split(":", 1)[0].rsplit("#", 1)[-1],
            "Message": fields.get("message") or fields.get("Message") or "",
        },
        "ResponseMetadata": metadata,
    }


def _between(body: bytes, tag: str) -> bytes:
    return body.partition(f"<{tag}>".encode())[2].partition(f"</{tag}>".encode())[0]


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _with_bytes(found: dict[str, Any]) -> dict[str, Any]:
    """A binary value of DynamoDB as bytes; an attribute that is named B holds an object."""
    match found:
        case {"B": str(text)}:
            return {"B": base64.b64decode(text)}
        case {"BS": [str(), *_] as texts}:
            return {"BS": [base64.b64decode(text) for text in texts]}
    return found


def _keys() -> Keys:
    """Those of the environment, as Lambda gives them; else whatever botocore's chain finds, refreshed as it does."""
    access_key, secret_key = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if access_key and secret_key:
        return Keys(access_key, secret_key, os.environ.get("AWS_SESSION_TOKEN"))
    found = _chain().get_frozen_credentials()
    return Keys(str(found.access_key), str(found.secret_key), found.token)


@cache
def _chain() -> Credentials:
    import botocore.session  # with all of botocore's clients: only where there is no other way

    found = botocore.session.get_session().get_credentials()
    if found is None:
        raise NoCredentialsError
    return found


def renew_credentials() -> None:
    """Those that were found before a snapshot are out of date after a restore. Raises BotoCoreError where there are none."""
    _chain.cache_clear()
    _chain()


def _region() -> str:
    return os.environ.get("AWS_DEFAULT_REGION") or os.environ["AWS_REGION"]


def _endpoint(service: str, region: str) -> str:
    """The endpoint of a service, or the one that is configured."""
    return _configured(service) or f"https://{service}.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"


def _configured(service: str) -> str | None:
    """The endpoint in AWS_ENDPOINT_URL_<SERVICE> or AWS_ENDPOINT_URL (docs: sdkref/latest/guide/feature-ss-endpoints.html)."""
    if os.environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return None
    own = f"AWS_ENDPOINT_URL_{service.upper().replace('-', '_')}"
    return (os.environ.get(own) or os.environ.get("AWS_ENDPOINT_URL") or "").rstrip("/") or None
