"""What the ingestion templates promise: nothing is thrown away, browsers may do little, values enter templates safely."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from reco.local.synth import node_path
from stacks.ingestion_api import EVENTS_ENVELOPE, RECORD_ENVELOPE, TEMPLATES, TEXT
from tests.stacks.conftest import Templates, all_of


def only(templates: Templates, stack: str, kind: str) -> dict[str, Any]:
    """The properties of the one resource of a type."""
    (found,) = all_of(templates, stack, kind)
    return found


def test_the_stream_is_encrypted_and_keeps_records_longer_than_the_mapping_tries(templates: Templates) -> None:
    stream = only(templates, "ingestion", "AWS::Kinesis::Stream")
    mapping = next(m for m in all_of(templates, "ingestion", "AWS::Lambda::EventSourceMapping") if "StartingPosition" in m)
    assert stream["StreamEncryption"]["EncryptionType"] == "KMS"
    assert stream["StreamModeDetails"] == {"StreamMode": "ON_DEMAND"}
    assert mapping["MaximumRecordAgeInSeconds"] < stream["RetentionPeriodHours"] * 3600
    assert mapping["BisectBatchOnFunctionError"]
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["StartingPosition"] == "TRIM_HORIZON"
    assert ":s3:::" in json.dumps(mapping["DestinationConfig"]["OnFailure"])


def test_items_and_users_have_a_queue_with_low_concurrency_and_a_dead_letter_queue(templates: Templates) -> None:
    mapping = next(m for m in all_of(templates, "ingestion", "AWS::Lambda::EventSourceMapping") if "ScalingConfig" in m)
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 2}
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    queues = {q["QueueName"]: q for q in all_of(templates, "ingestion", "AWS::SQS::Queue")}
    assert set(queues) == {"movielens_records", "movielens_records-stuck", "movielens_dead-letters"}
    assert queues["movielens_records"]["RedrivePolicy"]["maxReceiveCount"] == 400
    assert all(queue["SqsManagedSseEnabled"] for queue in queues.values())
    assert queues["movielens_dead-letters"]["MessageRetentionPeriod"] == 14 * 86_400


def test_the_archive_is_what_the_table_reads(templates: Templates) -> None:
    delivery = only(templates, "ingestion", "AWS::KinesisFirehose::DeliveryStream")
    target = delivery["ExtendedS3DestinationConfiguration"]
    assert delivery["DeliveryStreamType"] == "KinesisStreamAsSource"
    assert target["CompressionFormat"] == "GZIP"
    assert target["Prefix"].startswith("events/year=!{timestamp:yyyy}/")
    table = only(templates, "ingestion", "AWS::Glue::Table")["TableInput"]
    assert [key["Name"] for key in table["PartitionKeys"]] == ["hour"]
    assert table["Parameters"]["projection.hour.format"] == "'year='yyyy'/month='MM'/day='dd'/hour='HH"
    assert table["Parameters"]["projection.hour.range"] == "NOW-366DAYS,NOW"
    assert "/events/${hour}/" in json.dumps(table["Parameters"])
    assert table["Parameters"]["projection.enabled"] == "true"


def test_every_alarm_says_where_its_page_is_and_mails(templates: Templates) -> None:
    alarms = all_of(templates, "ingestion", "AWS::CloudWatch::Alarm")
    names = {alarm["AlarmName"].removeprefix("movielens_") for alarm in alarms}
    assert {"events-late", "dead-letters", "put-events-throttled", "archive-late", "user-deletion-failed"} <= names
    page = Path("docs/ingestion.md").read_text()
    for alarm in alarms:
        assert alarm["AlarmActions"]
        assert "docs/ingestion.md#when-an-alarm-rings" in alarm["AlarmDescription"]
        assert f"`{alarm['AlarmName'].removeprefix('movielens_')}`" in page


def test_templates_take_values_of_a_request_through_base64_or_as_json_alone() -> None:
    for file in ("post_events.vtl", "put_record.vtl"):
        for line in (TEMPLATES / file).read_text().splitlines():
            for source in ("$event.", "$input.params", "$context.requestId"):
                position = line.find(source)
                while position >= 0:
                    assert line[:position].endswith("$util.base64Encode("), (file, line)
                    position = line.find(source, position + 1)


@pytest.mark.parametrize(
    ("body", "valid"),
    [
        ({"events": [{"event_type": "view", "session_id": "s"}]}, True),
        ({"events": [{"event_type": "v" * 256, "session_id": "s" * 256, "user_id": "😀" * 256}]}, True),
        ({"events": [{"event_type": "view", "session_id": "s", "properties": "anything", "more": [1]}]}, True),
        ({"events": [{"event_type": "view", "session_id": "s"}] * 500}, True),
        ({"events": [{"event_type": "view", "session_id": "s"}] * 501}, False),
        ({"events": []}, False),
        ({"events": ["view", None, {"event_type": "view"}, {"event_type": "", "session_id": "s"}]}, True),
        ({"events": [{"event_type": "view", "session_id": 5, "user_id": "u" * 257, "item_id": None}]}, True),
        ({"events": [{"event_type": "view", "session_id": "s", "user_id": "u\ud83d"}]}, False),
        ({"events": [{"event_type": "view", "session_id": "s", "impression": ["\udc00"]}]}, False),
        ({"events": [{"event_type": "view", "session_id": "s", "properties": {"device": "\udc00\ud800"}}]}, False),
        ({"events": [{"event_type": "view", "session_id": "s"}], "more": 1}, False),
        ([], False),
    ],
)
def test_the_envelope(body: Any, valid: bool) -> None:
    jsonschema.Draft4Validator.check_schema(EVENTS_ENVELOPE)
    assert jsonschema.Draft4Validator(EVENTS_ENVELOPE).is_valid(body) is valid


@pytest.mark.parametrize(
    ("body", "valid"),
    [({"TITLE": "가", "MORE": [1, {"a": [None]}]}, True), ({}, False), ([], False), ({"TITLE": "\ud800"}, False)],
)
def test_the_envelope_of_records(body: Any, valid: bool) -> None:
    assert jsonschema.Draft4Validator(RECORD_ENVELOPE).is_valid(body) is valid


def test_the_pattern_of_texts_is_one_of_ecmascript() -> None:
    """There, a character beyond the first 65,536 is two units."""
    texts = [
        "",
        "abc",
        "모바일",
        "\U0001f600",
        "a\U0001f600" * 5000,
        "\ud800",
        "a\udc00b",
        "\U0001f600\ud83d",
        "\udc00\ud800",
        "x" * 50_000 + "\ud800",
    ]
    script = "const [p, texts] = JSON.parse(require('fs').readFileSync(0)); console.log(JSON.stringify(texts.map(t => new RegExp(p).test(t))))"
    given, environ = json.dumps([TEXT["pattern"], texts]), os.environ | {"PATH": node_path()}
    done = subprocess.run(["node", "-e", script], input=given, env=environ, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [True] * 5 + [False] * 5
