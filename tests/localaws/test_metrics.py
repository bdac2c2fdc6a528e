"""What functions and services tell CloudWatch, and what can be asked of it."""

from __future__ import annotations

import datetime
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from localaws.environment import Environment
from tests.harness.waiting import eventually
from tests.localaws.apps import function, role, state_machine

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
    return float(sum(answer["MetricDataResults"][0]["Values"]))


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
    urllib.request.urlopen(f"{url}/", timeout=300).close()
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"{url}/nowhere", timeout=300)
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


FAILS_WHEN_ASKED = """
def handler(event, context):
    if "fail" in event:
        raise ValueError("asked to")
"""


def test_functions_count_invocations_errors_and_throttles(
    environment: Environment, deploy: Callable[..., dict[str, str]]
) -> None:
    stopped = function("metered-stopped", FAILS_WHEN_ASKED, ReservedConcurrentExecutions=0)
    deploy("metered", {"Role": role(), "Function": function("metered", FAILS_WHEN_ASKED), "Stopped": stopped})
    functions = environment.client("lambda")
    for payload in ({}, {}, {"fail": 1}):
        functions.invoke(FunctionName="metered", Payload=json.dumps(payload).encode())
    with pytest.raises(functions.exceptions.TooManyRequestsException) as throttled:
        functions.invoke(FunctionName="metered-stopped")
    attempts = 1 + throttled.value.response["ResponseMetadata"]["RetryAttempts"]

    def of(function_name: str, metric: str, stat: str = "Sum") -> float:
        return read(environment, "AWS/Lambda", metric, stat, FunctionName=function_name)

    assert eventually(lambda: of("metered", "Invocations") == 3.0)
    assert (of("metered", "Errors"), of("metered", "Throttles")) == (1.0, 0.0)
    assert 0 < of("metered", "Duration", "Minimum") < of("metered", "Duration") < 60_000
    assert eventually(lambda: of("metered-stopped", "Throttles") == attempts)
    assert of("metered-stopped", "Invocations") == 0.0


def test_state_machines_count_how_executions_end(environment: Environment, deploy: Callable[..., dict[str, str]]) -> None:
    choices = [{"Condition": "{% $states.input.how = 'fail' %}", "Next": "Fail"}]
    choices += [{"Condition": "{% $states.input.how = 'wait' %}", "Next": "Wait"}]
    states = {
        "How": {"Type": "Choice", "Choices": choices, "Default": "Succeed"},
        "Fail": {"Type": "Fail"},
        "Wait": {"Type": "Wait", "Seconds": 100_000, "Next": "Succeed"},
        "Succeed": {"Type": "Succeed"},
    }
    machine = state_machine("metered-runs", {"QueryLanguage": "JSONata", "StartAt": "How", "States": states})
    arn = deploy("metered-runs", {"Role": role(), "Machine": machine}, {"Arn": {"Ref": "Machine"}})["Arn"]
    client = environment.client("stepfunctions")
    runs = [client.start_execution(stateMachineArn=arn, input=json.dumps({"how": how})) for how in ("", "", "fail", "wait")]
    client.stop_execution(executionArn=runs[-1]["executionArn"])

    def of(end: str) -> float:
        return read(environment, "AWS/States", f"Executions{end}", "Sum", StateMachineArn=arn)

    ends = {"Started": 4.0, "Succeeded": 2.0, "Failed": 1.0, "Aborted": 1.0}
    assert eventually(lambda: {end: of(end) for end in ends} == ends)
    assert of("TimedOut") == 0.0


def test_tables_count_write_units_by_the_kilobyte(environment: Environment) -> None:
    client = environment.client("dynamodb")
    client.create_table(
        TableName="metered",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    small, large = {"id": {"S": "small"}}, {"id": {"S": "large"}, "text": {"S": "x" * 2500}}
    client.put_item(TableName="metered", Item=small)
    client.batch_write_item(RequestItems={"metered": [{"PutRequest": {"Item": large}}]})
    client.update_item(
        TableName="metered", Key=small, UpdateExpression="ADD times :one", ExpressionAttributeValues={":one": {"N": "1"}}
    )
    client.delete_item(TableName="metered", Key={"id": {"S": "large"}})
    client.delete_item(TableName="metered", Key={"id": {"S": "nobody"}})

    def units() -> float:
        return read(environment, "AWS/DynamoDB", "ConsumedWriteCapacityUnits", "Sum", TableName="metered")

    assert eventually(lambda: units() == 1 + 3 + 1 + 3 + 1)


def test_streams_tell_how_late_their_readers_are(environment: Environment, deploy: Callable[..., dict[str, str]]) -> None:
    bucket: dict[str, Any] = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "metered-archive"}}
    destination = {
        "BucketARN": {"Fn::GetAtt": ["Bucket", "Arn"]},
        "RoleARN": {"Fn::GetAtt": ["Role", "Arn"]},
        "BufferingHints": {"IntervalInSeconds": 60, "SizeInMBs": 5},
    }
    archive = {
        "DeliveryStreamName": "metered",
        "DeliveryStreamType": "KinesisStreamAsSource",
        "KinesisStreamSourceConfiguration": {
            "KinesisStreamARN": {"Fn::GetAtt": ["Stream", "Arn"]},
            "RoleARN": {"Fn::GetAtt": ["Role", "Arn"]},
        },
        "ExtendedS3DestinationConfiguration": destination,
    }
    mapping = {
        "EventSourceArn": {"Fn::GetAtt": ["Stream", "Arn"]},
        "FunctionName": {"Ref": "Function"},
        "StartingPosition": "TRIM_HORIZON",
    }
    deploy(
        "metered-stream",
        {
            "Role": role(),
            "Bucket": bucket,
            "Stream": {"Type": "AWS::Kinesis::Stream", "Properties": {"Name": "metered", "ShardCount": 1}},
            "Function": function("metered-reader", FAILS_WHEN_ASKED),
            "Mapping": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": mapping},
            "Archive": {"Type": "AWS::KinesisFirehose::DeliveryStream", "Properties": archive},
        },
    )
    environment.client("kinesis").put_record(StreamName="metered", Data=b"{}", PartitionKey="k")
    waited = eventually(lambda: read(environment, "AWS/Lambda", "IteratorAge", "Maximum", FunctionName="metered-reader"))
    assert 0 < waited < 60_000
    archived = {"DeliveryStreamName": "metered"}
    assert eventually(lambda: read(environment, "AWS/Firehose", "DeliveryToS3.DataFreshness", "Maximum", **archived)) < 60
    age = {"StreamName": "metered"}
    assert read(environment, "AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", "SampleCount", **age) > 0
    assert read(environment, "AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", "Minimum", **age) == 0.0
