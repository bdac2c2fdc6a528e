"""The browser client against a small API on this machine: what it asks, what it sends, and that nothing is lost on the way."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from personalize_emulator.http_server import HttpServer
from reco.local.synth import ROOT, node_path
from tests.harness.waiting import eventually

CLIENT = ROOT / "client"
LIST = {"placement": "home", "source": "for-you", "recommendation_id": "RID-1", "requested": 2, "returned": 2}
PAGE = """<!doctype html><title>a shop</title><script type="module">
import { connect } from "/recostack.js";
window.refused = [];
window.shop = connect({url: location.origin + "/v1", key: "k", onError: (error) => window.refused.push(error.code)});
</script>"""


class Shop:
    """A page, the client, and an API that answers as a test wants and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, list[str]], Any]] = []
        self.events: list[dict[str, Any]] = []
        self.answers: list[tuple[int, Any]] = []  # of the next calls, before the usual ones
        self.server = HttpServer(self.answer)
        self.server.start()

    def answer(self, environ: Any, start_response: Any) -> list[bytes]:
        path, kind = environ["PATH_INFO"], "application/json"
        status, body = 200, b""
        if path == "/recostack.js":
            kind, body = "text/javascript", (CLIENT / "recostack.js").read_bytes()
        elif not path.startswith("/v1/"):
            kind, body = "text/html", PAGE.encode()
        else:
            status, said = self._api(environ, path.removeprefix("/v1"))
            body = json.dumps(said).encode()
        start_response(f"{status} X", [("Content-Type", kind)])
        return [body]

    def _api(self, environ: Any, path: str) -> tuple[int, Any]:
        text = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        body = json.loads(text) if text else None
        self.asked.append((environ["REQUEST_METHOD"], path, parse_qs(environ["QUERY_STRING"]), body))
        status, said = self.answers.pop(0) if self.answers else (202 if path == "/events" else 200, None)
        if path == "/events":
            failed = (said or {}).get("failed", []) if status in (202, 207) else [*range(len(body["events"]))]
            self.events += [event for n, event in enumerate(body["events"]) if n not in failed]
            return status, said or {"accepted": len(body["events"]), "failed": []}
        return status, said or LIST | {"items": [{"item_id": item, "attributes": {}} for item in ("i1", "i2")]}

    def types(self) -> list[str]:
        return [event["event_type"] for event in self.events]


@pytest.fixture
def shop() -> Iterator[Shop]:
    made = Shop()
    yield made
    made.server.stop()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context()
    yield made
    made.close()


def opened(context: BrowserContext, shop: Shop) -> Page:
    page = context.new_page()
    page.goto(shop.server.url)
    page.wait_for_function("window.shop")
    return page


def test_it_asks_as_the_api_wants_to_be_asked(context: BrowserContext, shop: Shop) -> None:
    page = opened(context, shop)
    page.evaluate(
        """shop.recommend("genre page", {itemId: "i/1", numResults: 3, filter: {GENRES: ["a", "b"]}, context: {DEVICE: "x"}})"""
    )
    page.evaluate("""shop.rank("search", ["i2", "i1"], {filter: {GENRES: "a"}})""")
    (_, path, query, _), (method, ranking, _, body) = shop.asked
    session = page.evaluate("shop.sessionId")
    assert re.fullmatch(r"visitor-[0-9a-f-]{36}", session)
    assert path == "/recommendations/genre page"
    assert query == {
        "session_id": [session],
        "item_id": ["i/1"],
        "num_results": ["3"],
        "GENRES": ["a", "b"],
        "context.DEVICE": ["x"],
    }
    assert (method, ranking) == ("POST", "/rankings/search")
    assert body == {"session_id": session, "item_ids": ["i2", "i1"], "filter_values": {"GENRES": "a"}}


def test_events_carry_the_list_in_which_their_item_was_seen_last(context: BrowserContext, shop: Shop) -> None:
    page = opened(context, shop)
    page.evaluate("shop.recommend('home')")
    page.reload()  # the item's own page
    page.wait_for_function("window.shop")
    page.evaluate("shop.track('view', {itemId: 'i2', value: 0}); shop.track('view', {itemId: 'other'}); shop.track('visit')")
    eventually(lambda: len(shop.events) == 3)
    seen, other, visit = shop.events
    assert (seen["recommendation_id"], seen["impression"], seen["event_value"]) == ("RID-1", ["i1", "i2"], 0)
    assert not {"recommendation_id", "impression"} & (other.keys() | visit.keys())
    assert len({event["session_id"] for event in shop.events}) == 1
    allowed = {"event_id", "event_type", "session_id", "timestamp", "item_id", "event_value", "recommendation_id", "impression"}
    assert {name for event in shop.events for name in event} == allowed  # nothing about the person, the page or the browser


def test_who_signs_in_is_named_and_who_signs_out_is_somebody_new(context: BrowserContext, shop: Shop) -> None:
    page = opened(context, shop)
    before = page.evaluate("shop.sessionId")
    page.evaluate("n = 0; shop.signIn({id: 'u7', token: async () => `token-${++n}`}); shop.recommend('home')")
    shop.answers.append((403, {"error": {"code": "token_expired", "message": "m", "field": "user_token"}}))
    page.evaluate("shop.recommend('home')")
    tokens = [query["user_token"] for _, _, query, _ in shop.asked]
    assert tokens == [["token-1"], ["token-1"], ["token-2"]]
    page.evaluate("shop.track('view', {itemId: 'i1'}); shop.flush()")
    eventually(lambda: shop.events)
    assert (shop.events[0]["user_id"], shop.events[0]["session_id"]) == ("u7", before)
    page.evaluate("shop.signOut(); shop.track('view', {itemId: 'i1'}); shop.flush()")
    eventually(lambda: len(shop.events) == 2)
    assert "user_id" not in shop.events[1]
    assert "recommendation_id" not in shop.events[1]
    assert shop.events[1]["session_id"] != before


def test_errors_say_what_the_api_said(context: BrowserContext, shop: Shop) -> None:
    page = opened(context, shop)
    said = "shop.recommend('home').catch(({status, code, field, message}) => [status, code, field, message])"
    shop.answers.append((404, {"error": {"code": "no_such_placement", "message": "there is none", "field": "placement"}}))
    assert page.evaluate(said) == [404, "no_such_placement", "placement", "there is none"]
    context.set_offline(True)
    assert page.evaluate(said)[:2] == [0, "unreachable"]


def test_what_is_not_taken_is_sent_again_and_counts_once(context: BrowserContext, shop: Shop) -> None:
    page = opened(context, shop)
    shop.answers += [(503, {"error": {"code": "unavailable", "message": "m"}}), (207, {"accepted": 1, "failed": [1]}), (429, {})]
    page.evaluate("['a', 'b', 'c'].forEach((type) => shop.track(type))")
    eventually(lambda: page.evaluate("shop.waiting") == 0)
    assert sorted(shop.types()) == ["a", "b", "c"]
    sent = [event["event_id"] for method, _, _, body in shop.asked if method == "POST" for event in body["events"]]
    assert len(set(sent)) == 3 < len(sent)


def test_one_that_is_refused_does_not_hold_up_the_others(context: BrowserContext, shop: Shop) -> None:
    page = opened(context, shop)
    refusal = (400, {"error": {"code": "bad_request", "message": "m", "field": "body"}})
    shop.answers += [refusal, (202, {"accepted": 1, "failed": []}), refusal]
    page.evaluate("['a', 'bad', 'c'].forEach((type) => shop.track(type))")
    eventually(lambda: page.evaluate("shop.waiting") == 0)
    assert shop.types() == ["a", "c"]
    assert page.evaluate("refused") == ["bad_request"]


def test_events_of_a_page_that_was_closed_offline_arrive_when_it_opens_again(context: BrowserContext, shop: Shop) -> None:
    page = opened(context, shop)
    context.set_offline(True)
    shop.answers = [(503, None)] * 9  # what a closing page still sends goes round the browser's being offline
    page.evaluate("shop.track('view', {itemId: 'i1'}); shop.track('cart', {itemId: 'i1'}); shop.flush()")
    assert page.evaluate("shop.waiting") == 2
    page.close()
    assert shop.events == []
    context.set_offline(False)
    shop.answers = []
    again = opened(context, shop)
    eventually(lambda: shop.types() == ["view", "cart"])
    eventually(lambda: again.evaluate("shop.waiting") == 0)


def test_what_happens_as_a_page_is_left_still_goes_out(context: BrowserContext, shop: Shop) -> None:
    page = opened(context, shop)
    page.evaluate("addEventListener('pagehide', () => shop.track('bye'), {capture: true})")
    page.goto("about:blank")
    eventually(lambda: shop.types() == ["bye"])


def test_without_storage_it_works_for_the_life_of_the_page(context: BrowserContext, shop: Shop) -> None:
    context.add_init_script("Object.defineProperty(window, 'localStorage', {get() { throw new Error('denied'); }})")
    page = opened(context, shop)
    page.evaluate("shop.recommend('home')")
    page.evaluate("shop.track('view', {itemId: 'i2'}); shop.flush()")
    eventually(lambda: shop.types() == ["view"])
    assert shop.events[0]["recommendation_id"] == "RID-1"


def test_it_is_small_typed_and_a_package(tmp_path: Path) -> None:
    text = (CLIENT / "recostack.js").read_bytes()
    assert len(gzip.compress(text)) < 5 * 1024
    assert b"import " not in text
    described = (CLIENT / "recostack.d.ts").read_text()
    client = described[described.index("interface Client") : described.index("export class")]
    script = (
        "globalThis.addEventListener = () => {}; globalThis.document = globalThis;"
        f"const made = (await import('{CLIENT}/recostack.js')).connect({{url: 'x', key: 'y'}});"
        "console.log(JSON.stringify(Object.keys(made)))"
    )
    environ = {"PATH": node_path(), "HOME": str(tmp_path)}
    run = ["node", "--input-type=module", "-e", script]
    names = json.loads(subprocess.run(run, env=environ, capture_output=True, text=True, check=True).stdout)
    assert sorted(names) == sorted(re.findall(r"^  (?:readonly )?(\w+)[(:]", client, re.MULTILINE))
    pack = ["npm", "pack", "--json", "--dry-run", str(CLIENT)]
    packed = json.loads(subprocess.run(pack, env=environ, cwd=tmp_path, capture_output=True, text=True, check=True).stdout)
    assert {file["path"] for file in packed[0]["files"]} == {"recostack.js", "recostack.d.ts", "README.md", "package.json"}
