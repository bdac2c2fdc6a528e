"""With `serving.snap_start` the APIs call the newest published version of `recommend`, by an alias; without it, nothing of that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import assertions
from aws_cdk import aws_lambda as lambda_

from lambdas.config import Config
from lambdas.config.file import load_config
from stacks.regions import REGIONS
from stacks.serving import ServingStack
from tests.stacks.conftest import Templates

CONTEXT = json.loads(Path("cdk.json").read_text())["context"]
SHOP = load_config(Path("config/shop.yaml"))


def of_kind(template: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    return {name: resource for name, resource in template["Resources"].items() if resource["Type"] == kind}


def test_the_apis_call_the_alias_and_may(templates_of_prod: Templates) -> None:
    serving, api = templates_of_prod["serving"], templates_of_prod["api"]
    (function,) = [f for f in of_kind(serving, "AWS::Lambda::Function").values() if "SnapStart" in f["Properties"]]
    assert function["Properties"]["FunctionName"] == "shop-prod_recommend"
    assert function["Properties"]["SnapStart"] == {"ApplyOn": "PublishedVersions"}
    (version,) = of_kind(serving, "AWS::Lambda::Version")
    (alias,) = of_kind(serving, "AWS::Lambda::Alias").values()
    assert alias["Properties"]["FunctionVersion"] == {"Fn::GetAtt": [version, "Version"]}

    called = [
        json.dumps(method["Properties"]["Integration"].get("Uri")) for method in of_kind(api, "AWS::ApiGateway::Method").values()
    ]
    called = [uri for uri in called if "_recommend" in uri]
    allowed = [json.dumps(each["Properties"]["FunctionName"]) for each in of_kind(api, "AWS::Lambda::Permission").values()]
    allowed = [arn for arn in allowed if "_recommend" in arn]
    assert len(called) >= 3
    assert all(":shop-prod_recommend:live/invocations" in uri for uri in called)
    assert len(allowed) == 2 * len(called)
    assert all(arn.endswith(':shop-prod_recommend:live"]]}') for arn in allowed)


def test_without_the_key_nothing_is_published(templates: Templates) -> None:
    for template in templates.values():
        assert not of_kind(template, "AWS::Lambda::Version")
        assert not of_kind(template, "AWS::Lambda::Alias")
        assert "SnapStart" not in json.dumps(template)
        assert "_recommend:live" not in json.dumps(template)


def version_of(config: Config, **tags: str) -> str:
    """The logical id: CloudFormation publishes a version where it is another one than before."""
    serving = config.serving.model_copy(update={"snap_start": True})
    app = cdk.App(context=CONTEXT)
    stack = ServingStack(app, "serving", config.model_copy(update={"serving": serving}))
    for key, value in tags.items():
        cdk.Tags.of(app).add(key, value)
    (version,) = assertions.Template.from_stack(stack).find_resources("AWS::Lambda::Version")
    return str(version)


def test_a_version_is_published_for_what_lambda_sees_as_a_change_and_for_nothing_else() -> None:
    """For a function that has not changed, CloudFormation fails: "A version for this Lambda function exists"."""
    quicker = SHOP.model_copy(update={"serving": SHOP.serving.model_copy(update={"time_budget_ms": 300})})
    assert version_of(SHOP) == version_of(SHOP, team="shop") != version_of(quicker)


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"runtime": lambda_.Runtime.PYTHON_3_11}, "SnapStart currently not supported by runtime python3.11"),
        ({"ephemeral_storage_size": cdk.Size.mebibytes(1024)}, "SnapStart is currently not supported using more than 512"),
    ],
)
def test_what_snap_start_does_not_go_with_fails_at_the_synth(properties: Any, reason: str) -> None:
    stack, code = cdk.Stack(cdk.App(), "any"), lambda_.Code.from_inline("def handler(event, context): pass")
    defaults = {"runtime": lambda_.Runtime.PYTHON_3_13, "code": code, "handler": "index.handler"}
    with pytest.raises(Exception, match=reason):
        lambda_.Function(stack, "F", snap_start=lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS, **{**defaults, **properties})


def test_every_region_of_a_deployment_has_snap_start() -> None:
    """docs: lambda/latest/dg/snapstart.html#snapstart-supported-regions: all commercial ones but these."""
    assert REGIONS.isdisjoint({"ap-southeast-6", "ap-east-2"})
