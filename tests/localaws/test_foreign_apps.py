"""Apps that are not ours, as the CDK synthesizes them, in a run of the local AWS environment."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_notifications as notifications
from aws_cdk import aws_stepfunctions as states
from aws_cdk import aws_stepfunctions_tasks as tasks

from localaws.environment import Environment
from tests.harness.waiting import eventually
from tests.localaws.apps import synthesized
from tests.localaws.test_environment import start

HELPED = """
from crhelper import CfnResource
helper = CfnResource(json_logging=False)

@helper.create
@helper.update
def made(event, context):
    helper.Data["Greeting"] = "hello " + event["ResourceProperties"]["Name"]
    return "greeting"

@helper.delete
def gone(event, context):
    pass

def handler(event, context):
    helper(event, context)
"""
HEARD = """
import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.shared.version import VERSION
from aws_lambda_powertools.utilities.data_classes import S3Event

logger = Logger(service="heard")

@logger.inject_lambda_context
def handler(event, context):
    if "Records" not in event:
        return {"powertools": VERSION}
    heard = S3Event(event)
    bucket, key = heard.bucket_name, heard.object_key
    logger.info({"heard": key})
    body = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    named = {"Key": "heard/" + key.split("/")[-1], "Metadata": {"told": event["Records"][0]["s3"]["object"]["key"]}}
    boto3.client("s3").put_object(Bucket=bucket, Body=body.upper(), **named)
"""
ANSWERED = """
exports.handler = async (event) => ({ PhysicalResourceId: "answered", Data: { Greeting: "hello " + event.ResourceProperties.Name } });
"""
NODE = "exports.handler = async (event) => ({ node: process.version, given: event });"
POWERTOOLS_HASH = "48116250c1771c7b8d4977ad2d475271074d86964107ccfd3fc6775e51984d88"
FORGETFUL = """
import boto3
def handler(event, context):
    boto3.client("s3").put_object(Bucket=event["bucket"], Key="a", Body=b"a")
"""


def older_powertools() -> Path:
    """The wheel, from PyPI once: two releases of a package can't be installed side by side."""
    wheel = Path(".cache") / "aws_lambda_powertools-2.43.1-py3-none-any.whl"
    if not wheel.exists():
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        done = subprocess.run(
            [*command, "--dest", ".cache", "aws-lambda-powertools==2.43.1"], capture_output=True, text=True, check=False
        )
        assert not done.returncode, f"The test needs PyPI once: {done.stderr}"
    assert hashlib.sha256(wheel.read_bytes()).hexdigest() == POWERTOOLS_HASH
    return wheel


def whole(stack: cdk.Stack, folder: Path) -> None:
    """Custom resources of crhelper and of the CDK's helper in Node.js, a function behind S3 with an older Powertools in a layer, one in Node.js, a machine over both."""
    python = lambda_.Runtime.PYTHON_3_13
    helper = importlib.util.find_spec("crhelper")
    assert helper is not None
    assert helper.submodule_search_locations
    (folder / "helped").mkdir(parents=True)
    shutil.copytree(helper.submodule_search_locations[0], folder / "helped" / "crhelper")
    (folder / "helped" / "index.py").write_text(HELPED)
    with zipfile.ZipFile(older_powertools()) as wheel:
        wheel.extractall(folder / "layer" / "python")
    helped = lambda_.Function(
        stack, "Helped", runtime=python, handler="index.handler", code=lambda_.Code.from_asset(str(folder / "helped"))
    )
    greeting = cdk.CustomResource(stack, "Greeting", service_token=helped.function_arn, properties={"Name": "world"})
    (folder / "answered").mkdir()
    (folder / "answered" / "index.js").write_text(ANSWERED)
    answered = cdk.CustomResourceProvider.get_or_create(
        stack, "Custom::Answered", code_directory=str(folder / "answered"),
        runtime=cdk.CustomResourceProviderRuntime.NODEJS_22_X,
    )  # fmt: skip
    by_node = cdk.CustomResource(
        stack, "GreetingOfNode", service_token=answered, resource_type="Custom::Answered", properties={"Name": "Node.js"}
    )
    layer = lambda_.LayerVersion(stack, "Layer", code=lambda_.Code.from_asset(str(folder / "layer")))
    bucket = s3.Bucket(stack, "Bucket")
    heard = lambda_.Function(
        stack, "Heard", runtime=python, handler="index.handler", code=lambda_.Code.from_inline(HEARD), layers=[layer]
    )
    bucket.grant_read_write(heard)
    bucket.add_event_notification(
        s3.EventType.OBJECT_CREATED, notifications.LambdaDestination(heard), s3.NotificationKeyFilter(prefix="in/")
    )
    node = lambda_.Function(
        stack, "Node", runtime=lambda_.Runtime.NODEJS_22_X, handler="index.handler", code=lambda_.Code.from_inline(NODE)
    )
    first = tasks.LambdaInvoke(stack, "Ask Python", lambda_function=heard, output_path="$.Payload")
    second = tasks.LambdaInvoke(stack, "Ask Node.js", lambda_function=node, output_path="$.Payload")
    chain = states.DefinitionBody.from_chainable(first.next(second))
    machine = states.StateMachine(stack, "Machine", definition_body=chain)
    for name, value in {
        "SaidByNode": by_node.get_att_string("Greeting"),
        "Said": greeting.get_att_string("Greeting"), "BucketName": bucket.bucket_name, "MachineArn": machine.state_machine_arn,
    }.items():  # fmt: skip
        cdk.CfnOutput(stack, f"{name}Output", value=value).override_logical_id(name)


def forgetful(stack: cdk.Stack) -> None:
    """Nobody granted the function the bucket."""
    bucket = s3.Bucket(stack, "Bucket")
    code = lambda_.Code.from_inline(FORGETFUL)
    function = lambda_.Function(stack, "Forgetful", runtime=lambda_.Runtime.PYTHON_3_13, handler="index.handler", code=code)
    cdk.CfnOutput(stack, "BucketOutput", value=bucket.bucket_name).override_logical_id("BucketName")
    cdk.CfnOutput(stack, "FunctionOutput", value=function.function_name).override_logical_id("FunctionName")


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    folder = tmp_path_factory.mktemp("foreign")
    app = synthesized(folder / "app", "whole", lambda stack: whole(stack, folder))
    started = start(folder / "data", "--app", str(app))
    eventually(lambda: started.poll() is not None or Environment.attach(folder / "data"))
    environment = Environment.attach(folder / "data")
    assert environment, started.communicate()
    with environment:
        environment.deploy(synthesized(folder / "forgetful", "forgetful", forgetful))
        yield environment


def test_a_custom_resource_of_crhelper_is_made(foreign: Environment) -> None:
    assert foreign.outputs("whole")["Said"] == "hello world"


def test_a_custom_resource_of_the_cdk_s_node_helper_is_made(foreign: Environment) -> None:
    """The helper drops the port of the response URL."""
    assert foreign.outputs("whole")["SaidByNode"] == "hello Node.js"


def test_a_function_hears_of_objects_under_their_names(foreign: Environment) -> None:
    s3_client, bucket = foreign.client("s3"), foreign.outputs("whole")["BucketName"]
    s3_client.put_object(Bucket=bucket, Key="in/a b+é.txt", Body=b"text")

    def heard() -> bool:
        return bool(s3_client.list_objects_v2(Bucket=bucket, Prefix="heard/a b+é.txt")["KeyCount"])

    eventually(heard)
    found = s3_client.get_object(Bucket=bucket, Key="heard/a b+é.txt")
    assert found["Body"].read() == b"TEXT"
    assert found["Metadata"]["told"] == "in/a+b%2B%C3%A9.txt", "encoded, but for the slash"


def test_a_machine_asks_python_with_its_layer_and_node(foreign: Environment) -> None:
    machines, arn = foreign.client("stepfunctions"), foreign.outputs("whole")["MachineArn"]
    run = machines.start_execution(stateMachineArn=arn, input="{}")["executionArn"]
    eventually(lambda: machines.describe_execution(executionArn=run)["status"] != "RUNNING")
    ended = machines.describe_execution(executionArn=run)
    assert ended["status"] == "SUCCEEDED", ended
    output = json.loads(ended["output"])
    assert output["given"] == {"powertools": "2.43.1"}
    assert output["node"].startswith("v")


def test_a_forgotten_permission_is_refused_in_the_words_of_aws(foreign: Environment) -> None:
    names = foreign.outputs("forgetful")
    answer: Any = foreign.client("lambda").invoke(
        FunctionName=names["FunctionName"], Payload=json.dumps({"bucket": names["BucketName"]})
    )
    said = json.loads(answer["Payload"].read())
    assert answer["FunctionError"] == "Unhandled"
    assert said["errorMessage"].startswith(
        "An error occurred (AccessDenied) when calling the PutObject operation: User: arn:aws:sts::"
    )
    assert "is not authorized to perform: s3:PutObject on resource" in said["errorMessage"]
    assert "because no identity-based policy allows the s3:PutObject action" in said["errorMessage"]
