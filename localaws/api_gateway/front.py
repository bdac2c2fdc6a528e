"""The HTTP front: `/restapis/{api id}/{stage}/…` is the deployed stage of a REST API."""

from __future__ import annotations

import json
import logging
import re
import threading
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

from moto.apigateway.models import apigateway_backends
from werkzeug.wrappers import Request, Response

from localaws.api_gateway import proxy
from localaws.api_gateway.api import Api
from localaws.api_gateway.checks import check_call, check_size, missing_token
from localaws.api_gateway.integrations import Integrations, function_arn
from localaws.api_gateway.request import Call, Refusal, split_path
from localaws.api_gateway.usage_plans import UsagePlans
from localaws.clients import Aws
from localaws.lambda_workers.pool import TooManyRequests
from localaws.moto.lambda_functions import LambdaService

_LOG = logging.getLogger(__name__)
_INTEGRATION_SECONDS = 29.0  # docs: apigateway/latest/developerguide/limits.html
_VARIABLE = re.compile(r"\$context\.([\w.]+)")
PREFIX = "restapis"


class Front:
    """A WSGI application that serves all deployed stages."""

    def __init__(self, aws: Aws, functions: LambdaService) -> None:
        self._aws = aws
        self._functions = functions
        self._integrations = Integrations(aws, functions)
        self._plans = UsagePlans(aws)
        self._calls = ThreadPoolExecutor(64, thread_name_prefix="integration")
        self._apis: dict[tuple[str, str], tuple[str, Api]] = {}
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        response = self._handle(request)
        request.get_data(cache=False)  # what is left of a body would be read as the next request of the connection
        return response(environ, start_response)

    def _handle(self, request: Request) -> Response:
        segments = split_path(request)
        request_id, responses = str(uuid.uuid4()), {}
        try:
            api_id, stage_name, stage = self._stage(segments)
            api = self._api(api_id, stage_name, stage.deployment_id)
            responses = api.gateway_responses
            path = segments[3:-1] if segments[-1] == "" else segments[3:]  # one slash at the end makes no other path
            check_size(request.content_length)
            found = api.match(request.method, path)
            if found is None:
                raise missing_token()
            call = Call(
                request=request,
                api_id=api_id,
                stage=stage_name,
                path="/" + "/".join(segments[3:]),
                account=self._aws.account,
                method=found[0],
                path_parameters=found[1],
                stage_variables=dict(stage.variables or {}),
                request_id=request_id,
            )
            check_call(call, self._plans, self._aws.region)
            response = self._integrate(call, api)
        except Refusal as refusal:
            return _refuse(refusal, responses, request_id)
        except Exception as error:
            _LOG.exception("%s %r failed: %s", request.method, request.path, error)
            failed = Refusal("DEFAULT_5XX", 500, "Internal server error", "InternalServerErrorException")
            return _refuse(failed, responses, request_id)
        response.headers.setdefault("x-amzn-RequestId", request_id)
        response.headers.setdefault("x-amz-apigw-id", request_id.replace("-", "")[:16])
        return response

    def _stage(self, segments: list[str]) -> tuple[str, str, Any]:
        """The stage as it is in moto at this moment; reading it in-process costs nothing."""
        apis = apigateway_backends[self._aws.account][self._aws.region].apis
        if len(segments) >= 3 and segments[0] == PREFIX and segments[1] in apis:
            stage = apis[segments[1]].stages.get(segments[2])
            if stage is not None:
                return segments[1], segments[2], stage
        raise Refusal("ACCESS_DENIED", 403, "Forbidden", "ForbiddenException")

    def _api(self, api_id: str, stage: str, deployment: str) -> Api:
        """The API as of the stage's deployment: changes show with the next deployment, as in the service."""
        with self._lock:
            cached = self._apis.get((api_id, stage))
            if cached is None or cached[0] != deployment:
                cached = self._apis[api_id, stage] = (deployment, Api.load(self._aws, api_id))
            return cached[1]

    def _integrate(self, call: Call, api: Api) -> Response:
        integration = call.method.integration
        if integration.get("type") == "MOCK":
            return self._integrations.answer(call)
        answer = self._proxy if integration.get("type") == "AWS_PROXY" else lambda call, _: self._integrations.answer(call)
        seconds = float(integration.get("timeoutInMillis") or _INTEGRATION_SECONDS * 1000) / 1000
        call.body  # noqa: B018 - read in this thread, which owns the connection
        try:
            return self._calls.submit(answer, call, api).result(seconds)
        except FutureTimeoutError:
            message = "Endpoint request timed out"
            raise Refusal("INTEGRATION_TIMEOUT", 504, message, "InternalServerErrorException") from None

    def _proxy(self, call: Call, api: Api) -> Response:
        event = proxy.event_of(call, api.binary_media_types)
        try:
            outcome = self._functions.call(function_arn(call.method.integration["uri"]), event)
        except TooManyRequests:
            raise Refusal("DEFAULT_5XX", 500, "Internal server error", "InternalServerErrorException") from None
        accept = call.request.headers.get("Accept", "")
        return proxy.response_of(outcome, accept, api.binary_media_types)


def _refuse(refusal: Refusal, responses: dict[str, dict[str, Any]], request_id: str) -> Response:
    """A gateway response: the API's own for the type, or for its class, or else API Gateway's default."""
    own = responses.get(refusal.response_type) or responses.get(f"DEFAULT_{refusal.status // 100}XX") or {}
    context = {
        "error.message": refusal.message,
        "error.messageString": json.dumps(refusal.message),
        "error.responseType": refusal.response_type,
        "error.validationErrorString": refusal.message,
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
