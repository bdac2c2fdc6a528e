"""Published versions and their aliases, and what a version with SnapStart finds: apps of the CDK, deployed and called."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import aws_cdk as cdk
import pytest
import urllib3
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as lambda_
from botocore.exceptions import ClientError

from localaws.environment import Environment
from tests.localaws.apps import function, role, synthesized, write_app

HTTP = urllib3.PoolManager()
CODE = """
import json, os
import boto3
HELD, HOOKS = [], []
try:
    from snapshot_restore_py import register_after_restore, register_before_snapshot
    register_before_snapshot(lambda: HOOKS.append("before"))
    register_after_restore(lambda: HOOKS.append("after"))
except ImportError:
    pass
def handler(event, context):
    found = {name: os.environ.get(name) for name in ("AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_FUNCTION_VERSION")}
    found |= {"text": TEXT, "hooks": HOOKS, "keys": "AWS_ACCESS_KEY_ID" in os.environ}
    found |= {"log": "AWS_LAMBDA_LOG_GROUP_NAME" in os.environ}
    found["who"] = boto3.client("sts").get_caller_identity()["Arn"]
    return {"statusCode": 200, "body": json.dumps(found)}
"""


def versioned(stack: cdk.Stack, text: str, snap_start: bool = True) -> None:
    """An API in front of the alias of a function."""
    stack.node.set_context("@aws-cdk/aws-lambda:recognizeVersionProps", True)
    own = lambda_.Function(
        stack,
        "Function",
        function_name="versioned",
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler="index.handler",
        code=lambda_.Code.from_inline(CODE.replace("TEXT", repr(text))),
        snap_start=lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS if snap_start else None,
        timeout=cdk.Duration.seconds(20),
    )
    alias = lambda_.Alias(stack, "Live", alias_name="live", version=own.current_version)
    apigateway.LambdaRestApi(
        stack, "Api", rest_api_name="versioned", handler=alias, deploy_options=apigateway.StageOptions(stage_name="v1")
    )


@pytest.fixture
def deployed(environment: Environment, tmp_path: Path) -> Any:
    def deploy(text: str, **options: Any) -> dict[str, Any]:
        environment.deploy(synthesized(tmp_path / text, "versioned", partial(versioned, text=text, **options)))
        answer = HTTP.request("GET", environment.apis["versioned"], retries=False)
        assert answer.status == 200, answer.data
        return dict(json.loads(answer.data))

    return deploy


def numbers(environment: Environment) -> dict[str, Any]:
    """The published versions, and the one for which the alias stands."""
    functions = environment.client("lambda")
    versions = functions.list_versions_by_function(FunctionName="versioned")["Versions"]
    alias = functions.get_alias(FunctionName="versioned", Name="live")
    return {"versions": [each["Version"] for each in versions[1:]], "live": alias["FunctionVersion"]}


def test_an_alias_follows_the_newest_version_and_restores_it_from_a_snapshot(environment: Environment, deployed: Any) -> None:
    first = deployed("first")
    assert first.pop("who").startswith("arn:aws:sts::123456789012:assumed-role/versioned-FunctionServiceRole")
    assert first == {
        "text": "first",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "hooks": ["before", "after"],
        "keys": False,
        "log": False,
    }
    assert numbers(environment) == {"versions": ["1"], "live": "1"}

    second = deployed("second")
    assert (second["text"], second["AWS_LAMBDA_FUNCTION_VERSION"]) == ("second", "2")
    assert numbers(environment) == {"versions": ["2"], "live": "2"}
    third = deployed("third", snap_start=False)
    assert (third["text"], third["AWS_LAMBDA_INITIALIZATION_TYPE"], third["keys"]) == ("third", "on-demand", True)
    assert numbers(environment) == {"versions": ["3"], "live": "3"}, "numbers are never used twice"

    functions = environment.client("lambda")
    described = functions.get_function_configuration(FunctionName="versioned", Qualifier="live")
    assert described["SnapStart"] == {"ApplyOn": "None", "OptimizationStatus": "Off"}
    with pytest.raises(ClientError, match="following aliases reference it"):
        functions.delete_function(FunctionName="versioned", Qualifier="3")
    assert functions.publish_version(FunctionName="versioned")["Version"] == "3", "nothing has changed since"
    with pytest.raises(ClientError, match="Function not found"):
        functions.update_alias(FunctionName="versioned", Name="live", FunctionVersion="4")


def test_an_alias_has_permissions_of_its_own(environment: Environment, deployed: Any) -> None:
    """What may call the function by its name may not call its alias, and the other way round."""
    deployed("guarded")
    functions = environment.client("lambda")
    of_alias = json.loads(functions.get_policy(FunctionName="versioned", Qualifier="live")["Policy"])["Statement"]
    assert {statement["Resource"].split(":function:")[1] for statement in of_alias} == {"versioned:live"}
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        functions.get_policy(FunctionName="versioned")
    for statement in of_alias:
        functions.remove_permission(FunctionName="versioned", Qualifier="live", StatementId=statement["Sid"])
    functions.add_permission(
        FunctionName="versioned", StatementId="all", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com"
    )
    url = environment.apis["versioned"]
    assert HTTP.request("GET", url, retries=False).status == 500


SNAP_START = {"SnapStart": {"ApplyOn": "PublishedVersions"}}
VERSION = {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Function"}}}

VERSION_BY_ARN = {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Fn::GetAtt": ["Function", "Arn"]}}}


def alias(version: Any = "1", **properties: Any) -> dict[str, Any]:
    named = {"FunctionName": {"Ref": "Function"}, "Name": "live", "FunctionVersion": version}
    return {"Type": "AWS::Lambda::Alias", "Properties": {**named, **properties}}


@pytest.mark.parametrize(
    ("properties", "others", "reason"),
    [
        ({"Runtime": "python3.11"}, {}, "python3.11 is not supported for SnapStart"),
        ({"Runtime": "nodejs22.x"}, {}, "nodejs22.x is not supported for SnapStart"),
        ({"EphemeralStorage": {"Size": 1024}}, {}, "at most 512 MB of ephemeral storage"),
        ({"FileSystemConfigs": [{"Arn": "arn:aws:elasticfilesystem:us-east-1:123456789012:access-point/fsap-0", "LocalMountPath": "/mnt/a"}]}, {}, "file system of EFS"),
        ({}, {"Version": VERSION, "Live": alias(ProvisionedConcurrencyConfig={"ProvisionedConcurrentExecutions": 1})}, "ProvisionedConcurrencyConfig"),
        ({}, {"Live": alias("7")}, "Function not found: .*:function:refused-.*:7"),
        ({}, {"Live": alias("live")}, "Value 'live' at 'function_version'"),
        ({}, {"First": VERSION, "Second": {**VERSION_BY_ARN, "DependsOn": "First"}}, r"exists \( 1 \)"),
    ],
)  # fmt: skip
def test_what_lambda_refuses_is_refused(
    environment: Environment, tmp_path: Path, properties: Any, others: Any, reason: str
) -> None:
    name = f"refused-{uuid4().hex[:8]}"
    resources = {"Role": role(), "Function": function(name, CODE, **SNAP_START, **properties), **others}
    with pytest.raises(Exception, match=reason):
        environment.deploy(write_app(tmp_path, {"name": name, "resources": resources}))
