"""What AWS refuses is refused when it is deployed or while it runs, in the words of AWS."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from localaws.environment import Environment, LocalAwsError
from tests.harness.waiting import eventually
from tests.localaws.apps import function, role, state_machine

Deploy = Callable[..., dict[str, str]]
CODE = "def handler(event, context):\n    return event\n"


def bucket(name: str) -> dict[str, Any]:
    return {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name}}


def with_variables(**variables: str) -> dict[str, Any]:
    return function("refused-function", CODE, Environment={"Variables": variables})


@pytest.mark.parametrize(
    ("resource", "words"),
    [
        (bucket("a" * 64), "InvalidBucketName: The specified bucket is not valid"),
        (bucket("Upper"), "InvalidBucketName"),
        (with_variables(AWS_REGION="x"), "contains reserved keys .* Reserved keys used in this request: AWS_REGION"),
        (with_variables(LAMBDA_TASK_ROOT="x", _HANDLER="y"), "Reserved keys used in this request: LAMBDA_TASK_ROOT, _HANDLER"),
        (with_variables(LONG="x" * 4100), "exceeded the 4KB limit"),
        (function("refused-function", CODE, Runtime="java21"), "The runtime java21 is not emulated: .* in Python or Node.js"),
        (
            function("refused-function", CODE, Layers=["arn:aws:lambda:us-east-1:017000801446:layer:Powertools:7"]),
            "The layer arn:aws:lambda:us-east-1:017000801446:layer:Powertools:7 is of another account",
        ),
    ],
)
def test_a_resource_that_aws_refuses_is_refused(deploy: Deploy, resource: dict[str, Any], words: str) -> None:
    with pytest.raises(Exception, match=words):
        deploy("refused", {"Role": role(), "Resource": resource})


def run(environment: Environment, deploy: Deploy, name: str, states: dict[str, Any], **more: Any) -> dict[str, Any]:
    """How an execution of a machine ends."""
    definition = {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states}
    machine = state_machine(name, definition, **more.pop("substitutions", {}))
    arn = deploy(name, {"Role": role(), "Machine": machine, **more}, {"Machine": {"Ref": "Machine"}})["Machine"]
    client = environment.client("stepfunctions")
    execution = client.start_execution(stateMachineArn=arn)["executionArn"]
    eventually(lambda: client.describe_execution(executionArn=execution)["status"] != "RUNNING")
    ended: dict[str, Any] = client.describe_execution(executionArn=execution)
    return ended


def test_an_expression_that_evaluates_to_nothing_fails(environment: Environment, deploy: Deploy) -> None:
    ended = run(environment, deploy, "undefined", {"Ask": {"Type": "Pass", "Output": "{% $states.input.missing %}", "End": True}})
    assert (ended["status"], ended["error"]) == ("FAILED", "States.QueryEvaluationError")
    assert "returned nothing (undefined)" in ended["cause"]


def test_a_failed_execution_prints_no_machine(environment: Environment, deploy: Deploy, localaws_log: Callable[[], str]) -> None:
    ended = run(environment, deploy, "unprinted", {"Ask": {"Type": "Fail", "Error": "Own", "Cause": "of-the-unprinted"}})
    assert ended["status"] == "FAILED"
    assert not [line for line in localaws_log().splitlines() if "of-the-unprinted" in line or "omputation ended" in line]


def test_null_is_a_value(environment: Environment, deploy: Deploy) -> None:
    ended = run(environment, deploy, "null", {"Ask": {"Type": "Pass", "Output": {"a": "{% null %}"}, "End": True}})
    assert (ended["status"], json.loads(ended["output"])) == ("SUCCEEDED", {"a": None})


def test_more_than_256_kib_of_state_fail(environment: Environment, deploy: Deploy) -> None:
    large = {"Type": "Pass", "Output": "{% $pad('', 300000, '0123456789') %}", "End": True}
    ended = run(environment, deploy, "large", {"Grow": large})
    assert (ended["status"], ended["error"]) == ("FAILED", "States.DataLimitExceeded")


def api(*more: str) -> dict[str, Any]:
    """A REST API whose method answers with a constant; each of `more` is another path of it, without a new deployment."""
    mock = {
        "Type": "MOCK",
        "RequestTemplates": {"application/json": '{"statusCode": 200}'},
        "IntegrationResponses": [{"StatusCode": "200"}],
    }

    def method(resource: Any) -> dict[str, Any]:
        of = {"RestApiId": {"Ref": "Api"}, "ResourceId": resource, "HttpMethod": "GET", "Integration": mock}
        return {"Type": "AWS::ApiGateway::Method", "Properties": {**of, "MethodResponses": [{"StatusCode": "200"}]}}

    root = {"Fn::GetAtt": ["Api", "RootResourceId"]}
    paths = {
        path: {
            "Type": "AWS::ApiGateway::Resource",
            "Properties": {"RestApiId": {"Ref": "Api"}, "ParentId": root, "PathPart": path},
        }
        for path in more
    }
    return {
        "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "snapshot"}},
        "Method": method(root),
        "Deployment": {"Type": "AWS::ApiGateway::Deployment", "Properties": {"RestApiId": {"Ref": "Api"}}, "DependsOn": "Method"},
        "Stage": {
            "Type": "AWS::ApiGateway::Stage",
            "Properties": {"RestApiId": {"Ref": "Api"}, "StageName": "v1", "DeploymentId": {"Ref": "Deployment"}},
        },
        **paths,
        **{f"{path}Method": method({"Ref": path}) for path in more},
    }


def test_a_stage_serves_what_was_deployed_and_not_what_there_is(environment: Environment, deploy: Deploy) -> None:
    deploy("snapshot", api("late"))  # nothing says that the deployment comes after this path's method
    url = environment.apis["snapshot"]
    assert urllib.request.urlopen(url).status == 200
    deploy("snapshot", api("late", "later"))
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{url}/later")


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        ({"StatusCode": "201"}, "Invalid Response status code specified"),
        (
            {"StatusCode": "200", "ResponseParameters": {"method.response.header.X-Own": "'a'"}},
            r"errors : \[Invalid mapping expression parameter specified: method.response.header.X-Own\]",
        ),
    ],
)
def test_a_response_has_to_be_declared_with_its_headers(deploy: Deploy, response: dict[str, Any], reason: str) -> None:
    made = api()
    made["Api"]["Properties"]["Name"] = "undeclared"
    made["Method"]["Properties"]["Integration"]["IntegrationResponses"] = [response]
    with pytest.raises(LocalAwsError, match=reason):
        deploy("undeclared", made)


def test_the_health_check_s_paths_are_taken_as_api_gateway_takes_them(environment: Environment, deploy: Deploy) -> None:
    """They are kept from APIs with a domain of their own only. docs: apigateway/latest/developerguide/api-gateway-known-issues.html"""
    made = api("ping")
    made["Api"]["Properties"]["Name"] = "pinged"
    made["Deployment"]["DependsOn"] = ["Method", "pingMethod"]
    deploy("pinged", made)
    assert urllib.request.urlopen(f"{environment.apis['pinged']}/ping").status == 200


def test_kinesis_wants_its_own_content_type(environment: Environment, deploy: Deploy) -> None:
    """docs: apigateway/latest/developerguide/integrating-api-with-aws-services-kinesis.html"""

    def resources(parameters: dict[str, str]) -> dict[str, Any]:
        put = '{"StreamName": "typed", "Data": "YQ==", "PartitionKey": "k"}'
        integration = {
            "Type": "AWS",
            "IntegrationHttpMethod": "POST",
            "Uri": "arn:aws:apigateway:us-east-1:kinesis:action/PutRecord",
            "Credentials": {"Fn::GetAtt": ["Role", "Arn"]},
            "RequestTemplates": {"application/json": put},
            "RequestParameters": parameters,
            "IntegrationResponses": [{"StatusCode": "202"}, {"StatusCode": "502", "SelectionPattern": "4\\d\\d"}],
        }
        made = api()
        made["Api"]["Properties"]["Name"] = "typed"
        responses = [{"StatusCode": "202"}, {"StatusCode": "502"}]
        made["Method"]["Properties"] |= {"HttpMethod": "POST", "Integration": integration, "MethodResponses": responses}
        stream = {"Type": "AWS::Kinesis::Stream", "Properties": {"Name": "typed", "ShardCount": 1}}
        return {"Role": role(), "Stream": stream, **made}

    deploy("typed", resources({}))
    post = urllib.request.Request(environment.apis["typed"], b"{}", {"Content-Type": "application/json"}, method="POST")
    with pytest.raises(urllib.error.HTTPError, match="502"):
        urllib.request.urlopen(post)
    environment.client("cloudformation").delete_stack(StackName="typed")
    deploy("typed", resources({"integration.request.header.Content-Type": "'application/x-amz-json-1.1'"}))
    post = urllib.request.Request(environment.apis["typed"], b"{}", {"Content-Type": "application/json"}, method="POST")
    assert urllib.request.urlopen(post).status == 202


def test_ssm_refuses_a_value_that_its_tier_does_not_hold(environment: Environment) -> None:
    ssm = environment.client("ssm")

    def put(length: int, **more: str) -> dict[str, Any]:
        return dict(ssm.put_parameter(Name="/strict/value", Value="x" * length, Type="String", Overwrite=True, **more))

    assert put(4096)["Tier"] == "Standard"
    with pytest.raises(
        ssm.exceptions.ClientError, match=r"Standard tier parameters support a maximum .* of 4096 characters"
    ) as met:
        put(4097)
    assert met.value.response["Error"]["Code"] == "ValidationException"
    assert put(4097, Tier="Intelligent-Tiering")["Tier"] == "Advanced"
    assert put(8192, Tier="Advanced")["Tier"] == "Advanced"
    with pytest.raises(ssm.exceptions.ClientError, match=r"\(ValidationException\).* 8192 characters"):
        put(8193, Tier="Intelligent-Tiering")
    with pytest.raises(ssm.exceptions.ClientError, match=r"You can't downgrade a parameter"):
        put(1, Tier="Standard")
    assert len(ssm.get_parameter(Name="/strict/value")["Parameter"]["Value"]) == 8192
