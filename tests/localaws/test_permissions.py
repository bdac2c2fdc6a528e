"""What a role is not allowed is refused while it runs, in the words of the service."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from localaws.environment import Environment, launch
from tests.harness.waiting import eventually
from tests.localaws.apps import function, lambda_uri, permission, role, state_machine, write_app

ACCOUNT, REGION = "123456789012", "us-east-1"
Deploy = Callable[..., dict[str, str]]
NOTHING = {"Effect": "Deny", "Action": "none:Such", "Resource": "*"}


@pytest.fixture(scope="module")
def session(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """Clients that sign as a role which may only read objects below `open/` of a bucket, list those, and read one table."""
    bucket = "arn:aws:s3:::guarded-bucket"
    statements = [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"{bucket}/open/*"},
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": bucket, "Condition": {"StringLike": {"s3:prefix": "open/*"}}},
        {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/guarded"},
        {"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"{bucket}/*"},
    ]
    key = {"AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}]}
    key |= {"KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}], "BillingMode": "PAY_PER_REQUEST"}  # type: ignore[dict-item]
    denied = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"{bucket}/locked/*"}
    insecure = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": f"{bucket}/*"}
    insecure["Condition"] = {"Bool": {"aws:SecureTransport": "false"}}  # type: ignore[assignment]
    resources = {
        "Role": role(*statements),
        "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "guarded-bucket"}},
        "Policy": {
            "Type": "AWS::S3::BucketPolicy",
            "Properties": {"Bucket": {"Ref": "Bucket"}, "PolicyDocument": {"Statement": [denied, insecure]}},
        },
        "Table": {"Type": "AWS::DynamoDB::Table", "Properties": {"TableName": "guarded", **key}},
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "guarded"}},
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "guarded"}},
    }
    outputs = {"Role": {"Fn::GetAtt": ["Role", "Arn"]}}
    app = tmp_path_factory.mktemp("guarded")
    environment.deploy(write_app(app, {"name": "guarded", "resources": resources, "outputs": outputs}))
    environment.client("s3").put_object(Bucket="guarded-bucket", Key="open/a", Body=b"a")
    arn = environment.outputs("guarded")["Role"]
    found = environment.client("sts").assume_role(RoleArn=arn, RoleSessionName="tester")["Credentials"]
    own = boto3.Session(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"], REGION)
    return lambda service: own.client(service, endpoint_url=environment.aws_endpoint)


REFUSED: list[tuple[str, str, dict[str, Any], str, int, str]] = [
    ("dynamodb", "put_item", {"TableName": "guarded", "Item": {"pk": {"S": "a"}}}, "AccessDeniedException", 400, "dynamodb:PutItem"),
    ("s3", "get_object", {"Bucket": "guarded-bucket", "Key": "shut/a"}, "AccessDenied", 403, "s3:GetObject"),
    ("s3", "get_object", {"Bucket": "guarded-bucket", "Key": "open/missing"}, "AccessDenied", 403, "s3:ListBucket"),
    ("s3", "list_objects_v2", {"Bucket": "guarded-bucket"}, "AccessDenied", 403, "s3:ListBucket"),
    ("s3", "delete_objects", {"Bucket": "guarded-bucket", "Delete": {"Objects": [{"Key": "a"}]}}, "AccessDenied", 403, "s3:DeleteObject"),
    ("s3", "put_object", {"Bucket": "guarded-bucket", "Key": "locked/a", "Body": b""}, "AccessDenied", 403, "s3:PutObject"),
    ("sns", "publish", {"TopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:guarded", "Message": "m"}, "AuthorizationError", 403, "sns:Publish"),
    ("sqs", "send_message", {"QueueUrl": f"http://queue/{ACCOUNT}/guarded", "MessageBody": "m"}, "AccessDenied", 403, "sqs:SendMessage"),
    ("lambda", "invoke", {"FunctionName": "any"}, "AccessDeniedException", 403, "lambda:InvokeFunction"),
    ("ssm", "get_parameter", {"Name": "/a"}, "AccessDeniedException", 400, "ssm:GetParameter"),
    ("sts", "assume_role", {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/none", "RoleSessionName": "other"}, "AccessDenied", 403, "sts:AssumeRole"),
    ("secretsmanager", "get_secret_value", {"SecretId": "a"}, "AccessDeniedException", 400, "secretsmanager:GetSecretValue"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("service", "call", "parameters", "code", "status", "action"), REFUSED, ids=lambda value: str(value)[:30]
)
def test_what_a_role_is_not_allowed_is_refused(
    session: Callable[[str], Any], service: str, call: str, parameters: dict[str, Any], code: str, status: int, action: str
) -> None:
    with pytest.raises(ClientError) as refused:
        getattr(session(service), call)(**parameters)
    error = refused.value.response["Error"]
    assert (error["Code"], refused.value.response["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)
    assert ":assumed-role/" in error["Message"]
    assert f"/tester is not authorized to perform: {action} on resource: ".lower() in error["Message"].lower()


def test_what_it_is_allowed_passes(session: Callable[[str], Any]) -> None:
    assert session("s3").get_object(Bucket="guarded-bucket", Key="open/a")["Body"].read() == b"a"
    assert session("s3").list_objects_v2(Bucket="guarded-bucket", Prefix="open/")["KeyCount"] == 1
    assert "Item" not in session("dynamodb").get_item(TableName="guarded", Key={"pk": {"S": "a"}})
    assert session("sts").get_caller_identity()["Arn"].endswith("/tester")


def test_a_head_is_refused_without_a_body(session: Callable[[str], Any]) -> None:
    with pytest.raises(ClientError, match="403"):
        session("s3").head_object(Bucket="guarded-bucket", Key="shut/a")


def test_a_changed_policy_holds_at_once(environment: Environment, session: Callable[[str], Any]) -> None:
    name = session("sts").get_caller_identity()["Arn"].split("/")[1]
    statement = {"Effect": "Allow", "Action": "ssm:GetParameter", "Resource": "*"}
    iam = environment.client("iam")
    iam.put_role_policy(
        RoleName=name, PolicyName="more", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    with pytest.raises(ClientError, match="ParameterNotFound"):
        session("ssm").get_parameter(Name="/a")
    iam.delete_role_policy(RoleName=name, PolicyName="more")
    with pytest.raises(ClientError, match="AccessDenied"):
        session("ssm").get_parameter(Name="/a")


READING = """import boto3
def handler(event, context):
    return boto3.client("ssm").get_parameter(Name="/a")
"""


def test_a_function_acts_with_its_own_role(environment: Environment, deploy: Deploy) -> None:
    deploy("acting", {"Role": role(NOTHING), "Reader": function("acting-reader", READING)})
    answer = environment.client("lambda").invoke(FunctionName="acting-reader")
    error = json.loads(answer["Payload"].read())
    assert error["errorType"] == "AccessDeniedException"
    assert "AccessDeniedException" in error["errorMessage"]
    assert "/acting-reader is not authorized to perform: ssm:GetParameter" in error["errorMessage"]


def test_a_role_that_lambda_may_not_assume_is_refused_when_the_function_is_made(deploy: Deploy) -> None:
    untrusted = role()
    untrusted["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] = {"Service": "glue.amazonaws.com"}
    with pytest.raises(Exception, match="The role defined for the function cannot be assumed by Lambda"):
        deploy("untrusted", {"Role": untrusted, "Reader": function("untrusted-reader", READING)})


def test_a_state_machine_acts_with_its_role(environment: Environment, deploy: Deploy) -> None:
    definition = {"StartAt": "Ask", "States": {"Ask": {"Type": "Task", "Resource": "${Reader}", "End": True}}}
    resources = {"Role": role(NOTHING), "Reader": function("machine-reader", READING)}
    machine = state_machine("denied-machine", definition, Reader={"Fn::GetAtt": ["Reader", "Arn"]})
    arn = deploy("machines", {**resources, "Machine": machine}, {"Machine": {"Ref": "Machine"}})["Machine"]
    states = environment.client("stepfunctions")
    execution = states.start_execution(stateMachineArn=arn)["executionArn"]
    eventually(lambda: states.describe_execution(executionArn=execution)["status"] != "RUNNING")
    ended = states.describe_execution(executionArn=execution)
    assert ended["status"] == "FAILED"
    assert "is not authorized to perform: lambda:InvokeFunction" in ended["cause"]


def test_api_gateway_invokes_what_a_functions_policy_lets_it(environment: Environment, deploy: Deploy) -> None:
    """Without a permission the caller gets a 500, as in AWS."""
    code = "def handler(event, context):\n    return {'statusCode': 200, 'body': '{}'}\n"
    api = {
        "Role": role(),
        "Reader": function("gateway-reader", code),
        "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "guarded-api"}},
        "Method": {
            "Type": "AWS::ApiGateway::Method",
            "Properties": {
                "RestApiId": {"Ref": "Api"},
                "ResourceId": {"Fn::GetAtt": ["Api", "RootResourceId"]},
                "HttpMethod": "GET",
                "Integration": {"Type": "AWS_PROXY", "IntegrationHttpMethod": "POST", "Uri": lambda_uri("Reader")},
            },
        },
        "Deployment": {"Type": "AWS::ApiGateway::Deployment", "Properties": {"RestApiId": {"Ref": "Api"}}, "DependsOn": "Method"},
        "Stage": {
            "Type": "AWS::ApiGateway::Stage",
            "Properties": {"RestApiId": {"Ref": "Api"}, "StageName": "v1", "DeploymentId": {"Ref": "Deployment"}},
        },
        "Permission": permission("Reader", "apigateway", SourceArn=f"arn:aws:execute-api:{REGION}:{ACCOUNT}:other/*"),
    }
    deploy("guarded-api", api)
    url = environment.apis["guarded-api"]
    with pytest.raises(urllib.error.HTTPError, match="500"):
        urllib.request.urlopen(url)
    api["Permission"] = permission("Reader", "apigateway", SourceArn=f"arn:aws:execute-api:{REGION}:{ACCOUNT}:*/v1/GET/")
    deploy("guarded-api", api)
    assert urllib.request.urlopen(url).status == 200


def test_off_lets_everything_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALAWS_IAM", "off")
    with launch(None, tmp_path / "data", port=0, api_port=0, personalize=False) as environment:
        environment.deploy(
            write_app(
                tmp_path / "app", {"name": "off", "resources": {"Role": role(NOTHING), "Reader": function("off-reader", READING)}}
            )
        )
        error = json.loads(environment.client("lambda").invoke(FunctionName="off-reader")["Payload"].read())
        assert error["errorType"] == "ParameterNotFound"
