"""Integrations with mapping templates: AWS services, Lambda without proxy, and MOCK.

docs: apigateway/latest/developerguide/how-to-integration-settings.html
"""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import urllib3
from botocore.exceptions import ClientError
from werkzeug.wrappers import Response

from localaws.clients import Aws
from localaws.gateway import vtl
from localaws.gateway.request import Call, Refusal
from localaws.iam.permissions import Denied
from localaws.moto.lambda_functions import LambdaService

_URI = re.compile(r"arn:[^:]+:apigateway:[^:]*:(?P<service>[^:]+):(?P<kind>action|path)/(?P<target>.*)", re.DOTALL)
_FUNCTION = re.compile(r"functions/(?P<arn>arn:[^/]+)/invocations")
_CLIENT_NAMES = {"states": "stepfunctions", "monitoring": "cloudwatch"}
#: API Gateway sends application/json, which most services take for their JSON; these want what the integration has to map.
#: docs: apigateway/latest/developerguide/integrating-api-with-aws-services-kinesis.html
_NEED_THEIR_CONTENT_TYPE = frozenset({"kinesis"})
#: Headers that API Gateway sets itself: a call for which an integration maps one fails ("header already present" in its log).
_NOT_MAPPED = frozenset(
    {
        "authorization",
        "connection",
        "content-length",
        "expect",
        "proxy-authenticate",
        "te",
        "transfer-encoding",
        "x-amzn-trace-id",
    }
)
_LOG = logging.getLogger(__name__)
_SCOPE = "AWS4-HMAC-SHA256 Credential={key}/20200101/{region}/{name}/aws4_request, SignedHeaders=host, Signature=0"


@dataclass(frozen=True)
class _Backend:
    """What the integration answered; `selector` is what selection patterns are matched against."""

    body: str
    headers: dict[str, str]
    selector: str


def function_arn(uri: str) -> str:
    """The function of a Lambda integration's URI."""
    found = _FUNCTION.search(uri)
    if found is None:
        raise Refusal("API_CONFIGURATION_ERROR", 500, "Internal server error", "InternalServerErrorException")
    return found["arn"]


class Integrations:
    """Calls what stands behind a method, and maps requests and responses."""

    def __init__(self, aws: Aws, functions: LambdaService) -> None:
        self._aws = aws
        self._functions = functions
        self._keys: dict[str, str] = {}  # of roles
        self._http = urllib3.PoolManager(maxsize=32, retries=False)

    def answer(self, call: Call) -> Response:
        """Carries out an AWS or MOCK integration."""
        integration = call.method.integration
        call.context["requestOverride"] = {"header": {}, "path": {}, "querystring": {}}
        call.context["responseOverride"] = {"header": {}}
        payload = self._request_body(call, integration)
        if integration["type"] == "MOCK":
            backend = _mock(payload)
        elif integration["type"] == "AWS":
            backend = self._call_service(call, integration, payload)
        else:
            message = f"Integrations of type {integration['type']} are not emulated."
            raise Refusal("API_CONFIGURATION_ERROR", 500, message, "InternalServerErrorException")
        return _mapped_response(call, integration, backend)

    def check_function(self, call: Call, function: str) -> None:
        """Raises Refusal unless the function may be invoked for this method: by its own policy, or by the integration's role.

        docs: apigateway/latest/developerguide/api-gateway-control-access-using-iam-policies-to-invoke-api.html
        """
        role, source = call.method.integration.get("credentials"), _source(call, self._aws)
        try:
            if not role:
                self._functions.check_service("apigateway", function, source)
            else:
                self._functions.check_role(role, "apigateway", function, source)
        except Denied as denied:
            _LOG.error("%s %s: %s", call.request.method, call.path, denied.message)
            raise Refusal("DEFAULT_5XX", 500, "Internal server error", "InternalServerErrorException") from None

    def _request_body(self, call: Call, integration: dict[str, Any]) -> str:
        """docs: apigateway/latest/developerguide/integration-passthrough-behaviors.html"""
        templates = integration.get("requestTemplates") or {}
        body = call.body.decode("utf-8", "replace")
        behavior = integration.get("passthroughBehavior") or "WHEN_NO_MATCH"
        template = templates.get(call.content_type)
        if template is not None:
            return vtl.render(template, body, call.parameters, call.context, call.stage_variables)
        if behavior == "NEVER" or (behavior == "WHEN_NO_TEMPLATES" and templates):
            raise Refusal("UNSUPPORTED_MEDIA_TYPE", 415, "Unsupported Media Type", "UnsupportedMediaTypeException")
        return body

    def _call_service(self, call: Call, integration: dict[str, Any], payload: str) -> _Backend:
        found = _URI.fullmatch(integration["uri"])
        if found is None:
            raise Refusal("API_CONFIGURATION_ERROR", 500, "Internal server error", "InternalServerErrorException")
        service = found["service"]
        if service == "lambda":
            return self._call_function(call, integration["uri"], payload)
        model = self._aws.client(_CLIENT_NAMES.get(service, service)).meta.service_model
        key = self._key(call, integration.get("credentials") or "")
        path, query, headers = _mapped_parameters(call, integration)
        method = integration.get("httpMethod") or "POST"
        headers["Authorization"] = _SCOPE.format(key=key, region=self._aws.region, name=model.signing_name)
        target = ""
        if found["kind"] == "path":
            target = re.sub(r"\{([^}]+)\}", lambda match: quote(path.get(match[1], ""), safe="/"), found["target"])
        elif "targetPrefix" in model.metadata:
            headers["X-Amz-Target"] = f"{model.metadata['targetPrefix']}.{found['target']}"
            spoken = f"application/x-amz-json-{model.metadata['jsonVersion']}"
            if service in _NEED_THEIR_CONTENT_TYPE and headers.get("Content-Type") != spoken:
                return _Backend('{"__type":"UnknownOperationException"}', {}, "404")
            headers["Content-Type"] = spoken
        else:
            query = {"Action": found["target"], "Version": model.api_version, **query}
        headers.setdefault("Content-Type", "application/json")
        url = f"{self._aws.endpoint}/{target}" + (f"?{urlencode(query)}" if query else "")
        answer = self._http.request(method, url, body=payload.encode(), headers=headers)
        return _Backend(answer.data.decode("utf-8", "replace"), dict(answer.headers), str(answer.status))

    def _key(self, call: Call, role: str) -> str:
        """The access key of the integration's role, or API Gateway's own. Raises Refusal where it may not assume the role."""
        if not role:
            return "apigateway.amazonaws.com"
        if role not in self._keys:
            try:
                self._keys[role] = self._aws.credentials(role, "apigateway", _source(call, self._aws)).key
            except ClientError as error:
                _LOG.error("%s %s: %s", call.request.method, call.path, error)
                message = "API Gateway does not have permission to assume the provided role"
                raise Refusal("API_CONFIGURATION_ERROR", 500, message, "InternalServerErrorException") from None
        return self._keys[role]

    def _call_function(self, call: Call, uri: str, payload: str) -> _Backend:
        self.check_function(call, function_arn(uri))
        outcome = self._functions.call(function_arn(uri), payload.encode() or b"{}")
        body = outcome.result.payload.decode()
        message = str(json.loads(body).get("errorMessage", "")) if outcome.result.error else ""
        return _Backend(body, {}, message)


def _source(call: Call, aws: Aws) -> str:
    """The method for which API Gateway acts. docs: apigateway/latest/developerguide/api-gateway-permissions.html"""
    resource = call.method.resource_path.lstrip("/")
    return f"arn:aws:execute-api:{aws.region}:{aws.account}:{call.api_id}/{call.stage}/{call.request.method}/{resource}"


def _mock(payload: str) -> _Backend:
    """API Gateway reads the status leniently: the CDK writes `{ statusCode: 200 }`, which is no JSON."""
    found = re.search(r"""["']?statusCode["']?\s*:\s*["']?(\d{3})""", payload)
    if found is None:
        raise Refusal("DEFAULT_5XX", 500, "Internal server error", "InternalServerErrorException")
    return _Backend("", {}, found[1])


def _mapped_parameters(call: Call, integration: dict[str, Any]) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """The integration's path, query and header parameters: its constants (`'text'`), and then what the template overrode."""
    places: dict[str, dict[str, str]] = {"path": {}, "querystring": {}, "header": {}}
    for name, source in (integration.get("requestParameters") or {}).items():
        _, _, place, key = name.split(".", 3)
        places[place][key] = source.strip("'")
    for place, overrides in call.context["requestOverride"].items():
        places[place].update({key: str(value) for key, value in overrides.items()})
    for name in places["header"]:
        if name.lower() in _NOT_MAPPED:
            _LOG.error("%s %s: the header %s may not be mapped.", call.request.method, call.path, name)
            raise Refusal("API_CONFIGURATION_ERROR", 500, "Internal server error", "InternalServerErrorException")
    return places["path"], places["querystring"], places["header"]


def _mapped_response(call: Call, integration: dict[str, Any], backend: _Backend) -> Response:
    chosen = _integration_response(integration, backend)
    templates = chosen.get("responseTemplates") or {}
    body = backend.body
    accepted = call.request.accept_mimetypes.best or "application/json"
    default = "application/json" if "application/json" in templates or not templates else next(iter(templates))
    content_type = accepted if accepted in templates else default
    template = templates.get(content_type)
    if template is not None:
        body = vtl.render(template, backend.body, call.parameters, call.context, call.stage_variables) if template else body
    headers = {"Content-Type": content_type}
    for name, source in (chosen.get("responseParameters") or {}).items():
        headers[name.split(".", 3)[3]] = str(source)[1:-1]
    override = call.context["responseOverride"]
    headers.update({name: str(value) for name, value in (override.get("header") or {}).items()})
    return Response(body, int(override.get("status") or chosen["statusCode"]), headers)


def _integration_response(integration: dict[str, Any], backend: _Backend) -> dict[str, Any]:
    """The first response whose pattern matches, else the one without a pattern."""
    responses = list((integration.get("integrationResponses") or {}).values())
    for response in responses:
        pattern = response.get("selectionPattern")
        if pattern and re.fullmatch(pattern, backend.selector, re.DOTALL):
            return dict(response)
    for response in responses:
        if not response.get("selectionPattern"):
            return dict(response)
    raise Refusal("API_CONFIGURATION_ERROR", 500, "Internal server error", "InternalServerErrorException")
