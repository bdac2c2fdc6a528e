"""What functions, stages and queues tell CloudWatch, and what can be asked of it."""

from __future__ import annotations

import datetime
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from localaws.environment import Environment
from tests.localaws.apps import function, role
from tests.localaws.conftest import eventually

pytestmark = pytest.mark.xdist_group("localaws")

EMBEDDED = """
import json
def handler(event, context):
    print("not a metric")
    metrics = [{"Namespace": "shop", "Dimensions": [["service"]], "Metrics": [{"Name": "Sold", "Unit": "Count"}]}]
    print(json.dumps({"_aws": {"Timestamp": 1, "CloudWatchMetrics": metrics}, "service": "till", "Sold": [2, 3], "note": "x"}))
    print('{"_aws": {"CloudWatchMetrics": "broken"}}')
"""


def read(environment: Environment, namespace: str, name: str, stat: str, **dimensions: str) -> float:
    """The metric over the last hour; 0 before there is any."""
    now = datetime.datetime.now(datetime.UTC)
    metric = {"Namespace": namespace, "MetricName": name, "Dimensions": [{"Name": n, "Value": v} for n, v in dimensions.items()]}
    answer = environment.client("cloudwatch").get_metric_data(
        MetricDataQueries=[{"Id": "m", "MetricStat": {"Metric": metric, "Period": 7200, "Stat": stat}}],
        StartTime=now - datetime.timedelta(hours=1),
        EndTime=now + datetime.timedelta(minutes=1),
    )
    return sum(answer["MetricDataResults"][0]["Values"])


def test_metrics_embedded_in_a_log_are_metrics(environment: Environment, deploy: Callable[..., dict[str, str]]) -> None:
    deploy("embedded", {"Role": role(), "Function": function("embedded-metrics", EMBEDDED)})
    environment.client("lambda").invoke(FunctionName="embedded-metrics")
    assert eventually(lambda: read(environment, "shop", "Sold", "Sum", service="till")) == 5.0
    assert read(environment, "shop", "Sold", "Maximum", service="till") == 3.0


def test_stages_count_their_calls_and_queues_what_waits(environment: Environment, deploy: Callable[..., dict[str, str]]) -> None:
    mock = {"Type": "MOCK", "RequestTemplates": {"application/json": '{"statusCode": 200}'}}
    method: dict[str, Any] = {
        "RestApiId": {"Ref": "Api"},
        "ResourceId": {"Fn::GetAtt": ["Api", "RootResourceId"]},
        "HttpMethod": "GET",
        "AuthorizationType": "NONE",
        "Integration": mock | {"IntegrationResponses": [{"StatusCode": "200"}]},
        "MethodResponses": [{"StatusCode": "200"}],
    }
    resources: dict[str, Any] = {
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "measured"}},
        "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "measured"}},
        "Method": {"Type": "AWS::ApiGateway::Method", "Properties": method},
        "Deployment": {"Type": "AWS::ApiGateway::Deployment", "DependsOn": "Method", "Properties": {"RestApiId": {"Ref": "Api"}}},
        "Stage": {
            "Type": "AWS::ApiGateway::Stage",
            "Properties": {"RestApiId": {"Ref": "Api"}, "DeploymentId": {"Ref": "Deployment"}, "StageName": "live"},
        },
    }
    made = deploy("measured", resources, {"Api": {"Ref": "Api"}, "Queue": {"Ref": "Queue"}})
    for n in range(3):
        environment.client("sqs").send_message(QueueUrl=made["Queue"], MessageBody=str(n))
    url = environment.apis["measured"].rstrip("/")
    urllib.request.urlopen(f"{url}/", timeout=10).close()
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"{url}/nowhere", timeout=10)
    stage = {"ApiName": "measured", "Stage": "live"}
    assert eventually(lambda: read(environment, "AWS/ApiGateway", "Count", "Sum", **stage) == 2.0)
    assert read(environment, "AWS/ApiGateway", "4XXError", "Average", **stage) == 0.5
    assert read(environment, "AWS/ApiGateway", "Latency", "p99", **stage) >= read(
        environment, "AWS/ApiGateway", "Latency", "p50", **stage
    )
    waiting = eventually(
        lambda: read(environment, "AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", QueueName="measured")
    )
    assert waiting == 3.0


def test_percentiles_are_of_the_nearest_rank(environment: Environment) -> None:
    data = [{"MetricName": "Size", "Values": [float(n) for n in range(1, 101)]}]
    environment.client("cloudwatch").put_metric_data(Namespace="percentiles", MetricData=data)
    assert [read(environment, "percentiles", "Size", stat) for stat in ("p50", "p99", "p100")] == [50.0, 99.0, 100.0]
