"""Event source mappings and delivery streams."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from localaws.environment import Environment
from localaws.triggers.batches import Batches, Progress
from localaws.triggers.queues import QueuePoller
from tests.harness.waiting import eventually
from tests.localaws.apps import arn_of, function, role

Deploy = Callable[..., dict[str, str]]

# Records what it gets, fails for poison, and reports single failures if it is asked to.
STREAM_CODE = """
import base64, boto3, json, os
table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
def handler(event, context):
    records = [(r["kinesis"], json.loads(base64.b64decode(r["kinesis"]["data"]))) for r in event["Records"]]
    failures = []
    for kinesis, body in records:
        if body.get("poison"):
            if not os.environ.get("REPORT"):
                raise ValueError("poison")
            failures.append({"itemIdentifier": kinesis["sequenceNumber"]})
            break
    done = [body["n"] for kinesis, body in records if not body.get("poison")]
    if failures:
        done = done[: [k["sequenceNumber"] for k, _ in records].index(failures[0]["itemIdentifier"])]
    for n in done:
        table.update_item(Key={"pk": str(n)}, UpdateExpression="ADD times :one", ExpressionAttributeValues={":one": 1})
    table.update_item(Key={"pk": "calls"}, UpdateExpression="ADD times :one", ExpressionAttributeValues={":one": 1})
    return {"batchItemFailures": failures}
"""


def stream_app(name: str, mapping: dict[str, Any], environ: dict[str, str] | None = None) -> dict[str, Any]:
    table = {
        "TableName": name,
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    properties = {
        "EventSourceArn": {"Fn::GetAtt": ["Stream", "Arn"]},
        "FunctionName": {"Ref": "Function"},
        "StartingPosition": "TRIM_HORIZON",
        **mapping,
    }
    return {
        "Role": role(),
        "Table": {"Type": "AWS::DynamoDB::Table", "Properties": table},
        "Stream": {"Type": "AWS::Kinesis::Stream", "Properties": {"Name": name, "ShardCount": 2}},
        "Function": function(f"{name}-function", STREAM_CODE, Environment={"Variables": {"TABLE": name, **(environ or {})}}),
        "Mapping": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": properties},
    }


def put(environment: Environment, stream: str, bodies: list[dict[str, Any]], key: str | None = None) -> None:
    records = [{"Data": json.dumps(body).encode(), "PartitionKey": key or str(number)} for number, body in enumerate(bodies)]
    environment.client("kinesis").put_records(StreamName=stream, Records=records)


def counted(environment: Environment, table: str) -> dict[str, int]:
    items = environment.client("dynamodb").scan(TableName=table)["Items"]
    return {item["pk"]["S"]: int(item["times"]["N"]) for item in items}


def test_a_stream_is_read_in_batches_from_all_shards(environment: Environment, deploy: Deploy) -> None:
    deploy("batches", stream_app("batches", {"BatchSize": 50, "ParallelizationFactor": 2}))
    put(environment, "batches", [{"n": n} for n in range(200)])
    found = eventually(lambda: len(counts := counted(environment, "batches")) == 201 and counts)
    calls = found.pop("calls")
    assert set(found.values()) == {1}
    assert calls < 40  # batches, not single records


def test_a_changed_mapping_goes_on_where_it_was(environment: Environment, deploy: Deploy) -> None:
    deploy("changed-mapping", stream_app("changed-mapping", {"BatchSize": 50}))
    put(environment, "changed-mapping", [{"n": n} for n in range(20)])
    eventually(lambda: len(counted(environment, "changed-mapping")) == 21)
    deploy("changed-mapping", stream_app("changed-mapping", {"BatchSize": 10}))
    put(environment, "changed-mapping", [{"n": n} for n in range(20, 40)])
    found = eventually(lambda: len(counts := counted(environment, "changed-mapping")) == 41 and counts)
    found.pop("calls")
    assert set(found.values()) == {1}


def test_a_poison_record_is_isolated_by_bisecting_and_goes_to_the_queue(environment: Environment, deploy: Deploy) -> None:
    mapping = {
        "BatchSize": 100,
        "MaximumBatchingWindowInSeconds": 1,
        "BisectBatchOnFunctionError": True,
        "MaximumRetryAttempts": 1,
        "DestinationConfig": {"OnFailure": {"Destination": {"Fn::GetAtt": ["Failed", "Arn"]}}},
    }
    resources = stream_app("bisected", mapping)
    resources["Failed"] = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "bisected-failed"}}
    deploy("bisected", resources)
    put(environment, "bisected", [{"n": n, "poison": n == 3} for n in range(8)], key="same")
    sqs = environment.client("sqs")
    url = sqs.get_queue_url(QueueName="bisected-failed")["QueueUrl"]
    (message,) = eventually(lambda: sqs.receive_message(QueueUrl=url).get("Messages"))
    notice = json.loads(message["Body"])
    assert notice["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert notice["KinesisBatchInfo"]["batchSize"] == 1
    found = eventually(lambda: len(counts := counted(environment, "bisected")) == 8 and counts)
    assert found.keys() == {"calls", *(str(n) for n in range(8) if n != 3)}


def test_reported_failures_are_retried_from_there_and_end_in_the_bucket(environment: Environment, deploy: Deploy) -> None:
    mapping = {
        "BatchSize": 100,
        "MaximumBatchingWindowInSeconds": 1,
        "MaximumRetryAttempts": 2,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "BisectBatchOnFunctionError": True,
        "DestinationConfig": {"OnFailure": {"Destination": {"Fn::GetAtt": ["Failed", "Arn"]}}},
    }
    resources = stream_app("reported", mapping, {"REPORT": "1"})
    resources["Failed"] = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "reported-failed"}}
    deploy("reported", resources)
    put(environment, "reported", [{"n": n, "poison": n == 2} for n in range(5)], key="same")
    s3 = environment.client("s3")
    (entry,) = eventually(lambda: s3.list_objects_v2(Bucket="reported-failed").get("Contents"))
    assert entry["Key"].startswith("aws/lambda/")
    notice = json.loads(s3.get_object(Bucket="reported-failed", Key=entry["Key"])["Body"].read())
    assert len(json.loads(notice["payload"])["Records"]) == 1
    found = eventually(lambda: len(counts := counted(environment, "reported")) == 5 and counts)
    found.pop("calls")
    assert found == {"0": 1, "1": 1, "3": 1, "4": 1}


def test_a_queue_calls_its_function_and_redrives_what_fails(environment: Environment, deploy: Deploy) -> None:
    code = """
import json
def handler(event, context):
    return {"batchItemFailures": [{"itemIdentifier": r["messageId"]} for r in event["Records"] if r["body"] == "bad"]}
"""
    redrive = {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 2}
    deploy(
        "queued",
        {
            "Role": role(),
            "Dead": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "queued-dead"}},
            "Queue": {
                "Type": "AWS::SQS::Queue",
                "Properties": {"QueueName": "queued", "RedrivePolicy": redrive, "VisibilityTimeout": 1},
            },
            "Function": function("queued-function", code),
            "Mapping": {
                "Type": "AWS::Lambda::EventSourceMapping",
                "Properties": {
                    "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]},
                    "FunctionName": {"Ref": "Function"},
                    "FunctionResponseTypes": ["ReportBatchItemFailures"],
                    "ScalingConfig": {"MaximumConcurrency": 2},
                },
            },
        },
    )
    sqs = environment.client("sqs")
    url = sqs.get_queue_url(QueueName="queued")["QueueUrl"]
    sqs.send_message_batch(
        QueueUrl=url, Entries=[{"Id": str(i), "MessageBody": body} for i, body in enumerate(["good", "bad", "good"])]
    )
    dead = sqs.get_queue_url(QueueName="queued-dead")["QueueUrl"]
    (message,) = eventually(lambda: sqs.receive_message(QueueUrl=dead).get("Messages"))
    assert message["Body"] == "bad"
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    left = eventually(lambda: _all_zero(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]))
    assert left


def _queue_poller(answer: Callable[[], Any]) -> QueuePoller:
    """A poller whose function gives `answer`, the payload of a Lambda response."""
    outcome = SimpleNamespace(result=SimpleNamespace(error=None))

    def call(arn: str, event: bytes) -> Any:
        outcome.result.payload = json.dumps(answer()).encode()
        return outcome

    mapping = {
        "UUID": "u",
        "EventSourceArn": "arn:q",
        "FunctionArn": "arn:f",
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
    }
    return QueuePoller(cast(Any, None), cast(Any, SimpleNamespace(call=call)), mapping, "arn:role")


def test_a_queue_that_could_not_be_read_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    poller, found = _queue_poller(dict), threading.Event()

    def fail() -> list[Any]:
        raise ValueError("no")

    monkeypatch.setattr(poller, "_receive", fail)
    for _ in range(10):
        with pytest.raises(ValueError, match="no"):
            poller.turn()
    monkeypatch.setattr(poller, "_receive", lambda: [{}])
    monkeypatch.setattr(poller, "_process", lambda messages: found.set())
    assert poller.turn()
    assert found.wait(5)


MALFORMED: list[Any] = [
    [{"itemIdentifier": ""}],
    [{"itemIdentifier": None}],
    [{"messageId": "1"}],
    [{"itemIdentifier": "1"}, {"itemIdentifier": "none"}],
    [{"itemIdentifier": ["1"]}],
    ["1"],
    {"itemIdentifier": "1"},
    3,
]


@pytest.mark.parametrize("failures", MALFORMED, ids=str)
def test_a_malformed_report_means_that_the_whole_batch_failed(failures: Any) -> None:
    poller = _queue_poller(lambda: {"batchItemFailures": failures})
    assert poller._invoke([{"messageId": "1"}, {"messageId": "2"}]) == {"1", "2"}


@pytest.mark.parametrize(("failures", "failed"), [([], set()), (None, set()), ([{"itemIdentifier": "2"}], {"2"})])
def test_a_report_names_the_messages_that_failed(failures: Any, failed: set[str]) -> None:
    poller = _queue_poller(lambda: {"batchItemFailures": failures})
    assert poller._invoke([{"messageId": "1"}, {"messageId": "2"}]) == failed


def test_a_call_that_raises_is_a_failed_batch_of_a_queue() -> None:
    poller = _queue_poller(lambda: 1 / 0)
    assert poller._invoke([{"messageId": "1"}]) == {"1"}


@pytest.mark.parametrize("failures", [*MALFORMED, "a call that raises"], ids=str)
def test_a_stream_gives_up_a_batch_with_malformed_reports(failures: Any) -> None:
    def call(*arguments: Any) -> Any:
        if failures == "a call that raises":
            raise RuntimeError(failures)
        payload = json.dumps({"batchItemFailures": failures}).encode()
        return SimpleNamespace(result=SimpleNamespace(error=None, payload=payload))

    given_up: list[tuple[Any, ...]] = []
    on_failure = SimpleNamespace(send=lambda *arguments: given_up.append(arguments))
    mapping = {"FunctionArn": "arn:f", "MaximumRetryAttempts": 1, "FunctionResponseTypes": ["ReportBatchItemFailures"]}
    batches = Batches(
        cast(Any, SimpleNamespace(call=call)),
        mapping,
        "shard",
        cast(Any, on_failure),
        Progress(lambda number: None),
        speed=1000.0,
    )
    records = [{"kinesis": {"sequenceNumber": str(n), "approximateArrivalTimestamp": 0.0}} for n in (1, 2)]
    batches.process(cast(Any, SimpleNamespace(stopped=False, wait=lambda seconds: None)), records)
    assert [(sent[1], sent[2]) for sent in given_up] == [(records, "RetryAttemptsExhausted")]


def _all_zero(attributes: dict[str, str]) -> bool:
    return set(attributes.values()) == {"0"}


def test_delivery_streams_write_buffered_objects_to_s3(environment: Environment, deploy: Deploy) -> None:
    destination = {
        "BucketARN": {"Fn::GetAtt": ["Bucket", "Arn"]},
        "RoleARN": {"Fn::GetAtt": ["Role", "Arn"]},
        "Prefix": "events/year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/hour=!{timestamp:HH}/",
        "ErrorOutputPrefix": "errors/!{firehose:error-output-type}/",
        "BufferingHints": {"IntervalInSeconds": 60, "SizeInMBs": 5},
        "CompressionFormat": "GZIP",
    }
    source = {"KinesisStreamARN": {"Fn::GetAtt": ["Stream", "Arn"]}, "RoleARN": {"Fn::GetAtt": ["Role", "Arn"]}}
    kind = "AWS::KinesisFirehose::DeliveryStream"
    from_kinesis = {
        "DeliveryStreamName": "archive",
        "DeliveryStreamType": "KinesisStreamAsSource",
        "KinesisStreamSourceConfiguration": source,
        "ExtendedS3DestinationConfiguration": destination,
    }
    plain = {**destination, "Prefix": "plain/", "CompressionFormat": "UNCOMPRESSED"}
    uncompressed = {**from_kinesis, "DeliveryStreamName": "plain", "ExtendedS3DestinationConfiguration": plain}
    deploy(
        "archive",
        {
            "Role": role(),
            "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "archive-bucket"}},
            "Stream": {"Type": "AWS::Kinesis::Stream", "Properties": {"Name": "archived", "ShardCount": 1}},
            "Archive": {"Type": kind, "Properties": from_kinesis},
            "Plain": {"Type": kind, "Properties": uncompressed},
        },
    )
    records = [{"Data": f'{{"n": {n}}}\n'.encode(), "PartitionKey": "k"} for n in range(3)]
    environment.client("kinesis").put_records(StreamName="archived", Records=records)
    s3 = environment.client("s3")

    def body(prefix: str) -> bytes | None:
        found = s3.list_objects_v2(Bucket="archive-bucket", Prefix=prefix).get("Contents")
        return s3.get_object(Bucket="archive-bucket", Key=found[0]["Key"])["Body"].read() if found else None

    archived = gzip.decompress(eventually(lambda: body("events/year=20")))
    assert [json.loads(line)["n"] for line in archived.splitlines()] == [0, 1, 2]
    assert eventually(lambda: body("plain/20")) == archived
    key = s3.list_objects_v2(Bucket="archive-bucket", Prefix="events/")["Contents"][0]["Key"]
    assert key.endswith(".gz")
    assert key.split("/")[2].startswith("month=")


def test_a_delivery_stream_that_is_made_anew_starts_afresh(environment: Environment, deploy: Deploy) -> None:
    """What could not be written waits; neither old settings nor the place in the old Kinesis stream are kept."""
    s3 = environment.client("s3")

    def delivery(name: str, bucket: str) -> dict[str, Any]:
        destination = {
            "BucketARN": f"arn:aws:s3:::{bucket}",
            "RoleARN": arn_of("Role"),
            "Prefix": "a/",
            "BufferingHints": {"IntervalInSeconds": 5, "SizeInMBs": 1},
        }
        properties = {
            "DeliveryStreamName": name,
            "DeliveryStreamType": "KinesisStreamAsSource",
            "KinesisStreamSourceConfiguration": {"KinesisStreamARN": arn_of("Stream"), "RoleARN": arn_of("Role")},
            "ExtendedS3DestinationConfiguration": destination,
        }
        return {"Type": "AWS::KinesisFirehose::DeliveryStream", "Properties": properties}

    def resources(bucket: str) -> dict[str, Any]:
        return {
            "Role": role(),
            "Stream": {"Type": "AWS::Kinesis::Stream", "Properties": {"Name": "anew", "ShardCount": 1}},
            "Delivery": delivery("anew", bucket),
            "Other": delivery("anew-other", "anew-other"),
        }

    def written(bucket: str) -> bytes:
        keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
        return b"".join(s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys)

    def put_lines(*lines: bytes) -> None:
        records = [{"Data": line, "PartitionKey": "k"} for line in lines]
        environment.client("kinesis").put_records(StreamName="anew", Records=records)

    s3.create_bucket(Bucket="anew-other")
    deploy("anew", resources("anew-old"))
    put_lines(b"1", b"2")
    assert eventually(lambda: written("anew-other")) == b"12"  # here the bucket is not there yet: it fails, and is tried again
    s3.create_bucket(Bucket="anew-old")
    assert eventually(lambda: written("anew-old")) == b"12"
    s3.create_bucket(Bucket="anew-new")
    environment.client("cloudformation").delete_stack(StackName="anew")
    deploy("anew", resources("anew-new"))
    put_lines(b"3")
    assert eventually(lambda: written("anew-new")) == b"3"
