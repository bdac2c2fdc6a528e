"""The HTTP API: routes, keys and usage plan, logs. The last stack; it calls the capabilities' functions by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from lambdas.config import Config
from lambdas.config.api import Throttle
from stacks import names
from stacks.acknowledged import acknowledge
from stacks.api_docs import add_docs
from stacks.gateway_responses import add_gateway_responses
from stacks.ingestion_api import IngestionRoutes, for_servers_only

#: Access log fields; none tells who the shop's user is (no path with ids, no query string, no address).
ACCESS_LOG = {
    "requestId": "$context.requestId",
    "time": "$context.requestTimeEpoch",
    "method": "$context.httpMethod",
    "route": "$context.resourcePath",
    "status": "$context.status",
    "latency_ms": "$context.responseLatency",
    "bytes": "$context.responseLength",
    "key": "$context.identity.apiKeyId",
}

LOGS_POLICY = "arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"


class ApiStack(cdk.Stack):
    """Outputs: ApiUrl, ApiAuth, ApiKeyId, BrowserKeyId."""

    def __init__(self, scope: Construct, id_: str, config: Config, **kwargs: Any) -> None:
        super().__init__(scope, id_, **kwargs)
        self.config = config
        self.api = self._rest_api()
        recommend = apigateway.LambdaIntegration(self._function("recommend"))
        ingestion = IngestionRoutes(self, config, self.api)
        for_servers = [
            self._route("GET", "recommendations/{placement}", recommend),
            self._route("POST", "rankings/{placement}", recommend),
            self._route("GET", "batch/{name}/users/{user_id}", recommend),
            *ingestion.change_records,
            self._route("DELETE", "users/{user_id}", apigateway.LambdaIntegration(self._function("erase_user"))),
        ]
        self._approvals()
        if config.api.docs:
            add_docs(self.api)
        key = self._usage_plan()
        browser_key = self._browser_plan(for_servers)
        ssm.StringParameter(self, "ApiUrlParameter", parameter_name=names.api_url_parameter(config), string_value=self.api.url)
        cdk.CfnOutput(self, "ApiUrl", value=self.api.url)
        cdk.CfnOutput(self, "ApiAuth", value=config.api.auth)
        cdk.CfnOutput(self, "ApiKeyId", value=key.key_id)
        cdk.CfnOutput(self, "BrowserKeyId", value=browser_key.key_id)

    def _rest_api(self) -> apigateway.RestApi:
        access_log = logs.LogGroup(
            self,
            "AccessLog",
            log_group_name=f"/aws/apigateway/{self.config.name}",
            retention=logs.RetentionDays.THREE_MONTHS,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        api = apigateway.RestApi(
            self,
            "Api",
            rest_api_name=self.config.name,
            description=f"Recommendations of {self.config.name}",
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            cloud_watch_role=True,
            cloud_watch_role_removal_policy=cdk.RemovalPolicy.RETAIN,
            deploy_options=apigateway.StageOptions(
                stage_name="v1",
                access_log_destination=apigateway.LogGroupLogDestination(access_log),
                access_log_format=apigateway.AccessLogFormat.custom(self.to_json_string(ACCESS_LOG)),
                logging_level=apigateway.MethodLoggingLevel.ERROR,
                metrics_enabled=True,
                tracing_enabled=True,
                throttling_rate_limit=self.config.api.throttle.rate,
                throttling_burst_limit=self.config.api.throttle.burst,
            ),
        )
        acknowledge(
            api,
            {
                "AwsSolutions-APIG2": "functions check their requests themselves and name the field that is wrong",
                "AwsSolutions-APIG3": "callers are the shop's own servers, known by key; a web ACL is the shop's choice",
                "AwsSolutions-APIG4": "methods ask for an API key or a signature; those of approvals for a random id that works "
                "once; the API's description is for everybody",
                "AwsSolutions-COG4": "callers are servers, not people: there is no user pool to ask",
                f"AwsSolutions-IAM4[Policy::{LOGS_POLICY}]": "the policy that API Gateway documents for writing its logs",
            },
        )
        acknowledge(
            api.deployment_stage,
            {"CKV_AWS_120": "an answer is a user's own and changes with each event: a cached one would be stale or another's"},
        )
        add_gateway_responses(api, self.config.api)
        return api

    def _function(self, folder: str) -> lambda_.IFunction:
        return lambda_.Function.from_function_attributes(
            self, folder, function_arn=names.function_arn(self.config, folder), same_environment=True
        )

    def _route(self, method: str, path: str, integration: apigateway.Integration) -> apigateway.Method:
        return self.api.root.resource_for_path(path).add_method(method, integration, **for_servers_only(self.config))

    def _approvals(self) -> None:
        """What an approval mail links to: a person in a browser has no API key; the link's random id is the secret."""
        approve = apigateway.LambdaIntegration(self._function("approve_versions"))
        resource = self.api.root.resource_for_path("approvals/{approval_id}")
        for method in ("GET", "POST"):
            acknowledge(
                resource.add_method(method, approve),
                {"CKV_AWS_59": "a person opens it from a mail; its id is 256 random bits, works once and expires"},
            )

    def _usage_plan(self) -> apigateway.ApiKey:
        """One key for the shop's servers. Its value is read with `aws apigateway get-api-key --include-value`."""
        plan = self.api.add_usage_plan(
            "Servers", name=f"{self.config.name}-servers", throttle=settings_of(self.config.api.throttle)
        )
        key = apigateway.ApiKey(self, "ServerKey", api_key_name=f"{self.config.name}-server")
        plan.add_api_key(key)
        plan.add_api_stage(stage=self.api.deployment_stage)
        return key

    def _browser_plan(self, for_servers: Sequence[apigateway.Method]) -> apigateway.ApiKey:
        """A key that may stand in a web page: it can post events and nothing else, all browsers together at a modest rate."""
        plan = self.api.add_usage_plan(
            "Browsers", name=f"{self.config.name}-browsers", throttle=settings_of(self.config.api.browser_throttle)
        )
        key = apigateway.ApiKey(self, "BrowserKey", api_key_name=f"{self.config.name}-browser")
        plan.add_api_key(key)
        none = apigateway.ThrottleSettings(rate_limit=0, burst_limit=0)
        plan.add_api_stage(
            api=self.api,
            stage=self.api.deployment_stage,
            throttle=[apigateway.ThrottlingPerMethod(method=method, throttle=none) for method in for_servers],
        )
        return key


def settings_of(throttle: Throttle) -> apigateway.ThrottleSettings:
    return apigateway.ThrottleSettings(rate_limit=throttle.rate, burst_limit=throttle.burst)
