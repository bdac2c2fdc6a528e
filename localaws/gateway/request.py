"""A request on its way through the front, and the refusals that it can meet."""

from __future__ import annotations

import secrets
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import unquote

from werkzeug.wrappers import Request

from localaws.gateway.api import Method


@dataclass(frozen=True)
class Refusal(Exception):
    """The gateway answers itself. docs: apigateway/latest/developerguide/supported-gateway-response-types.html"""

    response_type: str
    status: int
    message: str
    error_type: str = ""
    validation: str = ""  # what is wrong with the body, as `$context.error.validationErrorString` says it


@dataclass
class Call:
    """A request for one method of a deployed API."""

    request: Request
    api_id: str
    stage: str
    path: str
    account: str
    method: Method
    path_parameters: dict[str, str]
    stage_variables: dict[str, str]
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    extended_id: str = field(default_factory=lambda: f"{secrets.token_urlsafe(11)}=")
    received: float = field(default_factory=time.time)

    @cached_property
    def body(self) -> bytes:
        return self.request.get_data()

    @cached_property
    def text(self) -> str | None:
        """The body; None if it is not UTF-8, which is what JSON is in (RFC 8259), without a mark of the byte order."""
        try:
            found = self.body.decode()
        except UnicodeDecodeError:
            return None
        return None if found.startswith("\ufeff") else found

    @cached_property
    def parameters(self) -> dict[str, dict[str, str]]:
        """What mapping templates see as `$input.params()`."""
        return {
            "path": self.path_parameters,
            "querystring": self.last_query_values,
            "header": dict(self.request.headers),
        }

    @cached_property
    def last_query_values(self) -> dict[str, str]:
        return {name: values[-1] for name, values in self.request.args.lists()}

    @property
    def content_type(self) -> str:
        return (self.request.content_type or "application/json").split(";")[0].strip().lower()

    @cached_property
    def context(self) -> dict[str, Any]:
        """`$context`, which is also a proxy event's requestContext. docs: lambda/latest/dg/services-apigateway.html"""
        request = self.request
        return {
            "accountId": self.account,
            "apiId": self.api_id,
            "domainName": request.host,
            "domainPrefix": self.api_id,
            "extendedRequestId": self.extended_id,
            "httpMethod": request.method,
            "identity": {
                "accessKey": None,
                "accountId": None,
                "apiKey": None,
                "apiKeyId": None,
                "caller": None,
                "cognitoAuthenticationProvider": None,
                "cognitoAuthenticationType": None,
                "cognitoIdentityId": None,
                "cognitoIdentityPoolId": None,
                "principalOrgId": None,
                "sourceIp": request.remote_addr,
                "user": None,
                "userAgent": request.headers.get("User-Agent"),
                "userArn": None,
            },
            "path": f"/{self.stage}{self.path}",
            "protocol": request.environ.get("SERVER_PROTOCOL", "HTTP/1.1"),
            "requestId": self.request_id,
            "requestTime": datetime.fromtimestamp(self.received, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "requestTimeEpoch": int(self.received * 1000),
            "resourceId": self.method.resource_id,
            "resourcePath": self.method.resource_path,
            "stage": self.stage,
        }


def split_path(request: Request) -> list[str]:
    """The path's segments, each decoded by itself, so that an encoded slash stays inside its segment."""
    return [unquote(segment) for segment in str(request.environ["RAW_URI"]).partition("?")[0].split("/")[1:]]


def check_encoding(request: Request) -> None:
    """Raises Refusal where the path or the query is not UTF-8: two such ids would look alike."""
    try:
        unquote(str(request.environ["RAW_URI"]), errors="strict")
    except UnicodeDecodeError:
        raise Refusal("DEFAULT_4XX", 400, "The address is not UTF-8", "BadRequestException") from None
