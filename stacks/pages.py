"""Static pages of an API: API Gateway serves them from S3, where `cdk deploy` puts each file under the hash of its content.

So pages and the methods that serve them change in one deployment. Text only: an API without binary media types takes what
S3 gives for UTF-8. What a page may load stands in the page itself (a meta element), since a header's value is written between
quotes and can't hold those that the policy needs.
docs: apigateway/latest/developerguide/integrating-api-with-aws-services-s3.html
"""

from __future__ import annotations

import json
from pathlib import Path

from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from stacks.acknowledged import acknowledge
from stacks.gateway_responses import error
from stacks.grants import Grant
from stacks.layer import ROOT

#: Files that the pages of several APIs have in common.
THEME, VENDOR = ROOT / "storefront" / "theme.css", ROOT / "storefront" / "vendor" / "preact-htm.js"
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".json": "application/json"}
#: Beside the policy of the page: no other site may frame it, and browsers take it for what it says it is.
_HEADERS = {
    "Cache-Control": "'no-cache'",
    "X-Content-Type-Options": "'nosniff'",
    "X-Frame-Options": "'DENY'",
    "Referrer-Policy": "'no-referrer'",
}
_AWAY = error("unavailable", "the page is not available right now")
_FOR_EVERYBODY = "a page is for everybody, and there is nothing behind it to reach"


class Pages(Construct):
    """Serves files at paths of an API, without a key."""

    def __init__(self, scope: Construct, id_: str, api: apigateway.RestApi) -> None:
        super().__init__(scope, id_)
        self.api = api
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("apigateway.amazonaws.com"),
            description="Lets API Gateway read the pages that it serves",
        )

    def add(self, path: str, file: Path) -> None:
        """Serve `file` at `path`."""
        asset = assets.Asset(self, path.replace("/", "-"), path=str(file))
        Grant(["s3:GetObject"], [f"{asset.bucket.bucket_arn}/{asset.s3_object_key}"]).give(self.role)
        headers = _HEADERS | {"Content-Type": f"'{_TYPES[file.suffix]}; charset=utf-8'"}
        integration = apigateway.AwsIntegration(
            service="s3",
            path=f"{asset.s3_bucket_name}/{asset.s3_object_key}",
            integration_http_method="GET",
            options=apigateway.IntegrationOptions(
                credentials_role=self.role,
                passthrough_behavior=apigateway.PassthroughBehavior.WHEN_NO_MATCH,
                integration_responses=[
                    apigateway.IntegrationResponse(
                        status_code="200",
                        selection_pattern="200",
                        response_parameters={f"method.response.header.{name}": value for name, value in headers.items()},
                    ),
                    apigateway.IntegrationResponse(
                        status_code="503",
                        response_templates={"application/json": json.dumps({"error": _AWAY})},
                    ),
                ],
            ),
        )
        method = self.api.root.resource_for_path(path).add_method(
            "GET",
            integration,
            api_key_required=False,
            authorization_type=apigateway.AuthorizationType.NONE,
            method_responses=[
                apigateway.MethodResponse(
                    status_code="200", response_parameters={f"method.response.header.{name}": True for name in headers}
                ),
                apigateway.MethodResponse(status_code="503"),
            ],
        )
        acknowledge(method, {"CKV_AWS_59": _FOR_EVERYBODY})
