"""The HTTP APIs, of servers and of browsers: routes, keys, usage plans. They call other capabilities' functions by name."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from lambdas.config import Config
from lambdas.config.names import own_name
from stacks import names
from stacks.acknowledged import acknowledge
from stacks.api_docs import add_docs
from stacks.browser_api import BrowserApi
from stacks.ingestion_api import IngestionRoutes, ingestion_role
from stacks.rest_api import rest_api, settings_of
from stacks.storefront import FIRST, Storefront


class ApiStack(cdk.Stack):
    """Outputs: ApiUrl, ApiAuth, ApiKeyId, BrowserApiUrl, BrowserKeyId, and StorefrontUrl where there is one."""

    def __init__(self, scope: Construct, id_: str, config: Config, **kwargs: Any) -> None:
        super().__init__(scope, id_, **kwargs)
        self.config = config
        self.signed = config.api.auth == "iam"
        self.api = rest_api(
            self,
            "Api",
            config.name,
            description=f"Recommendations of {config.name}",
            throttle=config.api.throttle,
            signed=self.signed,
            browsers_may=config.api.browsers_may,
            logs_of_account=True,
        )
        recommend = apigateway.LambdaIntegration(self._function("recommend", names.recommend_arn(config)))
        role = ingestion_role(self, config)
        ingestion = IngestionRoutes(self, config, self.api, role)
        ingestion.add_events(self._callers())
        ingestion.add_records(self._callers())
        self._route("GET", "recommendations/{placement}", recommend)
        self._route("POST", "rankings/{placement}", recommend)
        self._route("GET", "batch/{name}/users/{user_id}", recommend)
        self._route("DELETE", "users/{user_id}", apigateway.LambdaIntegration(self._function("erase_user")))
        self._approvals()
        if config.api.docs:
            add_docs(self.api)
        key = self._usage_plan()
        browsers = BrowserApi(self, config, role, recommend)
        if config.storefront is not None:
            Storefront(self, config, browsers.api, browsers.key)
            cdk.CfnOutput(self, "StorefrontUrl", value=browsers.api.url_for_path(f"/{FIRST}"))
        ssm.StringParameter(self, "ApiUrlParameter", parameter_name=names.api_url_parameter(config), string_value=self.api.url)
        cdk.CfnOutput(self, "ApiUrl", value=self.api.url)
        cdk.CfnOutput(self, "ApiAuth", value=config.api.auth)
        cdk.CfnOutput(self, "ApiKeyId", value=key.key_id)
        cdk.CfnOutput(self, "BrowserApiUrl", value=browsers.api.url)
        cdk.CfnOutput(self, "BrowserKeyId", value=browsers.key.key_id)

    def _function(self, folder: str, arn: str | None = None) -> lambda_.IFunction:
        arn = arn or names.function_arn(self.config, folder)
        return lambda_.Function.from_function_attributes(self, folder, function_arn=arn, same_environment=True)

    def _route(self, method: str, path: str, integration: apigateway.Integration) -> apigateway.Method:
        return self.api.root.resource_for_path(path).add_method(method, integration, **self._callers())

    def _callers(self) -> dict[str, Any]:
        """How a method asks who calls: for a signature, or for the key."""
        return {"authorization_type": apigateway.AuthorizationType.IAM} if self.signed else {"api_key_required": True}

    def _approvals(self) -> None:
        """What an approval mail links to: a person in a browser has no API key; the link's random id is the secret."""
        approve = apigateway.LambdaIntegration(self._function("approval_page"))
        resource = self.api.root.resource_for_path("approvals/{approval_id}")
        for method in ("GET", "POST"):
            acknowledge(
                resource.add_method(method, approve),
                {"CKV_AWS_59": "a person opens it from a mail; its id is 256 random bits, works once and expires"},
            )

    def _usage_plan(self) -> apigateway.ApiKey:
        """One key for the shop's servers. Its value is read with `aws apigateway get-api-key --include-value`."""
        plan = self.api.add_usage_plan(
            "Servers", name=own_name(self.config, "servers"), throttle=settings_of(self.config.api.throttle)
        )
        key = apigateway.ApiKey(self, "ServerKey", api_key_name=own_name(self.config, "servers"))
        plan.add_api_key(key)
        plan.add_api_stage(stage=self.api.deployment_stage)
        return key
