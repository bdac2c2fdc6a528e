"""The alarms on what `recommend` counts ring for the lines that it writes: namespace, name and dimensions are the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lambdas.stores import deployment
from reco.local.synth import synthesize
from tests.unit.conftest import SHOP, Deployment
from tests.unit.serving import Campaign

Metric = tuple[str, str, tuple[tuple[str, str], ...]]
#: A worker as Lambda starts it: the environment is there before the modules are.
WORKER = """
import json, sys, types
from lambdas.serving.recommend.handler import handler
context = types.SimpleNamespace(function_name="f", memory_limit_in_mb=1, invoked_function_arn="a", aws_request_id="r")
handler(json.loads(sys.argv[1]), context)
"""


@pytest.fixture(scope="module")
def resources(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The resources of the serving stack."""
    assembly = synthesize(SHOP, tmp_path_factory.mktemp("cdk") / "out", validate=False)
    (template,) = Path(assembly).glob("*-serving.template.json")
    return list(json.loads(template.read_text())["Resources"].values())


def of_type(resources: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [resource["Properties"] for resource in resources if resource["Type"] == kind]


def event(path: str, **query: str) -> dict[str, Any]:
    return {
        "resource": path,
        "path": path,
        "httpMethod": "GET",
        "headers": {},
        "queryStringParameters": query,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()},
        "requestContext": {"requestId": "r", "stage": "v1", "httpMethod": "GET", "path": path, "identity": {}},
        "body": None,
        "isBase64Encoded": False,
    }


def written(log: str) -> dict[Metric, float]:
    """What CloudWatch takes from a log: each metric with its sum (docs: CloudWatch_Embedded_Metric_Format_Specification)."""
    found: dict[Metric, float] = {}
    for line in log.splitlines():
        document = json.loads(line) if line.startswith("{") else {}
        for directive in document.get("_aws", {}).get("CloudWatchMetrics", []):
            for dimensions in directive["Dimensions"]:
                values = tuple((name, document[name]) for name in sorted(dimensions))
                for metric in directive["Metrics"]:
                    value = document[metric["Name"]]
                    found[directive["Namespace"], metric["Name"], values] = sum(value) if isinstance(value, list) else value
    return found


def test_every_alarm_rings_for_what_is_counted(away: Deployment, resources: list[dict[str, Any]]) -> None:
    """One call with a broken override, a broken campaign and a list that stays empty."""
    name = deployment.rules_parameter_name(away.config.name)
    away.client("ssm").put_parameter(Name=name, Value='{"rules": {"few_of_a_brand": {"cap": {"by": "BRANT"}}}}', Type="String")
    Campaign.outage = "broken"
    (function,) = of_type(resources, "AWS::Lambda::Function")
    given = {key: value for key, value in function["Environment"]["Variables"].items() if key.startswith("POWERTOOLS_")}
    call = json.dumps(event("/recommendations/category", user_id="u1", category="c1", num_results="7"))
    done = subprocess.run(
        [sys.executable, "-c", WORKER, call], env=os.environ | given, capture_output=True, text=True, check=True
    )
    counts = written(done.stdout)
    alarms: dict[str, Metric] = {}
    for alarm in of_type(resources, "AWS::CloudWatch::Alarm"):
        assert alarm["Statistic"] == "Sum"
        dimensions = tuple(sorted((one["Name"], one["Value"]) for one in alarm["Dimensions"]))
        alarms[alarm["AlarmName"]] = (alarm["Namespace"], alarm["MetricName"], dimensions)
    assert {name: counts.get(metric) for name, metric in alarms.items()} == {
        "shop_rules-override-broken": 1,
        "shop_personalize-failing": 1,
        "shop_short-lists": 7,
    }
