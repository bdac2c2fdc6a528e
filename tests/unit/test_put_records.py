"""Items and users from their queue: into Personalize, into the catalogue, or to the dead letters."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from lambdas.put_records import handler as put_records
from lambdas.shared.erasures import erase
from tests.unit.conftest import Deployment, dead_letters, exported, set_faults

ITEM = {"TITLE": "Spade", "CATEGORY": ["garden", "tools"], "PRICE": 9.5, "STOCK": 3, "CREATION_TIMESTAMP": 1_700_000_000}


def message(kind: str, record_id: str, body: Any, received_at: int = 1000) -> dict[str, Any]:
    """A message as the API writes it."""
    coded = b64encode(json.dumps(body).encode()).decode()
    fields = {"kind": kind, "received_at": received_at, "id": "request", "body": coded}
    fields["record_id"] = b64encode(record_id.encode()).decode()
    return {"messageId": f"{kind}-{record_id}-{received_at}", "body": json.dumps(fields)}


def put(shop: Deployment, *messages: dict[str, Any]) -> list[str]:
    """The ids of the messages that are not done."""
    answer = shop.call(put_records.handler, Records=list(messages))
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def catalogue(shop: Deployment) -> dict[str, Any]:
    rows = shop.client("dynamodb").scan(TableName=f"{shop.config.name}-catalogue")["Items"]
    return {row["item_id"]["S"]: row["attributes"]["M"] for row in rows}


def test_items_reach_personalize_and_the_catalogue(stream: Deployment) -> None:
    assert put(stream, message("item", 'i/1 "é', ITEM), message("item", "i2", ITEM | {"STOCK": 0, "DESCRIPTION": "long"})) == []
    assert exported(stream, "items", "ITEM_ID", "CATEGORY", "STOCK") == [
        ['i/1 "é', "garden|tools", "3"],
        ["i2", "garden|tools", "0"],
    ]
    rows = catalogue(stream)
    assert rows["i2"]["STOCK"] == {"N": "0"}
    assert rows["i2"]["CATEGORY"] == {"L": [{"S": "garden"}, {"S": "tools"}]}
    assert "DESCRIPTION" not in rows["i2"]


def test_the_newest_put_of_a_record_counts_whatever_comes_last(stream: Deployment) -> None:
    put(stream, message("item", "i1", ITEM | {"STOCK": 1}, 3000), message("item", "i1", ITEM | {"STOCK": 2}, 2000))
    assert put(stream, message("item", "i1", ITEM | {"STOCK": 9}, 1000)) == []
    assert catalogue(stream)["i1"]["STOCK"] == {"N": "1"}
    assert exported(stream, "items", "ITEM_ID", "STOCK") == [["i1", "1"]]


def test_the_newest_put_of_a_user_counts_too(stream: Deployment) -> None:
    assert put(stream, message("user", "u1", {"AGE": 30}, 3000)) == []
    assert put(stream, message("user", "u1", {"AGE": 20}, 2000)) == []
    assert put(stream, message("user", "u1", {"AGE": 31}, 3000)) == []  # one that came again
    assert exported(stream, "users", "USER_ID", "AGE") == [["u1", "31"]]


def test_users_reach_personalize_but_not_erased_ones(stream: Deployment) -> None:
    erase("u2")
    assert put(stream, message("user", "u1", {"AGE": 30}), message("user", "u2", {"AGE": 40})) == []
    assert exported(stream, "users", "USER_ID", "AGE") == [["u1", "30"]]
    assert dead_letters(stream) == []


def test_bad_records_go_to_the_dead_letters(stream: Deployment) -> None:
    cases = [
        (message("item", "i1", ITEM | {"COLOUR": "red"}), "COLOUR: there is no such column"),
        (message("item", "i1", {"TITLE": "Spade"}), "PRICE: is required"),
        (message("item", "i1", ITEM | {"PRICE": "cheap"}), "PRICE: must be a number"),
        (message("item", "i1", ITEM | {"STOCK": True}), "STOCK: must be a whole number"),
        (message("item", "i1", ITEM | {"STOCK": 1.5}), "STOCK: must be a whole number"),
        (message("item", "i1", ITEM | {"TITLE": "x" * 1_001}), "TITLE: is longer than the 1000 characters of a string"),
        (message("item", "i1", ITEM | {"STOCK": 2**31}), "STOCK: is '2147483648', which does not fit into type int"),
        (message("item", "i1", ITEM | {"CREATION_TIMESTAMP": 1_700_000_000_000}), "which looks like milliseconds"),
        (message("item", "i1", ITEM | {"DESCRIPTION": "x" * 33_000}), "longer than 32000"),
        (message("item", "i" * 300, ITEM), "id: has more than 256 characters"),
        (message("item", "i1", [1]), "must be an object"),
        ({"messageId": "m", "body": "no JSON"}, "not one of the API's"),
    ]
    for bad, reason in cases:
        assert put(stream, bad, message("user", "u1", {"AGE": 30})) == []
        (letter,) = dead_letters(stream)
        assert reason in letter["reason"], letter
    assert exported(stream, "users", "USER_ID", "AGE") == [["u1", "30"]]
    assert catalogue(stream) == {}


def test_what_is_throttled_for_too_long_comes_again(
    stream: Deployment, personalize_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream.context, "get_remaining_time_in_millis", lambda: put_records.RESERVE + 200)
    set_faults(personalize_endpoint, [{"operation": "PutItems", "action": "throttle"}])
    both = [message("item", "i1", ITEM), message("user", "u1", {"AGE": 30})]
    assert put(stream, *both) == ["item-i1-1000"]
    set_faults(personalize_endpoint, [])
    assert put(stream, both[0]) == []
    assert exported(stream, "items", "ITEM_ID", "STOCK") == [["i1", "3"]]
