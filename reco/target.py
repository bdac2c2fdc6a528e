"""Where a command works: the local AWS environment on this machine, or an AWS account. Both by boto3 and stack outputs."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError

from reco.errors import RecoError

#: Where the local AWS environment of a checkout keeps its state.
DATA = Path(".recostack")


class _Local(Protocol):
    """The local AWS environment that runs here, as far as commands ask it."""

    @property
    def environ(self) -> Mapping[str, str]:
        """What a program that calls it has in its environment."""

    def client(self, service: str) -> Any:
        """A boto3 client for the service."""

    def url_of(self, url: str) -> str:
        """Where it serves what API Gateway serves at `url`."""


@dataclass(frozen=True)
class Answer:
    """What the API answered; `request_id` is "" where API Gateway gave none."""

    status: int
    body: bytes
    request_id: str


class Target:
    """A deployment that answers. Raises RecoError for a stack or an output that is not there."""

    def __init__(self, deployment: str, local: _Local | None) -> None:
        self.deployment = deployment
        self.local = local

    def client(self, service: str) -> Any:
        """A boto3 client for the service."""
        return self.local.client(service) if self.local else boto3.client(service)  # type: ignore[call-overload]

    def output(self, capability: str, name: str) -> str:
        """An output of `recostack-<deployment>-<capability>`."""
        stack = f"recostack-{self.deployment}-{capability}"
        try:
            answer = self.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
        except (ClientError, BotoCoreError) as error:
            missing = isinstance(error, ClientError) and error.response["Error"]["Code"] == "ValidationError"
            said = f"There is no stack {stack}: deploy it first (`reco up` here, `cdk deploy` in an account)."
            raise RecoError(said if missing else f"AWS can't be asked for the stack {stack}: {error}.") from None
        found = {output["OutputKey"]: output["OutputValue"] for output in answer.get("Outputs", [])}
        if name not in found:
            raise RecoError(f"The stack {stack} has no output {name}: it is of another version of recostack; deploy it again.")
        return str(found[name])

    @cached_property
    def api_url(self) -> str:
        """The base URL of the servers' API, without a slash at the end."""
        return self._url("ApiUrl")

    @cached_property
    def browser_api_url(self) -> str:
        """The base URL of the browsers' API, without a slash at the end."""
        return self._url("BrowserApiUrl")

    @cached_property
    def browser_key(self) -> str:
        """The value of the browsers' API key, which all may read."""
        return str(self.client("apigateway").get_api_key(apiKey=self.output("api", "BrowserKeyId"), includeValue=True)["value"])

    @cached_property
    def storefront_url(self) -> str:
        """The page to open. Raises RecoError where the config has no storefront."""
        return self._url("StorefrontUrl")

    def _url(self, output: str) -> str:
        """The stack's output, which names AWS's host: here the same API and stage answer at the front's address."""
        url = self.output("api", output).rstrip("/")
        return self.local.url_of(url) if self.local else url

    @cached_property
    def api_key(self) -> str:
        """The value of the servers' API key."""
        return self._key("ApiKeyId")

    @cached_property
    def browser_api_key(self) -> str:
        """The value of the browsers' API key, which opens what `Api.browsers_may` says."""
        return self._key("BrowserKeyId")

    def _key(self, output: str) -> str:
        key = self.client("apigateway").get_api_key(apiKey=self.output("api", output), includeValue=True)
        return str(key["value"])

    def send(self, method: str, path: str, body: bytes | None = None) -> Answer:
        """One call to the servers' API, whatever its status. Raises OSError where no answer came."""
        url = self.api_url + path
        request = urllib.request.Request(url, body, self.headers(method, url, body), method=method)  # noqa: S310  the API's own URL
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return Answer(answer.status, answer.read(), answer.headers.get("x-amzn-RequestId", ""))
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read(), error.headers.get("x-amzn-RequestId", ""))

    def headers(self, method: str, url: str, body: bytes | None = None) -> dict[str, str]:
        """What a JSON call to the API has to carry: the key, and a signature where the config asks for one."""
        headers = {"x-api-key": self.api_key, "Content-Type": "application/json"}
        if not self.signs:
            return headers
        request = AWSRequest(method, url, headers, body)
        SigV4Auth(self._credentials, "execute-api", self.client("apigateway").meta.region_name).add_auth(request)
        return dict(request.headers.items())

    @cached_property
    def signs(self) -> bool:
        """Whether calls to the servers' API must be signed."""
        return self.output("api", "ApiAuth") == "iam"

    @property
    def _credentials(self) -> Any:
        if self.local:
            environ = self.local.environ
            return Credentials(environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"])
        found = boto3.Session().get_credentials()
        if found is None:
            raise RecoError("The API wants signed calls, and there are no AWS credentials to sign with.")
        return found.get_frozen_credentials()
