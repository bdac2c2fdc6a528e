"""Items and users from their queue: into Personalize, into the catalogue, or to the dead letters."""

from __future__ import annotations

import itertools
import json
import os
from base64 import b64encode
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambdas.aws import clients
from lambdas.config.names import dataset_arn
from lambdas.ingestion.put_records import handler as put_records
from lambdas.stores import whole_records
from lambdas.stores.erasures import erase
from tests.unit.conftest import Deployment, dead_letters, exported, set_faults

ITEM = {"TITLE": "Spade", "CATEGORY": ["garden", "tools"], "PRICE": 9.5, "STOCK": 3, "CREATION_TIMESTAMP": 1_700_000_000}


def message(kind: str, record_id: str, body: Any, received_at: int = 1000, receives: int = 5) -> dict[str, Any]:
    """A message as the API writes it, and as the queue gives it; `receives` says how often it has."""
    coded = b64encode(json.dumps(body).encode()).decode()
    fields = {"kind": kind, "received_at": received_at, "id": "unique", "body": coded}
    fields["request_id"] = b64encode(b"request").decode()
    fields["record_id"] = b64encode(record_id.encode()).decode()
    return {
        "messageId": f"{kind}-{record_id}-{received_at}",
        "receiptHandle": "handle",
        "attributes": {"ApproximateReceiveCount": str(receives)},
        "body": json.dumps(fields),
    }


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
        (message("item", "i" * 300, ITEM), "item_id: has no character, or more than 256 characters"),
        (message("item", "i\n1", ITEM), "item_id: has a line break or a NUL character"),
        (message("user", "u1\0", {"AGE": 30}), "user_id: has a line break or a NUL character"),
        (message("user", "u1\r", {"AGE": 30}), "user_id: has a line break or a NUL character"),
        (message("item", "i1", [1]), "must be an object"),
        (message("item", "i1", ITEM) | {"body": "no JSON"}, "not one of the API's"),
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
    both = [message("item", "i1", ITEM, receives=3), message("user", "u1", {"AGE": 30})]
    hidden: list[int] = []
    monkeypatch.setattr(clients.sqs(), "change_message_visibility", lambda **call: hidden.append(call["VisibilityTimeout"]))
    assert put(stream, *both) == ["item-i1-1000"]
    assert put(stream, message("item", "i1", ITEM, receives=99)) == ["item-i1-1000"]
    assert hidden == [20, 45]  # not the twelve minutes of the queue, and no longer once Personalize is back
    set_faults(personalize_endpoint, [])
    assert put(stream, both[0]) == []
    assert exported(stream, "items", "ITEM_ID", "STOCK") == [["i1", "3"]]


def patch(kind: str, record_id: str, changes: Any, received_at: int, receives: int = 5) -> dict[str, Any]:
    """A PATCH as the API writes it."""
    made = message(kind, record_id, changes, received_at, receives)
    return made | {"body": json.dumps(json.loads(made["body"]) | {"change": "patch"}), "messageId": f"patch-{received_at}"}


def test_a_patch_changes_its_columns_and_leaves_the_others(stream: Deployment) -> None:
    put(stream, message("item", "i1", ITEM | {"DESCRIPTION": "A spade.", "BRAND": "Garden"}, 1000))
    assert put(stream, patch("item", "i1", {"STOCK": 0, "PRICE": 5, "BRAND": None}, 2000)) == []
    assert exported(stream, "items", "ITEM_ID", "STOCK", "PRICE", "TITLE", "DESCRIPTION", "BRAND") == [
        ["i1", "0", "5.0", "Spade", "A spade.", ""]
    ]
    row = catalogue(stream)["i1"]
    assert (row["STOCK"], row["PRICE"], row["TITLE"]) == ({"N": "0"}, {"N": "5"}, {"S": "Spade"})
    assert "BRAND" not in row
    put(stream, message("user", "u1", {"AGE": 30, "MEMBERSHIP": "gold"}, 1000), patch("user", "u1", {"AGE": 31}, 2000))
    assert exported(stream, "users", "USER_ID", "AGE", "MEMBERSHIP") == [["u1", "31", "gold"]]


@pytest.mark.parametrize("nothing", [None, "", []])
def test_a_patch_can_not_clear_a_required_column(stream: Deployment, nothing: Any) -> None:
    put(stream, message("item", "i1", ITEM, 1000))
    assert put(stream, patch("item", "i1", {"TITLE": nothing, "STOCK": 0}, 2000), patch("item", "i1", {"PRICE": 5}, 3000)) == []
    (letter,) = dead_letters(stream)
    assert letter["reason"] == "TITLE: is required"
    assert exported(stream, "items", "TITLE", "STOCK", "PRICE") == [["Spade", "3", "5.0"]], "nothing of a bad patch is taken"


def test_puts_and_patches_lose_nothing_in_any_order_or_batch(stream: Deployment) -> None:
    """Of each column the newest value counts."""
    changes = [
        message("item", "{}", ITEM | {"STOCK": 1, "PRICE": 1.0}, 2000),
        patch("item", "{}", {"STOCK": 7}, 3000),
        patch("item", "{}", {"PRICE": 4.0}, 2500),
        message("item", "{}", ITEM | {"STOCK": 9, "PRICE": 9.0}, 1000),
        patch("item", "{}", {"TITLE": "Old"}, 1500),
    ]
    known = message("item", "{}", ITEM, 500)
    orders = list(itertools.permutations(range(5)))
    for n, order in enumerate(orders[:: len(orders) // 10]):
        item_id = f"order-{n}"
        own = [for_item(change, item_id) for change in [known, *(changes[place] for place in order)]]
        for batch in (own[:1], own[1:3], own[3:]) if n % 2 else ([one] for one in own):
            assert put(stream, *batch) == []
    assert dead_letters(stream) == []
    expected = {(row["STOCK"]["N"], row["PRICE"]["N"], row["TITLE"]["S"]) for row in catalogue(stream).values()}
    assert expected == {("7", "4.0", "Spade")}
    rows = exported(stream, "items", "STOCK", "PRICE", "TITLE")
    assert (len(rows), set(map(tuple, rows))) == (10, {("7", "4.0", "Spade")})


def for_item(change: dict[str, Any], item_id: str) -> dict[str, Any]:
    body = json.loads(change["body"]) | {"record_id": b64encode(item_id.encode()).decode()}
    return change | {"messageId": f"{change['messageId']}-{item_id}", "body": json.dumps(body)}


def test_a_patch_of_an_unknown_id_waits_for_its_put_and_then_is_a_dead_letter(
    stream: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(clients.sqs(), "change_message_visibility", lambda **call: asked.append(call))
    assert put(stream, patch("item", "i1", {"STOCK": 0}, 2000, receives=1)) == ["patch-2000"]
    assert asked == [{"QueueUrl": os.environ["RECORD_QUEUE_URL"], "ReceiptHandle": "handle", "VisibilityTimeout": 5}]
    assert put(stream, message("item", "i1", ITEM, 1000)) == []
    assert put(stream, patch("item", "i1", {"STOCK": 0}, 2000, receives=2)) == []
    assert catalogue(stream)["i1"]["STOCK"] == {"N": "0"}
    assert put(stream, patch("item", "nobody", {"STOCK": 0}, 2000, receives=5)) == []
    (letter,) = dead_letters(stream)
    assert letter["reason"] == "there is no item of this id: put it whole first"


def test_what_personalize_refuses_is_kept_nowhere(stream: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a reason that no rule of ours knows."""

    def refuse(**call: Any) -> None:
        error = {"Error": {"Code": "InvalidInputException", "Message": "No."}, "ResponseMetadata": {"HTTPStatusCode": 400}}
        raise ClientError(error, "PutItems")  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(clients.personalize_events(), "put_items", refuse)
        assert put(stream, message("item", "i1", ITEM), message("item", "i2", ITEM), message("item", "i2", ITEM, 2000)) == []
    assert [letter["reason"] for letter in dead_letters(stream)] == ["Personalize refused the item: No."] * 3
    assert catalogue(stream) == {}
    assert put(stream, patch("item", "i1", {"STOCK": 1}, 2000)) == []
    assert "there is no item of this id" in dead_letters(stream)[0]["reason"]


def test_two_workers_with_changes_of_one_record_lose_neither(stream: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    put(stream, message("item", "i1", ITEM, 1000))
    read, calls = whole_records.read, itertools.count()

    def read_then_another_worker_is_faster(kind: Any, ids: Any) -> Any:
        found = read(kind, ids)
        if kind == "item" and next(calls) == 0:
            assert put(stream, patch("item", "i1", {"STOCK": 5}, 3000)) == []
        return found

    monkeypatch.setattr(whole_records, "read", read_then_another_worker_is_faster)
    assert put(stream, patch("item", "i1", {"PRICE": 2.0}, 2000)) == []
    assert exported(stream, "items", "STOCK", "PRICE") == [["5", "2.0"]]
    row = catalogue(stream)["i1"]
    assert (row["STOCK"], row["PRICE"]) == ({"N": "5"}, {"N": "2.0"})


def test_a_worker_that_puts_an_older_change_last_puts_the_newer_one_again(
    stream: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Personalize holds what came last, and not what is newest."""
    read, calls = whole_records.read, itertools.count()

    def read_then_another_worker_is_faster(kind: Any, ids: Any) -> Any:
        found = read(kind, ids)
        if kind == "item" and next(calls) == 0:
            assert put(stream, message("item", "i1", ITEM | {"STOCK": 2}, 2000)) == []
        return found

    monkeypatch.setattr(whole_records, "read", read_then_another_worker_is_faster)
    assert put(stream, message("item", "i1", ITEM | {"STOCK": 1}, 1000)) == []
    assert exported(stream, "items", "STOCK") == [["2"]]
    older = message("item", "i1", ITEM | {"STOCK": 1}, 1000)
    clients.personalize_events().put_items(  # the worker that put this one died before it saw the newer one
        datasetArn=dataset_arn(stream.config, "items"),
        items=[{"itemId": "i1", "properties": json.dumps({"title": "x", "price": 1, "stock": 1, "creationTimestamp": 1})}],
    )
    assert put(stream, older | {"attributes": {"ApproximateReceiveCount": "2"}}) == []
    assert exported(stream, "items", "STOCK") == [["2"]]


@pytest.mark.parametrize(
    ("columns", "kept"),
    [
        ({"BRAND": []}, None),
        ({"BRAND": ""}, None),
        ({"BRAND": None}, None),
        ({"BRAND": ["a", "b"]}, {"L": [{"S": "a"}, {"S": "b"}]}),
    ],
)
def test_no_value_is_null(stream: Deployment, columns: dict[str, Any], kept: Any) -> None:
    assert put(stream, message("item", "i1", ITEM | columns)) == []
    assert catalogue(stream)["i1"].get("BRAND") == kept


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"CATEGORY": ["a|x", "b"]}, "CATEGORY: a category can't be empty, nor have a | in it"),
        ({"CATEGORY": ["a", ""]}, "CATEGORY: a category can't be empty"),
        ({"PRICE": 1e300}, "PRICE: is '1e+300', which does not fit into type float"),
        ({"TITLE": ""}, "TITLE: is required"),
        ({"TITLE": "\ud800"}, "TITLE: is not valid Unicode text"),
    ],
)
def test_a_bad_value_is_refused_by_column_and_rule(stream: Deployment, columns: dict[str, Any], reason: str) -> None:
    assert put(stream, message("item", "i1", ITEM | columns), message("item", "i2", ITEM)) == []
    (letter,) = dead_letters(stream)
    assert reason in letter["reason"]
    assert set(catalogue(stream)) == {"i2"}


def test_lengths_are_those_of_the_text_not_of_its_escapes(stream: Deployment) -> None:
    assert put(stream, message("item", "i1", ITEM | {"DESCRIPTION": "모바일" * 6_000, "TITLE": "모바일" * 333})) == []
    assert dead_letters(stream) == []
    assert set(catalogue(stream)) == {"i1"}


@pytest.mark.parametrize("price", [1e-200, 5, 10**37 + 1, -0.0, 1e-45])
def test_numbers_that_a_table_holds_otherwise(stream: Deployment, price: float) -> None:
    assert put(stream, message("item", "i1", ITEM | {"PRICE": price}), message("item", "i2", ITEM)) == []
    assert dead_letters(stream) == []
    (found,) = [row["PRICE"] for name, row in catalogue(stream).items() if name == "i1"]
    assert float(next(iter(found.values()))) == pytest.approx(price)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.text(max_size=20)
    | st.just("\udcff")
    | st.sampled_from(["", "|", "1_0", "nan", "٣", "x" * 1001, 1_700_000_000_000]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(column=st.sampled_from([*ITEM, "BRAND", "DESCRIPTION", "NOPE", ""]), value=JSON, is_patch=st.booleans())
def test_one_record_never_takes_its_neighbours_along(stream: Deployment, column: str, value: Any, is_patch: bool) -> None:
    """Any JSON value in any column: the record is put or a dead letter with a reason, and its nine neighbours are put."""
    number = next(COUNT)
    good = [message("item", f"n{number}-{n}", ITEM) for n in range(9)]
    bad = message("item", f"n{number}-0", {column: value}, 2000) if is_patch else message("item", "bad", ITEM | {column: value})
    if is_patch:
        bad |= {"body": json.dumps(json.loads(bad["body"]) | {"change": "patch"})}
    assert put(stream, *good[:4], bad, *good[4:]) == []
    letters = dead_letters(stream)
    keys = [{"item_id": {"S": f"n{number}-{n}"}} for n in range(9)]
    found = stream.client("dynamodb").batch_get_item(RequestItems={f"{stream.config.name}-catalogue": {"Keys": keys}})
    assert len(found["Responses"][f"{stream.config.name}-catalogue"]) == 9
    assert len(letters) <= 1
    assert all(letter["reason"] for letter in letters)


COUNT = itertools.count()
