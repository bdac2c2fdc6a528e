"""Who an answer is for: variants of experiments, lists made ahead of time, users who asked to be forgotten, caches."""

from __future__ import annotations

import json
import os
import time
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from lambdas.aws import clients
from lambdas.config import ConfigError
from lambdas.config.validation import parse_config
from lambdas.ingestion.put_events import handler as put_events
from lambdas.ingestion.put_events.batch import read_batch
from lambdas.serving.recommend import experiments
from lambdas.stores import batch_lists, erasures, keys, recent_items
from lambdas.stores.published import Published, publish
from tests.harness.waiting import eventually
from tests.unit.conftest import Deployment, recent
from tests.unit.serving import Campaign, call, call_with_headers, home, new_worker

EXPERIMENT = {"name": "brands", "variants": {"as-is": {"weight": 1}, "free": {"weight": 1, "rules": [], "filter": "not_bought"}}}


def kinesis_event(*data: bytes) -> dict[str, Any]:
    """What the event source mapping gives to the function."""
    records = [{"kinesis": {"data": b64encode(line).decode(), "sequenceNumber": str(n)}} for n, line in enumerate(data)]
    return {"Records": records}


def change(shop: Deployment, **placements: dict[str, Any]) -> None:
    """Deploy the shop with other placements, and a batch."""
    raw = raw_config(shop)
    raw["placements"] |= {name: raw["placements"].get(name, {}) | changed for name, changed in placements.items()}
    raw["batch"] = {"daily": {"solution": "for-you", "num_results": 5, "rules": ["sold_out"], "fallback": ["best-sellers"]}}
    parse_config(raw)
    shop.pack(raw)
    new_worker()


def raw_config(shop: Deployment) -> dict[str, Any]:
    return shop.config.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def make_stream(shop: Deployment) -> Callable[[], list[bytes]]:
    """The stream of events; gives all records that are in it."""
    kinesis, name = shop.client("kinesis"), os.environ["EVENT_STREAM"]
    kinesis.create_stream(StreamName=name, ShardCount=1)
    shard = kinesis.describe_stream(StreamName=name)["StreamDescription"]["Shards"][0]["ShardId"]

    def records() -> list[bytes]:
        iterator = kinesis.get_shard_iterator(StreamName=name, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
        return [record["Data"] for record in kinesis.get_records(ShardIterator=iterator["ShardIterator"])["Records"]]

    return records


def test_variants_answer_and_are_recorded_once(away: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiments, "LAST_WAIT", 5)
    change(away, home={"experiment": EXPERIMENT})
    records = make_stream(away)
    variants = {}
    for n in [*range(12), *range(12)]:
        _, answer = home(away, user_id=f"u{n}")
        assert answer["experiment"] == "brands"
        assert variants.setdefault(f"u{n}", answer["variant"]) == answer["variant"]
        dropped = "i0" not in {item["item_id"] for item in answer["items"]}
        assert dropped is (answer["variant"] == "as-is"), "a variant without rules and filter keeps what is sold out"
    assert set(variants.values()) == {"as-is", "free"}
    written = [json.loads(line) for line in records()]
    assert {line["body"]["user_id"]: line["body"]["variant"] for line in written} == variants
    assert len(written) == 12, "an exposure is written once an hour"
    read = read_batch(kinesis_event(*records())["Records"], away.config.event_types)
    assert (read.archive_only, read.lanes, read.rejected) == (12, {}, [])


def test_a_session_has_a_variant_and_nobody_has_none(away: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiments, "LAST_WAIT", 5)
    same = {"name": "cards", "variants": {"one": {"weight": 1}, "two": {"weight": 1, "filter": "not_bought"}}}
    change(away, **{"best-sellers": {"experiment": same}})
    records = make_stream(away)
    path = "/recommendations/best-sellers"
    status, answer, headers = call_with_headers(away, "GET", path, {"session_id": ["s1"]})
    assert (status, answer["experiment"], headers["Cache-Control"]) == (200, "cards", ["private, no-store"])
    _, answer, headers = call_with_headers(away, "GET", path)
    assert "variant" not in answer
    assert headers["Cache-Control"] == ["public, max-age=60"]
    assert [json.loads(line)["body"].get("session_id") for line in records()] == ["s1"]


def test_without_a_stream_answers_come_all_the_same(away: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    change(away, home={"experiment": EXPERIMENT})
    status, answer = home(away)
    assert (status, answer["source"], answer["experiment"]) == (200, "for-you", "brands")
    eventually(lambda: home(away) and '"ExposureFailed":[' in capsys.readouterr().out)


@pytest.mark.parametrize(
    ("placement", "problem"),
    [
        ({"variants": {"a": {"weight": 1}}}, "placements.home.experiment.variants: "),
        ({"variants": {"a": {"weight": 1}, "b": {"weight": 0}}}, "placements.home.experiment.variants.b.weight: "),
        (
            {"variants": {"a": {"weight": 1}, "b": {"weight": 1, "solution": "x"}}},
            "placements.home.experiment.variants.b.solution: ",
        ),
        (
            {"variants": {"a": {"weight": 1}, "b": {"weight": 1, "rules": ["x"]}}},
            "placements.home.experiment.variants.b.rules[0]: ",
        ),
        (
            {"variants": {"a": {"weight": 1}, "b": {"weight": 1, "solution": "related"}}},
            "placements.home.experiment.variants.b.solution: 'related' answers other calls than the placement",
        ),
    ],
)
def test_an_experiment_that_can_not_be_is_refused(shop: Deployment, placement: dict[str, Any], problem: str) -> None:
    raw = raw_config(shop)
    raw["placements"]["home"]["experiment"] = {"name": "one"} | placement
    with pytest.raises(ConfigError) as error:
        parse_config(raw)
    assert str(error.value).startswith(problem)


def test_placements_of_one_experiment_split_users_alike(shop: Deployment) -> None:
    raw = raw_config(shop)
    raw["placements"]["home"]["experiment"] = EXPERIMENT
    raw["placements"]["category"]["experiment"] = {"name": "brands", "variants": {"as-is": {"weight": 2}, "free": {"weight": 1}}}
    with pytest.raises(ConfigError, match="'brands' has other variants or weights elsewhere"):
        parse_config(raw)


def put_list(user_id: str, item_ids: list[str]) -> None:
    """Publish a version of the batch `daily` with one list."""
    version = datetime.now(UTC)
    row = {
        "list": {"S": batch_lists.row_key("daily", version.isoformat(), user_id)},
        "items": {"B": batch_lists.pack(item_ids, [], [])},
        "expires": {"N": str(int(time.time()) + 3600)},
    }
    clients.dynamodb().put_item(TableName=os.environ["BATCH_LISTS_TABLE"], Item=row)  # type: ignore[arg-type]
    published = Published(version=version.isoformat(), published_at=version, lines=1, written=1, rejected=0)
    assert publish(os.environ["BATCH_LISTS_TABLE"], keys.key(keys.BATCH_LISTS, "daily"), published)


def test_a_batch_list_is_read_and_filled_up(away: Deployment) -> None:
    change(away)
    path = "/batch/daily/users/u 1/é"
    status, answer = call(away, "GET", path)
    assert (status, answer["source"], answer["returned"]) == (200, "best-sellers", 5), "there is no version yet"
    new_worker()
    put_list("u 1/é", ["i9", "i7", "i8", "i3"])
    status, answer = call(away, "GET", path)
    assert status == 200
    assert (answer["batch"], answer["source"], answer["requested"], answer["returned"]) == ("daily", "batch", 5, 5)
    assert [item["item_id"] for item in answer["items"]][:3] == ["i9", "i8", "i3"], (
        "what is sold out goes, the rest keeps its order"
    )
    assert answer["items"][3]["source"] == "best-sellers"
    assert "published_at" in answer
    assert call(away, "GET", "/batch/daily/users/u2")[1]["source"] == "best-sellers"
    for status, field, got in (
        (404, "batch", call(away, "GET", "/batch/weekly/users/u1")),
        (400, "colour", call(away, "GET", path, {"colour": ["red"]})),
        (400, "user_id", call(away, "GET", path, {"user_id": ["u2"]})),
    ):
        assert (got[0], got[1]["error"]["field"]) == (status, field)


def test_a_placement_falls_back_to_the_batch(away: Deployment) -> None:
    change(away, home={"fallback": ["batch", "best-sellers"], "rules": []})
    put_list("u1", ["i9", "i7", "i8"])
    Campaign.outage = "broken"
    _, answer = home(away, num_results="4")
    assert [item["item_id"] for item in answer["items"]][:2] == ["i9", "i8"], "the local filter holds for the batch"
    assert answer["source"] == "batch"
    assert {item.get("source") for item in answer["items"]} == {None, "best-sellers"}
    assert home(away, user_id="u2")[1]["source"] == "best-sellers"


def test_an_erased_user_is_nobody(away: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiments, "LAST_WAIT", 5)
    change(away, home={"experiment": EXPERIMENT})
    put_list("u1", ["i9"])
    records = make_stream(away)
    recent_items.keep([("u1", "buy", "i1", time.time())])
    assert home(away)[1]["source"] == "for-you"
    assert len(records()) == 1
    erasures.erase("u1")
    recent_items.delete_items_of(["u1"])
    new_worker()
    assert recent("u1") == {}
    status, answer = home(away)
    assert (status, answer["source"], answer["returned"]) == (200, "best-sellers", 20)
    assert not {"recommendation_id", "experiment", "variant"} & answer.keys()
    assert len(records()) == 1, "no exposure of an erased user"
    assert call(away, "GET", "/batch/daily/users/u1")[1]["source"] == "best-sellers"
    _, answer = call(away, "GET", "/recommendations/category", {"user_id": ["u1"], "category": ["c1"]})
    assert (answer["source"], answer["items"]) == ("none", [])
    _, answer = call(away, "POST", "/rankings/search", body={"user_id": "u1", "item_ids": ["i3", "i2"]})
    assert (answer["source"], [item["item_id"] for item in answer["items"]]) == ("given", ["i3", "i2"])


def test_a_ranking_is_answered_as_given_unless_the_config_says_otherwise(away: Deployment) -> None:
    asked = {"user_id": "u1", "item_ids": ["i5", "i2", "i7"]}
    Campaign.outage = "throttled"
    change(away, search={"fallback": None})
    assert call(away, "POST", "/rankings/search", body=asked)[1]["source"] == "given"
    change(away, search={"fallback": []})
    assert call(away, "POST", "/rankings/search", body=asked)[1]["source"] == "none"


def test_an_event_is_known_to_the_next_answer(away: Deployment) -> None:
    """From the stream's record to the rule, through both functions."""
    assert "i1" in {item["item_id"] for item in home(away)[1]["items"]}
    event = {"event_type": "buy", "user_id": "u1", "session_id": "s1", "item_id": "i1"}
    record = {"kind": "event", "received_at": int(time.time() * 1000), "id": "r-1", "body": event}
    away.call(put_events.handler, **kinesis_event(json.dumps(record).encode()))
    assert "i1" not in {item["item_id"] for item in home(away)[1]["items"]}


def test_of_many_recent_items_the_newest_are_known(away: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_items, "MOST", 10)
    now = time.time()
    recent_items.keep([("u1", "buy", f"a{n}", now - 500 + 7 * n % 30) for n in range(30)])
    found = recent("u1")["buy"]
    assert set(found) == {f"a{n}" for n in range(30) if 7 * n % 30 >= 20}
