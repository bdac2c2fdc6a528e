"""A REST API as both of a deployment's are: throttled, traced, logged without what would tell who a user is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import aws_cdk as cdk
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_logs as logs
from constructs import Construct

from lambdas.config.api import Throttle
from stacks.acknowledged import acknowledge
from stacks.gateway_responses import add_gateway_responses

_STAGE = "v1"
#: Access log fields; none tells who the shop's user is (no path with ids, no query string, no address).
_ACCESS_LOG = {
    "requestId": "$context.requestId",
    "extendedRequestId": "$context.extendedRequestId",
    "time": "$context.requestTimeEpoch",
    "method": "$context.httpMethod",
    "route": "$context.resourcePath",
    "status": "$context.status",
    "latency_ms": "$context.responseLatency",
    "bytes": "$context.responseLength",
    "key": "$context.identity.apiKeyId",
}

_LOGS_POLICY = "arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"


def rest_api(
    scope: Construct,
    id_: str,
    name: str,
    *,
    description: str,
    throttle: Throttle,
    origins: Sequence[str] = (),
    signed: bool = False,
    browsers_may: str,
    browsers: bool = False,
    logs_of_account: bool = False,
    variables: Mapping[str, str] | None = None,
) -> apigateway.RestApi:
    """The API of that name and its stage.

    `throttle` is of each method. `origins` are those of pages that may call. `signed`: callers sign, instead of bringing a key.
    `browsers_may`: what the browsers' key opens, `Api.browsers_may`. `browsers`: this is their API.
    `logs_of_account`: with the account's setting that lets API Gateway write logs, which one API of a stack brings.
    `variables` are the stage's: functions see them, callers can't set them.
    """
    access_log = logs.LogGroup(
        scope,
        f"{id_.removesuffix('Api')}AccessLog",
        log_group_name=f"/aws/apigateway/{name}",
        retention=logs.RetentionDays.THREE_MONTHS,
        removal_policy=cdk.RemovalPolicy.DESTROY,
    )
    api = apigateway.RestApi(
        scope,
        id_,
        rest_api_name=name,
        description=description,
        endpoint_types=[apigateway.EndpointType.REGIONAL],
        cloud_watch_role=logs_of_account,
        # Other APIs of the account may have come to use the setting. The role has a name of its own: nothing can collide with it.
        cloud_watch_role_removal_policy=cdk.RemovalPolicy.RETAIN if logs_of_account else None,
        deploy_options=apigateway.StageOptions(
            stage_name=_STAGE,
            access_log_destination=apigateway.LogGroupLogDestination(access_log),
            access_log_format=apigateway.AccessLogFormat.custom(cdk.Stack.of(scope).to_json_string(_ACCESS_LOG)),
            logging_level=apigateway.MethodLoggingLevel.ERROR,
            metrics_enabled=True,
            tracing_enabled=True,
            throttling_rate_limit=throttle.rate,
            throttling_burst_limit=throttle.burst,
            variables=dict(variables) if variables else None,
        ),
    )
    acknowledge(
        api,
        {
            "AwsSolutions-APIG2": "functions check their requests themselves and name the field that is wrong",
            "AwsSolutions-APIG3": "callers are known by key, and each key has a throttle; a web ACL is the shop's choice",
            "AwsSolutions-APIG4": "methods ask for an API key or a signature; those of approvals for a random id that works "
            "once; the API's description is for everybody",
            "AwsSolutions-COG4": "callers are servers, or browsers with a public key: there is no user pool to ask",
            f"AwsSolutions-IAM4[Policy::{_LOGS_POLICY}]": "the policy that API Gateway documents for writing its logs",
        },
    )
    acknowledge(
        api.deployment_stage,
        {"CKV_AWS_120": "an answer is a user's own and changes with each event: a cached one would be stale or another's"},
    )
    add_gateway_responses(api, origins, signed=signed, browsers=browsers, browsers_may=browsers_may)
    return api


def settings_of(throttle: Throttle) -> apigateway.ThrottleSettings:
    return apigateway.ThrottleSettings(rate_limit=throttle.rate, burst_limit=throttle.burst)
