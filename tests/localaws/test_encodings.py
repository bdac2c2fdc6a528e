"""Bytes that are no UTF-8, halves of surrogate pairs, and texts that look like requests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3

from localaws.environment import Environment
from personalize_emulator.emulator import PersonalizeEmulator
from tests.localaws.apps import write_app
from tests.localaws.test_api_gateway import Api, proxy

HTTP = urllib3.PoolManager(retries=False)
BODY = {"id": "é", "note": "모바일"}


@pytest.fixture(scope="module")
def api(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> str:
    """One route whose body is checked."""
    made = Api("encodings")
    made.add("Model", "Model", Name="Thing", ContentType="application/json", Schema={"type": "object", "required": ["id"]})
    made.add("RequestValidator", "Body", ValidateRequestBody=True)
    made.path("Things", "things")
    made.path("Thing", "{thing_id}", "Things")
    checked = {"RequestModels": {"application/json": {"Ref": "Model"}}, "RequestValidatorId": {"Ref": "Body"}}
    made.method("Thing", "POST", proxy(), **checked)
    app = write_app(tmp_path_factory.mktemp("encodings"), {"name": "encodings", "resources": made.stage()})
    environment.deploy(app)
    return environment.apis["encodings"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_only_plain_utf_8_is_json(api: str, encoding: str) -> None:
    answer = HTTP.request("POST", f"{api}/things/1", body=json.dumps(BODY, ensure_ascii=False).encode(encoding))
    assert (answer.status, json.loads(answer.data)["message"]) == (400, "Invalid request body")
    assert HTTP.request("POST", f"{api}/things/1", body=json.dumps(BODY, ensure_ascii=False).encode()).status == 201


@pytest.mark.parametrize("path", ["/things/%ff", "/things/%ED%A0%80", "/things/a?who=%ff", "/things/a?%ED%A0%80=1"])
def test_an_address_that_is_no_utf_8_is_refused(api: str, path: str) -> None:
    """Else two such ids would look alike."""
    assert HTTP.request("POST", f"{api}{path}", body=json.dumps(BODY).encode()).status == 400


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PersonalizeEmulator]:
    with PersonalizeEmulator(tmp_path_factory.mktemp("encodings-personalize"), speed=10_000) as running:
        yield running


@pytest.mark.parametrize(
    ("path", "request_"),
    [
        ("/recommendations", {"campaignArn": "arn:aws:personalize:us-east-1:1:campaign/c", "userId": "\ud800"}),
        ("/events", {"trackingId": "t", "sessionId": "\udfff", "eventList": [{"eventType": "a", "sentAt": 1}]}),
        ("/events", {"trackingId": "t", "sessionId": "s", "eventList": [{"eventType": "a\ud800", "sentAt": 1}]}),
        ("/items", {"datasetArn": "arn:aws:personalize:us-east-1:1:dataset/g/ITEMS", "items": [{"itemId": "\ud800"}]}),
    ],
    ids=["user", "session", "event type", "item"],
)
def test_half_a_surrogate_is_invalid_input(emulator: PersonalizeEmulator, path: str, request_: dict[str, Any]) -> None:
    answer = HTTP.request("POST", f"{emulator.endpoint}{path}", body=json.dumps(request_).encode())
    assert (answer.status, answer.headers["x-amzn-ErrorType"]) == (400, "InvalidInputException")
    assert "must be valid Unicode" in json.loads(answer.data)["message"]


@pytest.mark.parametrize(
    "body",
    [
        '{"speed": Infinity}',
        '{"speed": NaN}',
        '{"speed": true}',
        '{"speed": "2"}',
        '{"durations": 5}',
        '{"durations": {"campaign": 5}}',
        '{"durations": {"campaign": [1, Infinity]}}',
        '{"quotas": []}',
        '{"quotas": {"schemas": 1.5}}',
        '{"faults": {}}',
        '{"faults": [5]}',
        '{"faults": [{"operation": 5, "action": "throttle"}]}',
        '{"faults": [{"operation": "*", "action": "slow", "seconds": "1"}]}',
        "[" * 100_000,
        "[]",
        "no json",
    ],
)
def test_settings_of_a_wrong_type_are_refused_and_none_is_changed(emulator: PersonalizeEmulator, body: str) -> None:
    url = f"{emulator.endpoint}/_emulator"
    before = HTTP.request("GET", url).data
    answer = HTTP.request("PUT", url, body=body.encode())
    assert answer.status == 400
    assert json.loads(answer.data)["message"]
    assert HTTP.request("GET", url).data == before


def test_a_text_that_looks_like_a_request_is_a_text(environment: Environment) -> None:
    dynamodb = environment.client("dynamodb")
    for name in ("texts", "other"):
        key = {"AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}]}
        schema = [{"AttributeName": "id", "KeyType": "HASH"}]
        dynamodb.create_table(TableName=name, KeySchema=schema, BillingMode="PAY_PER_REQUEST", **key)
    text = "a&Action=AssumeRoleWithSAML&Version=2011-06-15&TableName=other&b"
    dynamodb.put_item(TableName="texts", Item={"id": {"S": text}})
    assert dynamodb.scan(TableName="texts")["Items"] == [{"id": {"S": text}}]
    assert dynamodb.scan(TableName="other")["Items"] == []
    events = environment.client("events")
    answer = events.put_events(Entries=[{"Source": "shop", "DetailType": "x", "Detail": json.dumps({"text": text})}])
    assert answer["FailedEntryCount"] == 0
    environment.client("ssm").put_parameter(Name="text", Value=text, Type="String")
    assert environment.client("ssm").get_parameter(Name="text")["Parameter"]["Value"] == text
