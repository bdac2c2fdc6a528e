"""How the API takes events and records: straight from API Gateway into the stream and the queue, without a function.

Values of a request enter a mapping template only through base64 or as JSON that API Gateway itself has written.
docs: apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from constructs import Construct

from lambdas.config import Config
from lambdas.config.events import MAX_BATCH
from stacks import names
from stacks.grants import Grant

TEMPLATES = Path(__file__).parent / "mapping_templates"
_CORS = "method.response.header.Access-Control-Allow-Origin"
#: A text without half of a surrogate pair, which JSON can spell, and of which the mapping template would make `?`. API Gateway's
#: regular expressions are those of ECMAScript, to which a character beyond the first 65,536 is such a pair.
TEXT = {"pattern": "^([^\\ud800-\\udfff]|[\\ud800-\\udbff][\\udc00-\\udfff])*$"}
#: A value of an event or a record: the texts in it, however it should be.
VALUE = {**TEXT, "items": TEXT, "additionalProperties": TEXT}

#: What API Gateway checks of `POST /events` (JSON Schema draft 4): that it is a list of events in valid text. One bad event must
#: not refuse its neighbours: all other rules are the function's.
EVENTS_ENVELOPE: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-04/schema#",
    "type": "object",
    "required": ["events"],
    "additionalProperties": False,
    "properties": {
        "events": {
            "type": "array",
            "minItems": 1,
            "maxItems": MAX_BATCH,
            "items": {"additionalProperties": VALUE},
        }
    },
}
#: Of PUT and PATCH of `/items/{item_id}` and `/users/{user_id}`: the columns are checked by the function.
RECORD_ENVELOPE: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-04/schema#",
    "type": "object",
    "minProperties": 1,
    "additionalProperties": VALUE,
}


class IngestionRoutes(Construct):
    """The routes of one API: their integrations and models. `origins` are those of pages that may call."""

    def __init__(
        self, scope: Construct, config: Config, api: apigateway.RestApi, role: iam.Role, *, origins: Sequence[str] = ()
    ) -> None:
        super().__init__(scope, "Ingestion")
        self.config = config
        self.api = api
        self.role = role
        self.origins = origins
        self.validator = api.add_request_validator("Body", validate_request_body=True)

    def add_events(self, callers: dict[str, Any]) -> None:
        """`POST /events`; `callers` says how the method asks who calls."""
        resource = self.api.root.add_resource("events")
        allow_pages(resource, self.origins, "POST")
        integration = apigateway.AwsIntegration(
            service="kinesis",
            action="PutRecords",
            options=self._options(
                template("post_events", stream=names.event_stream(self.config)),
                {"200": ("202", template("events_answer")), "": ("503", template("events_error"))},
                # docs: apigateway/latest/developerguide/integrating-api-with-aws-services-kinesis.html
                headers={"integration.request.header.Content-Type": "'application/x-amz-json-1.1'"},
            ),
        )
        statuses = ("202", "207", "413", "503")
        self._method(resource, "POST", integration, "Events", EVENTS_ENVELOPE, statuses, callers)

    def add_records(self, callers: dict[str, Any]) -> None:
        """`PUT` and `PATCH` of `/items/{item_id}` and `/users/{user_id}`."""
        for kind in ("item", "user"):
            for verb in ("PUT", "PATCH"):
                self._records(verb, kind, callers)

    def _records(self, verb: str, kind: str, callers: dict[str, Any]) -> None:
        resource = self.api.root.resource_for_path(f"{kind}s/{{{kind}_id}}")
        integration = apigateway.AwsIntegration(
            service="sqs",
            path=f"{cdk.Aws.ACCOUNT_ID}/{names.record_queue(self.config)}",
            options=self._options(
                template("put_record", kind=kind, change=verb.lower(), parameter=f"{kind}_id"),
                {
                    "200": ("202", '{"accepted": 1}'),
                    "": (
                        "503",
                        '{"error": {"code": "unavailable", "message": "the record can\'t be taken right now; send it again"}}',
                    ),
                },
                headers={"integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"},
            ),
        )
        model = f"{kind.title()}{'Record' if verb == 'PUT' else 'Changes'}"
        self._method(resource, verb, integration, model, RECORD_ENVELOPE, ("202", "503"), callers)

    def _options(
        self, request: str, answers: dict[str, tuple[str, str]], headers: dict[str, str] | None = None
    ) -> apigateway.IntegrationOptions:
        return apigateway.IntegrationOptions(
            credentials_role=self.role,
            passthrough_behavior=apigateway.PassthroughBehavior.NEVER,
            request_templates={"application/json": request},
            request_parameters=headers,
            integration_responses=[
                apigateway.IntegrationResponse(
                    status_code=status,
                    selection_pattern=pattern or None,
                    response_templates={"application/json": self._allow_origins(answer)},
                    response_parameters=self._cors_header(f"'{next(iter(self.origins), '')}'"),
                )
                for pattern, (status, answer) in answers.items()
            ],
        )

    def _cors_header(self, value: Any) -> dict[str, Any]:
        """The header that names the pages' origin, for an answer or for its declaration; none where no page may call."""
        return {_CORS: value} if self.origins else {}

    def _allow_origins(self, answer: str) -> str:
        """The answer to a page of one of several origins names that one."""
        if len(self.origins) < 2:
            return answer
        listed = " || ".join(f"$origin == '{origin}'" for origin in self.origins)
        named = "#set($context.responseOverride.header.Access-Control-Allow-Origin = $origin)"
        return f"#set($origin = $input.params('Origin'))#if({listed}){named}#end{answer}"

    def _method(
        self,
        resource: apigateway.IResource,
        verb: str,
        integration: apigateway.Integration,
        model: str,
        envelope: dict[str, Any],
        statuses: tuple[str, ...],
        callers: dict[str, Any],
    ) -> None:
        schema = apigateway.CfnModel(
            self, model, rest_api_id=self.api.rest_api_id, name=model, content_type="application/json", schema=envelope
        )
        # A stage serves what its deployment found: a changed model has to make a new one, as a changed method does.
        # docs: apigateway/latest/developerguide/how-to-deploy-api.html
        deployment = self.api.latest_deployment
        assert deployment is not None  # noqa: S101  the API deploys itself
        deployment.node.add_dependency(schema)
        deployment.add_to_logical_id({"model": model, "schema": envelope})
        resource.add_method(
            verb,
            integration,
            **callers,
            request_validator=self.validator,
            request_models={"application/json": apigateway.Model.from_model_name(self, f"{model}Model", schema.ref)},
            method_responses=[
                apigateway.MethodResponse(status_code=status, response_parameters=self._cors_header(True)) for status in statuses
            ],
        )


def allow_pages(resource: apigateway.Resource, origins: Sequence[str], verb: str) -> None:
    """Let a browser hear that pages of these origins may call; it keeps the answer for two hours, the most that Chromium does."""
    if origins:
        resource.add_cors_preflight(
            allow_origins=list(origins),
            allow_methods=[verb],
            allow_headers=["Content-Type", "x-api-key"],
            max_age=cdk.Duration.hours(2),
        )


def ingestion_role(scope: Construct, config: Config) -> iam.Role:
    """With it API Gateway writes events and records, whichever API they come through."""
    stack = cdk.Stack.of(scope)
    role = iam.Role(
        scope,
        "IngestionRole",
        assumed_by=iam.ServicePrincipal("apigateway.amazonaws.com"),
        description="Lets API Gateway write events and records",
    )
    Grant(["kinesis:PutRecords"], [stack.format_arn(service="kinesis", resource=f"stream/{names.event_stream(config)}")]).give(
        role
    )
    Grant(["sqs:SendMessage"], [stack.format_arn(service="sqs", resource=names.record_queue(config))]).give(role)
    return role


def template(name: str, **values: str) -> str:
    """A mapping template with the deployment's own names put in."""
    text = (TEMPLATES / f"{name}.vtl").read_text()
    for key, value in values.items():
        text = text.replace(f"${{{key}}}", value)
    return text
