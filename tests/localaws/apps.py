"""Small cloud assemblies, as `cdk synth` would write them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import aws_cdk as cdk

from localaws.environment import Environment

Resources = dict[str, dict[str, Any]]


def synthesized(folder: Path, name: str, build: Callable[[cdk.Stack], None]) -> Path:
    """The assembly of a CDK app with one stack."""
    app = cdk.App(outdir=str(folder))
    build(cdk.Stack(app, name))
    app.synth()
    return folder


def write_app(folder: Path, *stacks: dict[str, Any]) -> Path:
    """An assembly with the given stacks: {"name", "resources", "outputs"?, "parameters"?, "depends_on"?, "assets"?}."""
    folder.mkdir(parents=True, exist_ok=True)
    artifacts: dict[str, Any] = {}
    for stack in stacks:
        name = stack["name"]
        template = {
            "Resources": stack["resources"] | _permissions(stack["resources"]),
            "Outputs": {key: {"Value": value} for key, value in stack.get("outputs", {}).items()},
            "Parameters": stack.get("parameters", {}),
        }
        (folder / f"{name}.template.json").write_text(json.dumps(template))
        dependencies = list(stack.get("depends_on", []))
        if "assets" in stack:
            dependencies.append(f"{name}.assets")
            (folder / f"{name}.assets.json").write_text(json.dumps({"files": stack["assets"]}))
            artifacts[f"{name}.assets"] = {"type": "cdk:asset-manifest", "properties": {"file": f"{name}.assets.json"}}
        artifacts[name] = {
            "type": "aws:cloudformation:stack",
            "properties": {"templateFile": f"{name}.template.json", "stackName": name},
            "dependencies": dependencies,
        }
    (folder / "manifest.json").write_text(json.dumps({"version": "36.0.0", "artifacts": artifacts}))
    return folder


def _permissions(resources: Resources) -> Resources:
    """Every service may invoke the functions of these apps, unless their own permissions say who may."""
    kinds = {resource["Type"] for resource in resources.values()}
    if "AWS::Lambda::Permission" in kinds:
        return {}
    functions = [name for name, resource in resources.items() if resource["Type"] == "AWS::Lambda::Function"]
    services = ("apigateway", "events", "s3", "sns")
    return {f"{name}For{service}": permission(name, service) for name in functions for service in services}


def permission(function_id: str, service: str, **properties: Any) -> dict[str, Any]:
    """That a service may invoke a function of the stack."""
    named = {"FunctionName": {"Ref": function_id}, "Action": "lambda:InvokeFunction", "Principal": f"{service}.amazonaws.com"}
    return {"Type": "AWS::Lambda::Permission", "Properties": {**named, **properties}}


def resource_policy(kind: str, of: dict[str, Any], service: str, action: str) -> dict[str, Any]:
    """The policy (`SQS::QueuePolicy`) that lets a service use what `of` refers to: queues or topics, by the name of the property."""
    named = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": action, "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [named]}
    return {"Type": f"AWS::{kind}", "Properties": {"PolicyDocument": document, **of}}


def role(*statements: dict[str, Any]) -> dict[str, Any]:
    """A role that every service may assume, and that may do everything where no statements are given."""
    allowed = list(statements) or [{"Effect": "Allow", "Action": "*", "Resource": "*"}]
    policy = {"PolicyName": "own", "PolicyDocument": {"Version": "2012-10-17", "Statement": allowed}}
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*"}]}
    return {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust, "Policies": [policy]}}


def function(name: str, code: str, **properties: Any) -> dict[str, Any]:
    """A function whose source stands in the template; its role is the resource `Role`."""
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "FunctionName": name,
            "Code": {"ZipFile": code},
            "Handler": "index.handler",
            "Runtime": "python3.13",
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "Timeout": 20,
            **properties,
        },
    }


def arn_of(logical_id: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [logical_id, "Arn"]}


def zipped(files: dict[str, str]) -> bytes:
    """A zip file with these texts."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


def create_function(
    environment: Environment,
    name: str,
    code: bytes,
    runtime: str = "python3.13",
    handler: str = "index.handler",
    layers: Sequence[str] = (),
    **variables: str,
) -> None:
    """A function that a client makes, of a zip file that has `index.handler`, with a role that is there."""
    role_arn = environment.client("iam").list_roles()["Roles"][0]["Arn"]
    environment.client("lambda").create_function(
        FunctionName=name,
        Runtime=runtime,
        Handler=handler,
        Role=role_arn,
        Code={"ZipFile": code},
        Layers=list(layers),
        Environment={"Variables": variables},
        Timeout=20,
    )


def state_machine(name: str, definition: dict[str, Any], **substitutions: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {
            "StateMachineName": name,
            "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
            "DefinitionString": json.dumps(definition),
            "DefinitionSubstitutions": substitutions,
        },
    }


def lambda_uri(function_id: str) -> dict[str, Any]:
    parts = [
        "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/",
        {"Fn::GetAtt": [function_id, "Arn"]},
        "/invocations",
    ]
    return {"Fn::Join": ["", parts]}
