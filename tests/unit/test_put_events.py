"""Events from the stream: what reaches Personalize, what goes to the dead letters, and what comes again."""

from __future__ import annotations

import json
import os
import time
from base64 import b64encode
from typing import Any

import pytest

from bench.click_stream import FLAWS, click_stream
from lambdas.aws import clients
from lambdas.config import EventType
from lambdas.ingestion.put_events import handler as put_events
from lambdas.ingestion.put_events.batch import read_batch
from lambdas.stores.erasures import erase
from tests.unit.conftest import Deployment, dead_letters, exported, recent, set_faults


def event(**changed: Any) -> dict[str, Any]:
    """A good event; a change to None takes the field out."""
    made = {"event_type": "view", "user_id": "u1", "session_id": "s1", "item_id": "i1", "timestamp": int(time.time())} | changed
    return {name: value for name, value in made.items() if value is not None}


def records(*bodies: Any) -> list[dict[str, Any]]:
    """Records as Lambda gets them; bytes stand for themselves."""
    made = []
    for n, body in enumerate(bodies):
        record = {"kind": "event", "received_at": int(time.time() * 1000), "id": f"request-{n}", "body": body}
        record["request_id"] = b64encode(b"request").decode()
        data = body if isinstance(body, bytes) else json.dumps(record).encode() + b"\n"
        made.append({"kinesis": {"sequenceNumber": f"seq-{n}", "data": b64encode(data).decode()}})
    return made


def put(shop: Deployment, *bodies: Any) -> list[str]:
    """The sequence numbers that the function reports as not done."""
    answer = shop.call(put_events.handler, Records=records(*bodies))
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def interactions(shop: Deployment) -> list[list[str]]:
    return exported(shop, "interactions", "USER_ID", "ITEM_ID", "EVENT_TYPE", "EVENT_VALUE", "DEVICE")


def test_events_reach_personalize_with_all_they_carry(stream: Deployment) -> None:
    full = event(
        user_id="u1", item_id="i2", event_type="buy", event_value=2.5, properties={"device": "mobile"},
        recommendation_id="RID-1", impression=["i2", "i3"], event_id="e1",
    )  # fmt: skip
    assert put(stream, event(item_id="i1"), full, event(user_id="u2", session_id="s2")) == []
    assert interactions(stream) == [
        ["u1", "i1", "view", "", ""],
        ["u1", "i2", "buy", "2.5", "mobile"],
        ["u2", "i1", "view", "", ""],
    ]
    assert dead_letters(stream) == []


def test_an_event_that_comes_twice_counts_once(stream: Deployment) -> None:
    for _ in range(2):
        assert put(stream, event(event_id="the-client-s"), event(item_id="i5")) == []
    assert len(interactions(stream)) == 2


def test_null_is_absence(stream: Deployment) -> None:
    for number, nothing in enumerate((None, {}, {"device": None})):
        body = event(event_id=f"e{number}") | dict.fromkeys(("timestamp", "event_value", "impression", "recommendation_id"))
        assert put(stream, body | {"properties": nothing}) == []
    assert dead_letters(stream) == []
    assert len(interactions(stream)) == 3


def test_recent_items_of_an_erased_user_do_not_come_back(stream: Deployment) -> None:
    erase("u1")
    assert put(stream, event(user_id="u1", event_type="buy"), event(user_id="u2", event_type="buy")) == []
    assert recent("u1") == {}
    assert set(recent("u2")) == {"buy"}


def test_events_without_an_item_stay_in_the_archive(stream: Deployment) -> None:
    assert put(stream, event(event_type="visit", item_id=None), event()) == []
    assert len(interactions(stream)) == 1
    assert dead_letters(stream) == []


def test_exposures_stay_in_the_archive() -> None:
    exposure = b'{"kind": "exposure", "received_at": 1, "id": "r", "body": {"experiment": "x", "variant": "a", "placement": "p"}}'
    batch = read_batch(records(exposure, event()), {"view": EventType()})
    assert (batch.archive_only, batch.rejected, [len(lane) for lane in batch.lanes.values()]) == (1, [], [1])


BAD_EVENTS: list[tuple[Any, str]] = [
    (b"not json at all", "Invalid JSON"),
    (b"\xff\xfe\x00", "Invalid JSON"),
    (b'{"kind": "event", "body": 1}', "received_at"),
    (b'{"kind": "like", "received_at": 1, "id": "r", "body": {}}', "kind: must be event or exposure"),
    (b'{"received_at": 1, "id": "r", "body": {"event_type": "view", "session_id": "s"}}', "kind: must be event or exposure"),
    (b'{"kind": "exposure", "received_at": 1, "id": "r", "body": {"experiment": "x"}}', "variant: Field required"),
    (event(event_type="teleport"), "event_type: there is no event type 'teleport'"),
    (event(item_id=None), "item_id: is required for events of type 'view'"),
    (event(item_id="i" * 257), "item_id"),
    (event(item_id="i\0"), "item_id: has a line break or a NUL character"),
    (event(user_id="u\n1"), "user_id: has a line break or a NUL character"),
    (event(user_id="u1\n"), "user_id: has a line break or a NUL character"),
    (event(user_id=None, session_id="s\r"), "session_id: has a line break"),
    (event(impression=["i1", "i\n2"]), "impression.1: has a line break"),
    (event(session_id=None), "session_id"),
    (event(timestamp=1_700_000_000_000), "timestamp: looks like milliseconds"),
    (event(timestamp=-1), "timestamp: must be after 1970"),
    (event(timestamp=time.time() + 10**7), "timestamp: must be after 1970 and not in the future"),
    (event(timestamp="2024-01-01"), "timestamp"),
    (event(event_value=True), "event_value"),
    (event(event_value=1e300), "event_value: is '1e+300', which does not fit into type float"),
    (event(event_value=-3.5e38), "event_value: is '-3.5e+38', which does not fit into type float"),
    (event(event_value=10**400), "event_value: Input should be a finite number"),
    (event(properties={"device": {"kind": "mobile"}}), "properties.device"),
    (event(properties={"EVENTTYPE": "x"}), "properties.EVENTTYPE: is a field of its own"),
    (event(properties={"user_id": "x"}), "properties.user_id: is a field of its own"),
    (event(properties={"device": "m" * 1100}), "properties: are longer than 1024"),
    (event(properties={"colour": "red"}), "Personalize refused the event"),
    (event(impression=[]), "impression"),
    (event(impression=["i"] * 26), "impression"),
    (event(recommendation_id="R" * 41), "recommendation_id"),
    (event(surprise=1), "surprise"),
]


def test_a_bad_event_goes_to_the_dead_letters_and_takes_no_neighbour_along(stream: Deployment) -> None:
    for n, (body, reason) in enumerate(BAD_EVENTS):
        assert put(stream, event(item_id="i1", event_id=f"a{n}"), body, event(item_id="i2", event_id=f"b{n}")) == []
        (letter,) = dead_letters(stream)
        assert reason in letter["reason"]
        assert_whole(letter, body)
    assert [row[1] for row in interactions(stream)] == ["i1"] * len(BAD_EVENTS) + ["i2"] * len(BAD_EVENTS)


def assert_whole(letter: dict[str, Any], body: Any) -> None:
    """The letter holds the record as it came."""
    if "record_base64" in letter:
        assert letter["record_base64"] == b64encode(body).decode()
    elif isinstance(body, bytes):
        assert letter["record"].encode() == body
    else:
        assert json.loads(letter["record"])["body"] == body
        assert letter["id"] == "request-1"


def test_every_flaw_of_the_chaos_run_is_one() -> None:
    for flaw in FLAWS:
        body = event(timestamp=time.time())
        flaw(body)
        assert len(read_batch(records(body), {"view": EventType()}).rejected) == 1, body


def test_all_else_of_the_chaos_run_is_none() -> None:
    """Ids of every script, nulls and unusual values are no flaws."""
    types = {"visit": EventType(archive_only=True), **{name: EventType() for name in ("view", "cart", "buy")}}
    sent = [one for burst in click_stream(5000, client=1) for one in burst]
    rejected = [one.position for one in read_batch(records(*[one.event for one in sent]), types).rejected]
    assert rejected == [position for position, one in enumerate(sent) if one.malformed]


def test_a_large_dead_letter_is_kept_in_s3(stream: Deployment) -> None:
    body = event(surprise="x" * 300_000)
    assert put(stream, body) == []
    (letter,) = dead_letters(stream)
    bucket, key = letter["s3"].removeprefix("s3://").split("/", 1)
    kept = stream.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    assert json.loads(kept)["body"] == body


@pytest.mark.parametrize("character", ["모", "é", "😀", "\x01", '"', "x"])
def test_ten_dead_letters_of_any_script_fit_into_one_call(
    stream: Deployment, monkeypatch: pytest.MonkeyPatch, character: str
) -> None:
    """1,048,576 bytes, as botocore's model of SendMessageBatch says; a character of a record can take twelve in a message."""
    sizes, send = [], clients.sqs().send_message_batch

    def spy(**call: Any) -> Any:
        sizes.append(sum(len(entry["MessageBody"].encode()) for entry in call["Entries"]))
        return send(**call)

    monkeypatch.setattr(clients.sqs(), "send_message_batch", spy)
    text = character * (19_500 // len(character.encode()))
    assert put(stream, *[f"{n} {text}".encode() for n in range(10)]) == []
    assert (len(sizes), max(sizes) <= 1_048_576) == (1, True)
    s3 = stream.client("s3")
    kept = {
        letter["record"] if "record" in letter else s3.get_object(
            Bucket=stream.bucket, Key=letter["s3"].removeprefix(f"s3://{stream.bucket}/")
        )["Body"].read().decode()
        for letter in dead_letters(stream)
    }  # fmt: skip
    assert kept == {f"{n} {text}" for n in range(10)}


def test_throttles_and_failures_are_waited_out(stream: Deployment, personalize_endpoint: str) -> None:
    set_faults(
        personalize_endpoint,
        [
            {"operation": "PutEvents", "action": "throttle", "rate": 0.4, "seed": 1},
            {"operation": "PutEvents", "action": "error", "rate": 0.3, "seed": 2},
        ],
    )
    assert put(stream, *[event(user_id=f"u{n}", session_id=f"s{n}") for n in range(30)]) == []
    assert len(interactions(stream)) == 30


def test_what_is_not_done_in_time_comes_again_from_the_first_of_it(
    stream: Deployment, personalize_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bad records after the first undone one are not reported yet: they come again too."""
    monkeypatch.setattr(stream.context, "get_remaining_time_in_millis", lambda: put_events.RESERVE + 200)
    bodies = [event(event_type="visit", item_id=None), event(), event(event_type="bad"), event(item_id="i2")]
    set_faults(personalize_endpoint, [{"operation": "PutEvents", "action": "throttle"}])
    assert put(stream, *bodies) == ["seq-1"]
    assert dead_letters(stream) == []
    set_faults(personalize_endpoint, [])
    assert put(stream, *bodies[1:]) == []
    assert len(interactions(stream)) == 2
    assert len(dead_letters(stream)) == 1


def test_before_the_first_train_run_events_wait_among_the_dead_letters(shop: Deployment) -> None:
    assert put(shop, event(), event(event_type="visit", item_id=None)) == []
    (letter,) = dead_letters(shop)
    assert "there is no event tracker yet" in letter["reason"]


def test_a_dead_letter_that_cannot_be_kept_is_not_done(stream: Deployment) -> None:
    stream.client("sqs").delete_queue(QueueUrl=os.environ["DEAD_LETTER_QUEUE_URL"])
    with pytest.raises(Exception, match="queue"):
        put(stream, event(event_type="bad"))
