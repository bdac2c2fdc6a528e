"""The catalogue behind an answer: what is kept, for how long, how much of it, and what happens while the table is away."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from lambdas import config
from lambdas.aws import clients
from lambdas.serving.recommend import catalogue
from tests.unit.conftest import Deployment
from tests.unit.serving import ITEMS, Campaign, call, call_with_headers, home, later, put_item

CATEGORY = {"user_id": ["u1"], "category": ["c1"], "num_results": [str(ITEMS)]}
#: Less than a stalled table takes, more than a busy machine needs for the rest.
BUDGET_MS = 1500


class Stalling(BaseHTTPRequestHandler):
    """A table that answers nobody in time."""

    def do_POST(self) -> None:
        time.sleep(BUDGET_MS / 1000 + 0.5)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing to stderr."""


@pytest.fixture
def stalling() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Stalling)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def go_away(monkeypatch: pytest.MonkeyPatch, endpoint: str = "http://127.0.0.1:9") -> None:
    """From here on, DynamoDB is where nobody listens, or where nobody answers in time."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", endpoint)
    clients.prompt_dynamodb.cache_clear()


def hurry(shop: Deployment) -> None:
    """Deploy with a time budget that a stalled table exceeds."""
    raw = shop.config.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    shop.packed.write_text(json.dumps(raw | {"serving": {"time_budget_ms": BUDGET_MS}}))
    config.packed_config.cache_clear()


def keys_asked() -> list[str]:
    """The items that the table is asked for from here on."""
    asked: list[str] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        requested = json.loads(params["body"])["RequestItems"]
        asked.extend(key["item_id"]["S"] for table in requested.values() for key in table["Keys"])

    clients.prompt_dynamodb().meta.events.register("before-call.dynamodb.BatchGetItem", note)
    return asked


@pytest.mark.parametrize("how", ["down", "stalled"])
def test_without_the_table_lists_are_full(
    away: Deployment, stalling: str, how: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hurry(away)
    go_away(monkeypatch, *([stalling] if how == "stalled" else []))
    status, answer = home(away)
    assert (status, answer["source"], answer["returned"]) == (200, "for-you", 20)
    assert not any(item["attributes"] for item in answer["items"])
    assert answer["degraded"] == ["attributes", "erasures", "recent_items"]
    out = capsys.readouterr().out
    assert '"CatalogueFailed":[' in out
    assert '"ErasedLookupFailed":[' in out


def test_what_was_known_before_stands_in_for_the_table(away: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even without the campaign: the twin of the filter and the rules go by the attributes of more than a minute ago."""
    assert home(away)[1]["returned"] == 20
    go_away(monkeypatch)
    later(monkeypatch, catalogue, 10 * catalogue.FRESH_SECONDS)
    Campaign.outage = "broken"
    status, answer = home(away)
    assert (status, answer["source"], answer["returned"]) == (200, "best-sellers", 20)
    assert all(item["attributes"]["STOCK"] > 0 for item in answer["items"])


def test_attributes_of_longer_ago_are_not_passed_off_as_todays(away: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = call(away, "GET", "/recommendations/category", CATEGORY)[1]
    go_away(monkeypatch)
    later(monkeypatch, catalogue, 10 * catalogue.FRESH_SECONDS)
    assert call(away, "GET", "/recommendations/category", CATEGORY)[1] == fresh | {"degraded": ["attributes"]}


def test_the_first_answer_of_a_worker_waits_for_its_attributes(away: Deployment) -> None:
    """Its connections are new, and it has nothing to go by; later ones keep to the time budget."""
    hurry(away)
    clients.prompt_dynamodb().meta.events.register(
        "before-call.dynamodb.BatchGetItem", lambda **_: time.sleep(BUDGET_MS / 1000 + 0.3)
    )
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
    away.packed.write_text(json.dumps(raw))
    config.packed_config.cache_clear()
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


def test_a_changed_item_is_seen_after_a_minute(away: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    def stock() -> int:
        _, answer = call(away, "GET", "/recommendations/category", CATEGORY)
        return next(int(item["attributes"]["STOCK"]) for item in answer["items"] if item["item_id"] == "i1")

    assert stock() == 1
    put_item(away, "i1", STOCK=99)
    asked = keys_asked()
    assert (stock(), asked) == (1, [])
    later(monkeypatch, catalogue, catalogue.FRESH_SECONDS + 1)
    assert stock() == 99
    assert sorted(asked) == sorted(f"i{n}" for n in range(ITEMS))


def test_no_more_items_are_kept_than_there_is_room_for(away: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "MOST_ITEMS", ITEMS - 5)
    assert call(away, "GET", "/recommendations/category", CATEGORY)[1]["returned"] == ITEMS
    asked = keys_asked()
    _, answer = call(away, "GET", "/recommendations/category", CATEGORY)
    assert asked == [f"i{n}" for n in range(5)], "those that were not asked for longest had left"
    assert all(item["attributes"] for item in answer["items"])
