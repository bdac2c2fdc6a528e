"""What was put in is there after a restart, however the process ended; and restoring it calls nobody."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import urllib3
from hypothesis import given, settings
from hypothesis import strategies as st

from localaws.environment import Environment, LocalAwsError, launch
from localaws.persistence.codec import decode, encode
from localaws.persistence.database import Database
from localaws.persistence.executions import Executions
from localaws.persistence.journal import Journal
from tests.harness.waiting import eventually
from tests.localaws.apps import Resources, function, resource_policy, state_machine, write_app
from tests.localaws.test_api_gateway import Api, proxy

#: Writes what it gets into the table, once the gate is open.
CONSUMER = """
import base64, boto3
def handler(event, context):
    table = boto3.resource("dynamodb").Table("things")
    if "Item" not in table.get_item(Key={"kind": "gate", "name": "open"}): raise ValueError("closed")
    for record in event["Records"]:
        table.put_item(Item={"kind": "record", "name": base64.b64decode(record["kinesis"]["data"]).decode()})
"""
WAITS = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 100000, "End": True}}}
PASSES = {"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "Result": {"made": "before"}, "End": True}}}


def key(name: str, kind: str = "S") -> dict[str, str]:
    return {"AttributeName": name, "AttributeType": kind}


def resources() -> Resources:
    api = Api("kept")
    api.path("Things", "things")
    api.method("Things", "GET", proxy(), ApiKeyRequired=True)
    found = api.stage()
    usage = {"ApiStages": [{"ApiId": {"Ref": "Api"}, "Stage": {"Ref": "Stage"}}]}
    found |= {
        "Key": {"Type": "AWS::ApiGateway::ApiKey", "Properties": {"Name": "kept"}},
        "Plan": {"Type": "AWS::ApiGateway::UsagePlan", "Properties": {"UsagePlanName": "kept", **usage}},
        "PlanKey": {
            "Type": "AWS::ApiGateway::UsagePlanKey",
            "Properties": {"KeyId": {"Ref": "Key"}, "KeyType": "API_KEY", "UsagePlanId": {"Ref": "Plan"}},
        },
        "Table": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "TableName": "things",
                "AttributeDefinitions": [key("kind"), key("name")],
                "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}, {"AttributeName": "name", "KeyType": "RANGE"}],
                "BillingMode": "PAY_PER_REQUEST",
                "TimeToLiveSpecification": {"AttributeName": "expires", "Enabled": True},
            },
        },
        "Bucket": {
            "Type": "AWS::S3::Bucket",
            "Properties": {
                "VersioningConfiguration": {"Status": "Enabled"},
                "NotificationConfiguration": {"EventBridgeConfiguration": {"EventBridgeEnabled": True}},
            },
        },
        "Heard": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "heard"}},
        "Policy": resource_policy("SQS::QueuePolicy", {"Queues": [{"Ref": "Heard"}]}, "events", "sqs:SendMessage"),
        "Rule": {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "EventPattern": {"source": ["aws.s3"], "detail-type": ["Object Created"]},
                "Targets": [{"Id": "heard", "Arn": {"Fn::GetAtt": ["Heard", "Arn"]}}],
            },
        },
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "waiting", "VisibilityTimeout": 600}},
        "Stream": {"Type": "AWS::Kinesis::Stream", "Properties": {"Name": "kept", "ShardCount": 2}},
        "Consumer": function("consumer", CONSUMER),
        "Mapping": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {
                "FunctionName": {"Ref": "Consumer"},
                "EventSourceArn": {"Fn::GetAtt": ["Stream", "Arn"]},
                "StartingPosition": "TRIM_HORIZON",
            },
        },
        "Waits": state_machine("waits", WAITS),
        "Passes": state_machine("passes", PASSES),
    }
    return found


OUTPUTS = {name: {"Ref": name} for name in ("Api", "Key", "Bucket", "Heard", "Queue", "Waits", "Passes")}


class Kept:
    """An environment that is stopped or killed, and started again on the same state."""

    def __init__(self, folder: Path) -> None:
        self._data = folder / "data"
        self.state = self._data / "state"
        self.up = self._launch(write_app(folder / "app", {"name": "kept", "resources": resources(), "outputs": OUTPUTS}))

    def _launch(self, app: Path | None, **options: Any) -> Environment:
        return launch(app, self._data, port=0, api_port=0, personalize=False, speed=1000, **options)

    def restart(self, *, kill: bool, **options: Any) -> None:
        if kill:
            os.kill(self.up.pid, signal.SIGKILL)
        self.up.stop()
        self.up = self._launch(None, **options)

    @property
    def outputs(self) -> dict[str, str]:
        return self.up.outputs("kept")

    def items(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.up.client("dynamodb").scan(TableName="things")["Items"]
        return sorted(found, key=str)

    def put_item(self, kind: str, name: str, **more: Any) -> None:
        self.up.client("dynamodb").put_item(TableName="things", Item={"kind": {"S": kind}, "name": {"S": name}, **more})

    def messages(self, queue: str) -> list[str]:
        answer = self.up.client("sqs").receive_message(QueueUrl=self.outputs[queue], MaxNumberOfMessages=10)
        return sorted(message["Body"] for message in answer.get("Messages", []))


@pytest.fixture(params=[True, False], ids=["killed", "stopped"], scope="module")
def kill(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    made = Kept(tmp_path_factory.mktemp("kept"))
    yield made
    made.up.stop()


def test_items_are_as_the_last_write_left_them(kept: Kept, kill: bool) -> None:
    values = {"number": {"N": "1.50"}, "list": {"L": [{"B": b"\x00\xff"}, {"NULL": True}]}, "set": {"SS": ["a", "b"]}}
    kept.put_item("all", "types", **values)
    kept.put_item("gone", "soon")
    dynamodb = kept.up.client("dynamodb")
    update = {"UpdateExpression": "SET n = :one", "ExpressionAttributeValues": {":one": {"N": "1"}}}
    dynamodb.update_item(TableName="things", Key={"kind": {"S": "made by"}, "name": {"S": "an update"}}, **update)
    dynamodb.delete_item(TableName="things", Key={"kind": {"S": "gone"}, "name": {"S": "soon"}})
    put = {"TableName": "things", "Item": {"kind": {"S": "taken"}, "name": {"S": "back"}}}
    nowhere = {"kind": {"S": "no"}, "name": {"S": "no"}}
    check = {"TableName": "things", "Key": nowhere, "ConditionExpression": "attribute_exists(kind)"}
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException):
        dynamodb.transact_write_items(TransactItems=[{"Put": put}, {"ConditionCheck": check}])
    before = kept.items()
    assert {"kind": {"S": "all"}, "name": {"S": "types"}, **values} in before
    kept.restart(kill=kill)
    assert kept.items() == before
    kept.put_item("after", "it")  # the keys are those that they were: nothing stands there twice
    kept.put_item("all", "types", **values)
    assert len(kept.items()) == len(before) + 1
    dynamodb = kept.up.client("dynamodb")
    dynamodb.delete_item(TableName="things", Key={"kind": {"S": "after"}, "name": {"S": "it"}})


def test_objects_keep_their_bytes_versions_metadata_and_tags(kept: Kept, kill: bool) -> None:
    s3, bucket = kept.up.client("s3"), kept.outputs["Bucket"]
    s3.put_object(Bucket=bucket, Key="a/b c+é", Body=b"first")
    s3.put_object(Bucket=bucket, Key="a/b c+é", Body=b"second", Metadata={"who_is": "me"}, ContentType="text/csv", Tagging="x=1")
    s3.put_object(Bucket=bucket, Key="deleted", Body=b"still there")
    s3.delete_object(Bucket=bucket, Key="deleted")
    s3.put_object(Bucket=bucket, Key="empty", Body=b"")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="large")["UploadId"]
    parts = [os.urandom(9 << 20), os.urandom(9 << 20), b"end"]
    tags = [
        s3.upload_part(Bucket=bucket, Key="large", UploadId=upload, PartNumber=n, Body=part)["ETag"]
        for n, part in enumerate(parts, 1)
    ]
    done = {"Parts": [{"ETag": tag, "PartNumber": n} for n, tag in enumerate(tags, 1)]}
    s3.complete_multipart_upload(Bucket=bucket, Key="large", UploadId=upload, MultipartUpload=done)
    listed = s3.list_object_versions(Bucket=bucket)
    kept.restart(kill=kill)
    s3 = kept.up.client("s3")
    after = s3.list_object_versions(Bucket=bucket)
    for kind in ("Versions", "DeleteMarkers"):
        assert after[kind] == listed[kind]
    found = s3.get_object(Bucket=bucket, Key="a/b c+é")
    assert (found["Body"].read(), found["Metadata"], found["ContentType"]) == (b"second", {"who_is": "me"}, "text/csv")
    assert s3.get_object_tagging(Bucket=bucket, Key="a/b c+é")["TagSet"] == [{"Key": "x", "Value": "1"}]
    first = next(each for each in after["Versions"] if each["Key"] == "a/b c+é" and not each["IsLatest"])
    assert s3.get_object(Bucket=bucket, Key="a/b c+é", VersionId=first["VersionId"])["Body"].read() == b"first"
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket=bucket, Key="deleted")
    assert s3.get_object(Bucket=bucket, Key="empty")["Body"].read() == b""
    whole = b"".join(parts)
    assert s3.get_object(Bucket=bucket, Key="large")["Body"].read() == whole
    assert s3.get_object(Bucket=bucket, Key="large", Range="bytes=9437180-9437190")["Body"].read() == whole[9437180:9437191]
    for version in [*after["Versions"], *after["DeleteMarkers"]]:
        s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
    assert not [path for path in (kept.state / "objects").rglob("*") if path.is_file() and path.stat().st_size > 8 << 20]


def test_messages_and_undelivered_records_wait_on(kept: Kept, kill: bool) -> None:
    sqs, kinesis = kept.up.client("sqs"), kept.up.client("kinesis")
    for body in ("one", "two", "three"):
        sqs.send_message(
            QueueUrl=kept.outputs["Queue"],
            MessageBody=body,
            MessageAttributes={"b": {"DataType": "Binary", "BinaryValue": b"\xff"}},
        )
    received = sqs.receive_message(QueueUrl=kept.outputs["Queue"], MaxNumberOfMessages=1)["Messages"][0]
    sqs.delete_message(QueueUrl=kept.outputs["Queue"], ReceiptHandle=received["ReceiptHandle"])
    in_work = sqs.receive_message(QueueUrl=kept.outputs["Queue"], MaxNumberOfMessages=1)["Messages"][0]["Body"]
    sent = {f"r{kill}{n}" for n in range(20)}
    kinesis.put_records(StreamName="kept", Records=[{"Data": each.encode(), "PartitionKey": each} for each in sorted(sent)])
    kept.restart(kill=kill)
    left = {"one", "two", "three"} - {received["Body"]}
    assert in_work in left
    assert set(kept.messages("Queue")) == left  # what somebody worked at is there again
    kept.up.client("sqs").purge_queue(QueueUrl=kept.outputs["Queue"])
    kept.put_item("gate", "open")
    eventually(lambda: sent <= {item["name"]["S"] for item in kept.items()})


def test_a_reader_goes_on_where_it_was(kept: Kept, kill: bool) -> None:
    kept.put_item("gate", "open")
    kinesis = kept.up.client("kinesis")
    kinesis.put_record(StreamName="kept", Data=f"done{kill}".encode(), PartitionKey="p")
    name = {"kind": {"S": "record"}, "name": {"S": f"done{kill}"}}
    eventually(lambda: name in kept.items())
    eventually(lambda: position_is_that_of_the_stream(kept))
    kept.up.client("dynamodb").delete_item(TableName="things", Key=name)
    kept.restart(kill=kill)
    kept.up.client("kinesis").put_record(StreamName="kept", Data=f"next{kill}".encode(), PartitionKey="p")
    eventually(lambda: {"kind": {"S": "record"}, "name": {"S": f"next{kill}"}} in kept.items())
    assert name not in kept.items()


def position_is_that_of_the_stream(kept: Kept) -> bool:
    with sqlite3.connect(kept.state / "state.sqlite") as database:
        newest = dict(database.execute("SELECT shard, max(number) FROM records WHERE stream = 'kept' GROUP BY shard").fetchall())
        done = database.execute("SELECT key, value FROM kept WHERE kind = 'position'").fetchall()
    return {name.split("/")[1]: int(value) for name, value in done}.items() >= newest.items()


def test_ids_keys_and_names_are_the_same_and_what_nobody_deployed_is_there(kept: Kept, kill: bool) -> None:
    gateway = kept.up.client("apigateway")
    before = names(kept), gateway.get_api_key(apiKey=kept.outputs["Key"], includeValue=True)["value"]
    kept.up.client("ssm").put_parameter(Name="/by/hand", Value="{}", Type="String", Overwrite=True)
    kept.up.client("ssm").put_parameter(Name="/by/hand", Value='{"é": 1}', Type="String", Overwrite=True)
    table = {"AttributeDefinitions": [key("id")], "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]}
    if not kill:
        kept.up.client("s3").create_bucket(Bucket="by-hand")
        kept.up.client("s3").put_object(Bucket="by-hand", Key="k", Body=b"v")
        kept.up.client("dynamodb").create_table(TableName="by-hand", BillingMode="PAY_PER_REQUEST", **table)
        kept.up.client("dynamodb").put_item(TableName="by-hand", Item={"id": {"S": "i"}})
        kept.up.client("sqs").create_queue(QueueName="by-hand")
    kept.restart(kill=kill)
    gateway = kept.up.client("apigateway")
    assert (names(kept), gateway.get_api_key(apiKey=kept.outputs["Key"], includeValue=True)["value"]) == before
    answer = urllib3.request("GET", f"{kept.up.apis['kept']}/things", headers={"x-api-key": before[1]}, retries=False)
    assert answer.status == 201
    parameter = kept.up.client("ssm").get_parameter(Name="/by/hand")["Parameter"]
    assert parameter["Value"] == '{"é": 1}'
    if not kill:
        assert kept.up.client("s3").get_object(Bucket="by-hand", Key="k")["Body"].read() == b"v"
        assert kept.up.client("dynamodb").scan(TableName="by-hand")["Items"] == [{"id": {"S": "i"}}]
        assert kept.up.client("sqs").list_queues(QueueNamePrefix="by-hand")["QueueUrls"]


def names(kept: Kept) -> dict[str, str]:
    """The outputs, but for the addresses of queues, whose port is another each time."""
    return {name: value for name, value in kept.outputs.items() if not value.startswith("http")}


def test_executions_that_ran_are_aborted_and_others_are_as_they_were(kept: Kept, kill: bool) -> None:
    states = kept.up.client("stepfunctions")
    waits = states.start_execution(stateMachineArn=kept.outputs["Waits"], input='{"a": 1}')["executionArn"]
    passes = states.start_execution(stateMachineArn=kept.outputs["Passes"])["executionArn"]
    eventually(lambda: states.describe_execution(executionArn=passes)["status"] == "SUCCEEDED")
    history = states.get_execution_history(executionArn=passes)["events"]
    kept.restart(kill=kill)
    states = kept.up.client("stepfunctions")
    aborted = states.describe_execution(executionArn=waits)
    assert (aborted["status"], aborted["input"]) == ("ABORTED", '{"a":1}')
    assert "stopDate" in aborted
    past = states.describe_execution(executionArn=passes)
    assert (past["status"], json.loads(past["output"])) == ("SUCCEEDED", {"made": "before"})
    assert states.get_execution_history(executionArn=passes)["events"] == history
    listed = {each["executionArn"] for each in states.list_executions(stateMachineArn=kept.outputs["Passes"])["executions"]}
    assert passes in listed
    with pytest.raises(states.exceptions.InvalidToken):
        states.send_task_success(taskToken="none", output="{}")


class _Ends:
    """An execution that ends while its start is written: the first to read its status lets `ends` run before it goes on."""

    name = role_arn = exec_arn = "arn:aws:states:us-east-1:123456789012:execution:machine:one"
    start_date = stop_date = input_data = error = cause = trace_header = None
    state_machine = SimpleNamespace(arn="arn:aws:states:us-east-1:123456789012:stateMachine:machine")

    def __init__(self) -> None:
        self.output: str | None = None
        self._status, self.ends = "RUNNING", threading.Thread(target=lambda: None)

    @property
    def status(self) -> str:
        read = self._status
        if read == "RUNNING":
            self._status, self.output = "SUCCEEDED", "1"
            self.ends.start()
            self.ends.join(0.2)
        return read

    def to_history_output(self) -> dict[str, Any]:
        return {"events": []}


def test_an_execution_that_ends_while_its_start_is_written_is_kept_as_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    followers: dict[str, Any] = {}
    monkeypatch.setattr(
        "localaws.persistence.executions.follow", lambda path, then: followers.update({path.split(".")[-1]: then})
    )
    database = Database(tmp_path / "state")
    Executions(Journal(database)).install()
    execution = _Ends()
    execution.ends = threading.Thread(
        target=lambda: followers["terminated"](None, SimpleNamespace(execution=execution)), daemon=True
    )
    followers["start"](None, execution)
    execution.ends.join()
    (row,) = database.read("execution", execution.state_machine.arn).values()
    assert (decode(row)["status"], decode(row)["output"]) == ("SUCCEEDED", "1")


def test_restoring_calls_nobody(kept: Kept, kill: bool) -> None:
    """A rule that hears of new objects hears of those that are put after the restart, and of no other."""
    s3 = kept.up.client("s3")
    s3.put_object(Bucket=kept.outputs["Bucket"], Key="_READY", Body=b"")
    eventually(lambda: "_READY" in "".join(kept.messages("Heard")))
    kept.up.client("sqs").purge_queue(QueueUrl=kept.outputs["Heard"])
    kept.restart(kill=kill)
    kept.up.client("s3").put_object(Bucket=kept.outputs["Bucket"], Key="after", Body=b"")
    heard = eventually(lambda: kept.messages("Heard"))
    assert [json.loads(each)["detail"]["object"]["key"] for each in heard] == ["after"]


def test_logs_and_metrics_are_kept(kept: Kept, kill: bool) -> None:
    logs, cloudwatch = kept.up.client("logs"), kept.up.client("cloudwatch")
    group = f"by-hand-{kill}"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    now = int(time.time() * 1000)
    logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=[{"timestamp": now, "message": "héllo"}])
    cloudwatch.put_metric_data(Namespace=f"kept{kill}", MetricData=[{"MetricName": "m", "Values": [1.0, 2.0, 9.0]}])
    kept.restart(kill=kill)
    logs = kept.up.client("logs")
    logs.create_log_group(logGroupName=group)
    assert [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]] == ["héllo"]
    metric = {"Metric": {"Namespace": f"kept{kill}", "MetricName": "m"}, "Period": 7200, "Stat": "p50"}
    found = kept.up.client("cloudwatch").get_metric_data(
        MetricDataQueries=[{"Id": "m", "MetricStat": metric}], StartTime=time.time() - 3600, EndTime=time.time() + 60
    )
    assert found["MetricDataResults"][0]["Values"] == [2.0]


def test_what_is_deleted_is_not_left_in_any_file(kept: Kept) -> None:
    secret, name = "a-person-who-was-erased", "erased-object"
    kept.put_item("person", secret)
    s3, bucket = kept.up.client("s3"), kept.outputs["Bucket"]
    version = s3.put_object(Bucket=bucket, Key=name, Body=f"mail of {secret}".encode())["VersionId"]
    assert any(secret.encode() in path.read_bytes() for path in kept.state.rglob("*") if path.is_file())
    kept.up.client("dynamodb").delete_item(TableName="things", Key={"kind": {"S": "person"}, "name": {"S": secret}})
    s3.delete_object(Bucket=bucket, Key=name, VersionId=version)
    kept.restart(kill=False)
    assert not [path for path in kept.state.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


def test_a_state_of_another_version_is_refused_with_what_to_do(tmp_path: Path) -> None:
    Database(tmp_path / "state").close()
    with sqlite3.connect(tmp_path / "state" / "state.sqlite") as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(LocalAwsError, match=r"another version.*--fresh"):
        launch(None, tmp_path, port=0, api_port=0, personalize=False)
    with launch(None, tmp_path, port=0, api_port=0, personalize=False, fresh=True) as up:
        assert up.stacks == {}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | st.datetimes() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
@settings(max_examples=200)
def test_what_is_encoded_is_decoded_to_the_same(value: Any) -> None:
    assert decode(encode(value)) == value
