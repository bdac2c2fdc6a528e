"""The HTTP front: `/restapis/{api id}/{stage}/…` is the deployed stage of a REST API."""

from __future__ import annotations

import json
import logging
import re
import secrets
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import Any

from moto.apigateway.models import apigateway_backends
from werkzeug.wrappers import Request, Response

from localaws.clients import Aws
from localaws.gateway import proxy
from localaws.gateway.api import Api
from localaws.gateway.checks import MAX_BODY_BYTES, check_call, check_size, missing_token
from localaws.gateway.gate import FrontGate
from localaws.gateway.integrations import Integrations, function_arn
from localaws.gateway.request import Call, Refusal, check_encoding, split_path
from localaws.gateway.usage_plans import UsagePlans
from localaws.moto.lambda_functions import LambdaService
from localaws.workers.pool import TooManyRequests
from personalize_emulator.http_server import Answer, Environ

_LOG = logging.getLogger(__name__)
_INTEGRATION_SECONDS = 29.0  # docs: apigateway/latest/developerguide/limits.html
_VARIABLE = re.compile(r"\$context\.([\w.]+)")
PREFIX = "restapis"


@dataclass(frozen=True)
class _Route:
    """Where a request leads: the API as it was deployed to the stage, moto's stage, and the segments of the path below it."""

    api: Api
    stage_name: str
    stage: Any
    segments: list[str]

    @property
    def path(self) -> list[str]:
        """The segments that methods are looked up by: a slash at the end means nothing, an empty segment elsewhere is one."""
        return self.segments[:-1] if self.segments[-1:] == [""] else self.segments


class Front:
    """A WSGI application that serves all deployed stages."""

    def __init__(self, aws: Aws, functions: LambdaService) -> None:
        self._aws = aws
        self._functions = functions
        self._integrations = Integrations(aws, functions)
        self._plans = UsagePlans(aws)
        self._calls = ThreadPoolExecutor(64, thread_name_prefix="integration")
        self._deployed: dict[tuple[str, str | None], Api] = {}  # by the ids of API and deployment
        self._gate = FrontGate(self._preflight, self._deployed_route)

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        return self._handle(Request(environ))(environ, start_response)

    def keep_deployments(self, api_id: str) -> None:
        """A deployment holds the API as it is when it is made, which is now: later changes show with another deployment.

        docs: apigateway/latest/developerguide/how-to-deploy-api.html
        """
        for deployment in list(apigateway_backends[self._aws.account][self._aws.region].apis[api_id].deployments):
            if (api_id, deployment) not in self._deployed:
                self._deployed[api_id, deployment] = Api.load(self._aws, api_id)

    def admit(self, environ: Environ) -> Answer | None:
        """For the HTTP server: the answer to a page that may not call, or to a body that is too large; else None."""
        refused = self._gate(environ)
        if refused is None and environ["CONTENT_LENGTH"] and int(environ["CONTENT_LENGTH"]) > MAX_BODY_BYTES:
            return _answer(self._handle(Request(environ)))
        return refused

    def _handle(self, request: Request) -> Response:
        request_id, extended_id, responses = _request_id(request), secrets.token_urlsafe(11) + "=", {}
        try:
            route = self._route(split_path(request))
            responses = route.api.gateway_responses
            check_encoding(request)
            check_size(request.content_length)
            found = route.api.match(request.method, route.path)
            if found is None:
                raise missing_token()
            call = Call(
                request=request,
                api_id=route.api.api_id,
                stage=route.stage_name,
                path="/" + "/".join(route.segments),
                account=self._aws.account,
                method=found[0],
                path_parameters=found[1],
                stage_variables=dict(route.stage.variables or {}),
                request_id=request_id,
                extended_id=extended_id,
            )
            check_call(call, self._plans, self._aws.region)
            response = self._integrate(call)
        except Refusal as refusal:
            return _refuse(refusal, responses, request_id)
        except Exception as error:
            _LOG.exception("%s %r failed: %s", request.method, request.path, error)
            failed = Refusal("DEFAULT_5XX", 500, "Internal server error", "InternalServerErrorException")
            return _refuse(failed, responses, request_id)
        response.headers.setdefault("x-amzn-RequestId", request_id)
        response.headers.setdefault("x-amz-apigw-id", extended_id)
        return response

    def _preflight(self, environ: Environ) -> Answer:
        return _answer(self._handle(Request(environ)))

    def _deployed_route(self, environ: Environ) -> str | None:
        """A name of the deployed route of a path, another one after each deployment; None if no method has this path."""
        try:
            route = self._route(split_path(Request(environ)))
        except Refusal:
            return None
        found = route.api.match(environ["REQUEST_METHOD"], route.path)
        return f"{route.api.api_id} {route.stage.deployment_id} {found[0].resource_path}" if found else None

    def _route(self, segments: list[str]) -> _Route:
        """The stage as it is in moto at this moment, which costs nothing to read in-process. Raises Refusal if there is none."""
        apis = apigateway_backends[self._aws.account][self._aws.region].apis
        if len(segments) >= 3 and segments[0] == PREFIX and segments[1] in apis:
            stage = apis[segments[1]].stages.get(segments[2])
            if stage is not None:
                api = self._deployed[segments[1], stage.deployment_id]
                return _Route(api, segments[2], stage, segments[3:])
        raise Refusal("ACCESS_DENIED", 403, "Forbidden", "ForbiddenException")

    def _integrate(self, call: Call) -> Response:
        integration = call.method.integration
        if integration.get("type") == "MOCK":
            return self._integrations.answer(call)
        answer = self._proxy if integration.get("type") == "AWS_PROXY" else self._integrations.answer
        seconds = float(integration.get("timeoutInMillis") or _INTEGRATION_SECONDS * 1000) / 1000
        call.body  # noqa: B018 - read in this thread, which owns the connection
        try:
            return self._calls.submit(answer, call).result(seconds)
        except FutureTimeoutError:
            message = "Endpoint request timed out"
            raise Refusal("INTEGRATION_TIMEOUT", 504, message, "InternalServerErrorException") from None

    def _proxy(self, call: Call) -> Response:
        event, function = proxy.event_of(call), function_arn(call.method.integration["uri"])
        try:
            self._integrations.check_function(call, function)
            outcome = self._functions.call(function, event)
        except TooManyRequests:
            raise Refusal("DEFAULT_5XX", 500, "Internal server error", "InternalServerErrorException") from None
        return proxy.response_of(outcome)


def _answer(response: Response) -> Answer:
    return Answer(response.status_code, response.get_data(), list(response.headers.items()))


def _request_id(request: Request) -> str:
    """Callers may choose it; the extended one they may not.

    docs: apigateway/latest/developerguide/api-gateway-variables-for-access-logging.html
    """
    chosen = request.headers.get("x-amzn-RequestId", "")
    return chosen if re.fullmatch(r"[\w!#$%&'*+.^`|~-]{1,128}", chosen, re.ASCII) else str(uuid.uuid4())


def _refuse(refusal: Refusal, responses: dict[str, dict[str, Any]], request_id: str) -> Response:
    """A gateway response: the API's own for the type, or for its class, or else API Gateway's default."""
    own = responses.get(refusal.response_type) or responses.get(f"DEFAULT_{refusal.status // 100}XX") or {}
    context = {
        "error.message": refusal.message,
        "error.messageString": json.dumps(refusal.message),
        "error.responseType": refusal.response_type,
        "error.validationErrorString": json.dumps(refusal.validation or refusal.message)[1:-1],
        "requestId": request_id,
    }
    template = (own.get("responseTemplates") or {}).get("application/json") or '{"message":$context.error.messageString}'
    body = _VARIABLE.sub(lambda match: context.get(match[1].rstrip("."), ""), template)
    headers = {"x-amzn-RequestId": request_id, "Content-Type": "application/json"}
    if refusal.error_type:
        headers["x-amzn-ErrorType"] = refusal.error_type
    for name, source in (own.get("responseParameters") or {}).items():
        headers[name.split(".", 2)[2]] = str(source).strip("'")
    return Response(body, int(own.get("statusCode") or refusal.status), headers)
