"""The API as the config wants it: who may call, from which pages, how often, and what it says of itself."""

from __future__ import annotations

import json
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import assertions

from lambdas.config import Api
from lambdas.config.api import Throttle
from lambdas.config.file import load_config
from reco.local.synth import ROOT
from stacks import ingestion_api
from stacks.api import ApiStack

ALLOW_ORIGIN = "Access-Control-Allow-Origin"


def resources(kind: str, **settings: Any) -> list[dict[str, Any]]:
    """The properties of the stack's resources of a kind, for a config with these settings of `api`."""
    config = load_config(ROOT / "config" / "shop.yaml").model_copy(update={"api": Api(**settings)})
    template = assertions.Template.from_stack(ApiStack(cdk.App(), "api", config))
    return [found["Properties"] for found in template.find_resources(f"AWS::ApiGateway::{kind}").values()]


def test_with_iam_all_calls_of_servers_are_signed_and_browsers_keep_their_key() -> None:
    methods = [method for method in resources("Method", auth="iam") if method["HttpMethod"] != "OPTIONS"]
    assert sum(method["AuthorizationType"] == "AWS_IAM" for method in methods) == 9
    assert sum(method.get("ApiKeyRequired", False) for method in methods) == 1  # the browsers' POST /events
    assert not any(method.get("ApiKeyRequired") and method["AuthorizationType"] == "AWS_IAM" for method in methods)


def test_throttles_and_ceilings_are_those_of_the_config() -> None:
    settings = {"throttle": Throttle(rate=7, burst=8), "browser_throttle": Throttle(rate=5, burst=6), "browser_calls_per_day": 9}
    plans = {plan["UsagePlanName"]: plan for plan in resources("UsagePlan", **settings)}
    assert plans["shop_servers"]["Throttle"] == {"RateLimit": 7, "BurstLimit": 8}
    assert plans["shop_browsers"]["Throttle"] == {"RateLimit": 5, "BurstLimit": 6}
    assert plans["shop_browsers"]["Quota"] == {"Limit": 9, "Period": "DAY"}
    for stage in resources("Stage", **settings):
        (everything,) = [s for s in stage["MethodSettings"] if s["ResourcePath"] == "/*"]
        throttle = (everything["ThrottlingRateLimit"], everything["ThrottlingBurstLimit"])
        assert throttle == ((5, 6) if "Browser" in json.dumps(stage["RestApiId"]) else (7, 8))
        assert not everything.get("DataTraceEnabled", False)


def test_a_changed_model_makes_a_new_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage serves what its deployment found (apigateway/latest/developerguide/how-to-deploy-api.html)."""

    def deployments() -> set[str]:
        return {stage["DeploymentId"]["Ref"] for stage in resources("Stage")}

    before = deployments()
    assert deployments() == before
    more = ingestion_api.EVENTS_ENVELOPE["properties"]["events"] | {"maxItems": 499}
    monkeypatch.setitem(ingestion_api.EVENTS_ENVELOPE["properties"], "events", more)
    assert len(before) == 2
    assert not deployments() & before


@pytest.mark.parametrize("origins", [["*"], ["https://shop.example"], ["https://a.example", "https://b.example"]])
def test_only_the_pages_of_the_config_may_read_answers(origins: list[str]) -> None:
    puts = [m for m in resources("Method", cors_origins=origins) if "PutRecords" in json.dumps(m["Integration"].get("Uri"))]
    events, servers = sorted(puts, key=lambda method: "Browser" not in json.dumps(method["RestApiId"]))
    assert ALLOW_ORIGIN not in json.dumps(servers)
    for answer in events["Integration"]["IntegrationResponses"]:
        assert answer["ResponseParameters"][f"method.response.header.{ALLOW_ORIGIN}"] == f"'{origins[0]}'"
        template = answer["ResponseTemplates"]["application/json"]
        assert all(f"$origin == '{origin}'" in template for origin in origins) is (len(origins) > 1)


def test_without_origins_no_page_may_call_and_no_answer_says_otherwise() -> None:
    for kind in ("Method", "GatewayResponse"):
        assert ALLOW_ORIGIN not in json.dumps(resources(kind))
    assert not [method for method in resources("Method") if method["HttpMethod"] == "OPTIONS"]


def test_every_refusal_has_the_shape_of_all_errors() -> None:
    answers = {answer["ResponseType"]: answer for answer in resources("GatewayResponse")}
    assert {"DEFAULT_4XX", "DEFAULT_5XX", "INVALID_API_KEY", "THROTTLED", "REQUEST_TOO_LARGE"} <= answers.keys()
    for answer in answers.values():
        template = answer["ResponseTemplates"]["application/json"].replace("$context.error.messageString", '"why"')
        error = json.loads(template)["error"]
        assert {"code", "message"} <= error.keys() <= {"code", "message", "field"}


def test_refusals_say_what_the_browsers_key_may_do_by_the_config() -> None:
    def said(**settings: Any) -> str:
        answers = [
            a for a in resources("GatewayResponse", **settings) if "TOKEN" in a["ResponseType"] or "KEY" in a["ResponseType"]
        ]
        return json.dumps([answer["ResponseTemplates"]["application/json"] for answer in answers])

    assert said().count("may only send events") == 3  # an unknown key at either API, no such route at the browsers'
    assert "ask for" not in said()
    pages = {"cors_origins": ["https://shop.example"], "browser_placements": ["home", "search"]}
    assert said(**pages).count("may only send events and ask for home, search") == 3


def test_the_description_is_served_unless_the_config_hides_it() -> None:
    assert {"docs", "openapi.json"} <= {resource["PathPart"] for resource in resources("Resource")}
    assert not {"docs", "openapi.json"} & {resource["PathPart"] for resource in resources("Resource", docs=False)}


def test_access_logs_say_nothing_of_people() -> None:
    stages = resources("Stage")
    written = {field for stage in stages for field in json.loads(stage["AccessLogSetting"]["Format"]).values()}
    assert "$context.resourcePath" in written
    personal = ("$context.path", "identity.sourceIp", "identity.userAgent", "identity.user", "querystring", "authorizer")
    assert not [field for field in written for word in personal if field.startswith(word) or f".{word}" in field]
