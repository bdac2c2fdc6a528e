"""The catalogue behind an answer: what is kept, for how long, how much of it, and what happens while the table is away."""

from __future__ import annotations

import time
from typing import Any

import pytest

from lambdas.serving.recommend import catalogue
from tests.unit.conftest import Deployment
from tests.unit.serving import ITEMS, Campaign, Relay, call, call_with_headers, home, later, new_worker, put_item

CATEGORY = {"user_id": ["u1"], "category": ["c1"], "num_results": [str(ITEMS)]}
#: Less than a stalled table takes, more than a busy machine needs for the rest.
BUDGET_MS = 1500


def stall(dynamodb: Relay, seconds: float, *operations: str) -> None:
    """From here on, DynamoDB takes so many seconds for these operations (for all, where none is named)."""

    def answer_late(operation: str, given: dict[str, Any]) -> None:
        if not operations or operation in operations:
            time.sleep(seconds)

    dynamodb.instead = answer_late


def hurry(shop: Deployment, budget_ms: int = BUDGET_MS) -> None:
    """Deploy with a time budget that a stalled table exceeds."""
    raw = shop.config.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    shop.pack(raw | {"serving": {"time_budget_ms": budget_ms}})
    new_worker()


def keys_asked(dynamodb: Relay) -> list[str]:
    """The items that the table was asked for since the calls were cleared."""
    batches = [given["RequestItems"] for operation, given in dynamodb.calls if operation == "BatchGetItem"]
    return [key["item_id"]["S"] for requested in batches for table in requested.values() for key in table["Keys"]]


@pytest.mark.parametrize("how", ["down", "stalled"])
def test_without_the_table_lists_are_full(
    away: Deployment, dynamodb: Relay, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    hurry(away)
    if how == "stalled":
        stall(dynamodb, 2.3)  # more than a worker waits for an answer on a connection
    dynamodb.down = how == "down"
    status, answer = home(away)
    assert (status, answer["source"], answer["returned"]) == (200, "for-you", 20)
    assert not any(item["attributes"] for item in answer["items"])
    assert answer["degraded"] == ["attributes", "erasures", "recent_items"]
    out = capsys.readouterr().out
    assert '"CatalogueFailed":[' in out
    assert '"ErasedLookupFailed":[' in out


def test_what_was_known_before_stands_in_for_the_table(
    away: Deployment, dynamodb: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even without the campaign: the local filter and the rules go by the attributes of more than a minute ago."""
    assert home(away)[1]["returned"] == 20
    dynamodb.down = True
    later(monkeypatch, 10 * catalogue.FRESH_SECONDS)
    Campaign.outage = "broken"
    status, answer = home(away)
    assert (status, answer["source"], answer["returned"]) == (200, "best-sellers", 20)
    assert all(item["attributes"]["STOCK"] > 0 for item in answer["items"])


def test_attributes_of_longer_ago_are_not_passed_off_as_todays(
    away: Deployment, dynamodb: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = call(away, "GET", "/recommendations/category", CATEGORY)[1]
    dynamodb.down = True
    later(monkeypatch, 10 * catalogue.FRESH_SECONDS)
    assert call(away, "GET", "/recommendations/category", CATEGORY)[1] == fresh | {"degraded": ["attributes", "erasures"]}


def test_the_first_answer_of_a_worker_waits_for_its_attributes(away: Deployment, dynamodb: Relay) -> None:
    """Its connections are new, and it has nothing to go by; later ones keep to the time budget."""
    hurry(away, 800)
    stall(dynamodb, 1.0, "BatchGetItem")  # well below the two seconds after which it is asked no longer
    _, answer = call(away, "GET", "/recommendations/category", CATEGORY | {"num_results": ["5"]})
    assert (len(answer["items"]), all(item["attributes"] for item in answer["items"])) == (5, True)
    assert "degraded" not in answer
    _, answer = call(away, "GET", "/recommendations/category", CATEGORY)
    assert answer["degraded"] == ["attributes"]


def test_an_answer_without_attributes_says_so_and_is_not_kept_for_others(
    away: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever asks for what everybody gets has it from a cache, but not for a minute without its rules."""
    raw = away.config.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    raw["placements"]["best-sellers"] = {"solution": "best-sellers", "rules": ["sold_out"]}
    away.pack(raw)
    new_worker()
    away.client("dynamodb").delete_table(TableName=f"{away.config.name}-catalogue")
    _, answer, headers = call_with_headers(away, "GET", "/recommendations/best-sellers")
    assert (answer["degraded"], answer["items"][0]["item_id"]) == (["attributes"], "i0"), "i0 is sold out, and nobody knows"
    assert headers["Cache-Control"] == ["private, no-store"]
    assert '"DegradedAnswers":[1' in capsys.readouterr().out
    table = {"TableName": f"{away.config.name}-catalogue", "BillingMode": "PAY_PER_REQUEST"}
    key = {
        "KeySchema": [{"AttributeName": "item_id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "item_id", "AttributeType": "S"}],
    }
    away.client("dynamodb").create_table(**table, **key)
    for n in range(ITEMS):
        put_item(away, f"i{n}", STOCK=n % 7)
    _, answer, headers = call_with_headers(away, "GET", "/recommendations/best-sellers")
    assert ("degraded" in answer, answer["items"][0]["item_id"]) == (False, "i1")
    assert headers["Cache-Control"] == ["public, max-age=60"]


def empty(away: Deployment) -> None:
    """What a restored backup of the wrong day, or a table that was made anew, leaves of the catalogue."""
    for n in range(ITEMS):
        key = {"item_id": {"S": f"i{n}"}}
        away.client("dynamodb").delete_item(TableName=f"{away.config.name}-catalogue", Key=key)


def test_an_empty_table_says_of_no_item_that_it_is_gone(
    away: Deployment, dynamodb: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The document of the deployment says that the table was filled; what counts is what the table holds now."""
    raw = away.config.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    raw["placements"]["best-sellers"] = {"solution": "best-sellers", "rules": ["sold_out"]}
    away.pack(raw)
    new_worker()
    empty(away)
    status, answer = home(away)
    assert (status, answer["source"], answer["returned"], answer["degraded"]) == (200, "for-you", 20, ["attributes"])
    _, answer = call(away, "GET", "/recommendations/best-sellers", {"num_results": ["20"]})
    assert (answer["source"], answer["returned"], answer["degraded"]) == ("best-sellers", 20, ["attributes"])
    _, ranked = call(away, "POST", "/rankings/search", body={"user_id": "u1", "item_ids": ["i9", "i3"]})
    assert ([item["item_id"] for item in ranked["items"]], ranked["degraded"]) == (["i9", "i3"], ["attributes"])
    assert [operation for operation, _ in dynamodb.calls].count("Scan") == 1, "once a minute"
    put_item(away, "i3", STOCK=1)
    later(monkeypatch, catalogue.FRESH_SECONDS + 1)
    _, ranked = call(away, "POST", "/rankings/search", body={"user_id": "u1", "item_ids": ["i9", "i3"]})
    assert ("degraded" in ranked, ranked["filtered"]) == (False, ["i9"]), "a table with items knows which are gone"


def test_a_list_of_which_nothing_is_left_is_empty(away: Deployment, dynamodb: Relay) -> None:
    """Not degraded: the table has items, and none of these."""
    _, ranked = call(away, "POST", "/rankings/search", body={"user_id": "u1", "item_ids": ["gone-1", "gone-2"]})
    assert (ranked["items"], ranked["filtered"], "degraded" in ranked) == ([], ["gone-1", "gone-2"], False)


def test_a_table_that_does_not_say_whether_it_is_empty_changes_nothing(away: Deployment, dynamodb: Relay) -> None:
    dynamodb.instead = lambda operation, given: (400, {"__type": "ThrottlingException"}) if operation == "Scan" else None
    _, ranked = call(away, "POST", "/rankings/search", body={"user_id": "u1", "item_ids": ["gone-1", "i3"]})
    assert ([item["item_id"] for item in ranked["items"]], "degraded" in ranked) == (["i3"], False)


def test_a_changed_item_is_seen_after_a_minute(away: Deployment, dynamodb: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    def stock() -> int:
        _, answer = call(away, "GET", "/recommendations/category", CATEGORY)
        return next(int(item["attributes"]["STOCK"]) for item in answer["items"] if item["item_id"] == "i1")

    assert stock() == 1
    put_item(away, "i1", STOCK=99)
    dynamodb.calls.clear()
    assert (stock(), keys_asked(dynamodb)) == (1, [])
    later(monkeypatch, catalogue.FRESH_SECONDS + 1)
    assert stock() == 99
    assert sorted(keys_asked(dynamodb)) == sorted(f"i{n}" for n in range(ITEMS))


def test_no_more_items_are_kept_than_there_is_room_for(
    away: Deployment, dynamodb: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "MOST_ITEMS", ITEMS - 5)
    assert call(away, "GET", "/recommendations/category", CATEGORY)[1]["returned"] == ITEMS
    dynamodb.calls.clear()
    _, answer = call(away, "GET", "/recommendations/category", CATEGORY)
    assert keys_asked(dynamodb) == [f"i{n}" for n in range(5)], "those that were not asked for longest had left"
    assert all(item["attributes"] for item in answer["items"])
