"""The calls of an answer that somebody waits for, signed and sent without boto3: less processor time, and no import of it.

Kept from botocore: its signature, its connections (urllib3, kept alive, with its time-outs and error classes), its resolution
of credentials. Left out: its client, its validation, its parsing by service model, its retries (`PROMPT` makes none). A test
holds requests and answers against botocore's own serializer and parser. Timestamps in answers stay numbers.

    dynamodb = SignedClient(DYNAMODB, seconds=2)
    dynamodb.get_item(TableName="shop-catalogue", Key={"item_id": {"S": "i1"}})["Item"]
"""

from __future__ import annotations

import base64
import json
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any
from urllib.parse import quote

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, EnvProvider
from botocore.exceptions import ClientError, NoCredentialsError
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies


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
        self._session = _session(self._endpoint, connect_seconds, seconds, connections)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        return partial(self._call, "".join(part.title() for part in name.split("_")))

    def _call(self, operation: str, **parameters: Any) -> Any:
        request = self.request(operation, parameters)
        SigV4Auth(_credentials().get_frozen_credentials(), self._service.signing_name, self._region).add_auth(request)
        return parse(_sent(self._session, request, operation))

    def request(self, operation: str, parameters: Mapping[str, Any]) -> AWSRequest:
        """The request, not signed yet."""
        path, headers = self._service.route(operation)
        body = json.dumps(parameters, default=_base64).encode()
        return AWSRequest("POST", self._endpoint + path, headers | _of_all(), body)


class SignedObjects:
    """Objects of S3, read whole. Raises ClientError and BotoCoreError as boto3 does."""

    def __init__(self, *, connect_seconds: float = 2.0, seconds: float = 10.0) -> None:
        self._region = _region()
        self._session = _session(_endpoint("s3", self._region), connect_seconds, seconds, connections=4)

    def read(self, bucket: str, key: str) -> bytes:
        request = self.request(bucket, key)
        S3SigV4Auth(_credentials().get_frozen_credentials(), "s3", self._region).add_auth(request)
        return _sent(self._session, request, "GetObject")

    def request(self, bucket: str, key: str) -> AWSRequest:
        """The request, not signed yet: the bucket in the path where an endpoint is configured, else in the host."""
        configured, own = _configured("s3"), _endpoint("s3", self._region).replace("https://", f"https://{bucket}.", 1)
        return AWSRequest("GET", f"{f'{configured}/{bucket}' if configured else own}/{quote(key, safe='/~')}", _of_all())


def _session(endpoint: str, connect_seconds: float, seconds: float, connections: int) -> URLLib3Session:
    return URLLib3Session(
        verify=os.environ.get("AWS_CA_BUNDLE") or os.environ.get("REQUESTS_CA_BUNDLE") or True,  # type: ignore[arg-type]  # a path, too
        proxies=get_environ_proxies(endpoint),
        timeout=(connect_seconds, seconds),  # type: ignore[arg-type]
        max_pool_connections=connections,
        socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],  # type: ignore[list-item]
    )


def _of_all() -> dict[str, str]:
    """The headers of all requests; with the trace's id, X-Ray joins the service's segment to the function's."""
    trace = os.environ.get("_X_AMZN_TRACE_ID")
    traced = trace and "AWS_LAMBDA_FUNCTION_NAME" in os.environ
    return {"User-Agent": "recostack"} | ({"X-Amzn-Trace-Id": quote(trace or "", safe="-=;:+&[]{}\"',")} if traced else {})


def _sent(session: URLLib3Session, request: AWSRequest, operation: str) -> bytes:
    """The answer's body. Raises ClientError for a refusal."""
    response = session.send(request.prepare())
    if response.status_code >= 300:
        raise ClientError(parse_error(response.status_code, response.headers, response.content), operation)
    return response.content


def parse(body: bytes) -> Any:
    """An answer as plain data. Only `{"B": text}` of DynamoDB is no JSON as it stands."""
    has_bytes = b'"B":' in body or b'"BS":' in body
    return json.loads(body, object_hook=_with_bytes if has_bytes else None) if body else {}


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


@cache
def _credentials() -> Credentials:
    """Those of the environment, as Lambda gives them; else whatever botocore's chain finds, refreshed as it does."""
    found = EnvProvider().load()
    if found is None:
        import botocore.session  # with all of botocore's clients: only where there is no other way

        found = botocore.session.get_session().get_credentials()
    if found is None:
        raise NoCredentialsError
    return found


def renew_credentials() -> None:
    """Those that were found before a snapshot are out of date after a restore. Raises BotoCoreError where there are none."""
    _credentials.cache_clear()
    _credentials()


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
