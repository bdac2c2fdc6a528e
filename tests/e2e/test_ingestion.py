"""Ingestion through the doors that a shop, its browsers and its operator have."""

from __future__ import annotations

import json
import string
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench import chaos
from lambdas.config.file import load_config
from reco.data.event_file import Event
from reco.deployment import events, redrive
from reco.target import Target
from tests.harness.deployment import CONFIG, Api, deployed, environment_of, make_tracker, publish, until

ITEM = {"TITLE": "Spade", "CATEGORY": ["garden"], "PRICE": 9.5, "STOCK": 3, "CREATION_TIMESTAMP": 1_700_000_000}
#: What breaks templates, JSON and CSV.
NASTY = st.text(
    st.sampled_from("\"'\\\n\r\t$#{}[]()!,;|é😀\u2028\x00" + string.ascii_letters) | st.characters(codec="utf-8"),
    min_size=1,
    max_size=256,
)
JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | NASTY,
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NASTY, inner, max_size=3), max_leaves=8)  # fmt: skip
FUZZ = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None)


@pytest.fixture(scope="module")
def shop(folder: Path) -> Iterator[Target]:
    """The shop deployed, before its first train run."""
    with deployed(folder) as target:
        yield target


def event(**changed: Any) -> dict[str, Any]:
    return {"event_type": "view", "user_id": "u1", "session_id": "s1", "item_id": "i1"} | changed


def ids_in_personalize(ledger: chaos.Ledger) -> set[str]:
    return {event_id for event_id, _, _ in ledger.in_personalize()}


def test_events_before_the_first_train_run_wait_and_are_redriven(shop: Target, ledger: chaos.Ledger) -> None:
    sent = [Event.model_validate(event(event_id=f"early-{n}", item_id=f"i{n}")) for n in range(3)]
    assert events.send(shop, sent) == 3
    until(lambda: sum(redrive.reasons(shop).values()) == 3, 30)
    publish(shop, make_tracker(load_config(CONFIG), shop.client("personalize")))
    assert redrive.redrive(shop, "another reason") == redrive.Redriven(left=3)
    assert redrive.redrive(shop, "no event tracker") == redrive.Redriven(put_back=3)
    until(lambda: {"early-0", "early-1", "early-2"} <= ids_in_personalize(ledger), 30)
    assert not redrive.reasons(shop)


def test_an_item_and_a_user_are_put_and_a_user_erased(shop: Target) -> None:
    api = Api(shop)
    item = 'i/1 "é'
    assert api.call("PUT", f"/items/{urllib.parse.quote(item, safe='')}", ITEM) == (202, {"accepted": 1})
    assert api.call("PUT", "/users/u1", {"AGE": 30}) == (202, {"accepted": 1})
    assert api.call("PUT", "/users/u1", [1])[0] == 400
    status, answer = api.call("DELETE", "/users/u%2F9")
    assert (status, answer["user_id"]) == (202, "u/9")
    table = f"{shop.deployment}_catalogue"
    until(lambda: "Item" in shop.client("dynamodb").get_item(TableName=table, Key={"item_id": {"S": item}}), 30)


def test_the_daily_job_deletes_erased_users(shop: Target) -> None:
    personalize = shop.client("personalize")
    group = personalize.list_dataset_groups()["datasetGroups"][0]["datasetGroupArn"]
    assert Api(shop).call("DELETE", "/users/forgotten")[0] == 202
    (daily,) = [
        s for s in shop.client("scheduler").list_schedules()["Schedules"] if "delete" in s["Name"] or "daily" in s["Name"]
    ]
    environment_of(shop).fire(daily["Arn"])
    until(lambda: bool(personalize.list_data_deletion_jobs(datasetGroupArn=group)["dataDeletionJobs"]), 30)
    location = personalize.describe_data_deletion_job(
        dataDeletionJobArn=personalize.list_data_deletion_jobs(datasetGroupArn=group)["dataDeletionJobs"][0]["dataDeletionJobArn"]
    )["dataDeletionJob"]["dataSource"]["dataLocation"]
    bucket, _, key = f"{location.removeprefix('s3://')}users.csv".partition("/")
    assert "forgotten" in shop.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode().splitlines()


def test_what_is_too_large_for_the_queue_is_a_dead_letter_all_the_same(shop: Target, ledger: chaos.Ledger) -> None:
    large = "x" * 30_000
    sent = [event(event_id="large", event_type="no-such-type", properties={"device": large})]
    assert Api(shop).call("POST", "/events", {"events": sent})[0] == 202
    assert Api(shop).call("PUT", "/items/large", {"TITLE": large, "NO_SUCH_COLUMN": 1})[0] == 202
    until(
        lambda: sum(n for reason, n in redrive.reasons(shop).items() if "no-such-type" in reason or "NO_SUCH" in reason) == 2, 30
    )


def test_requests_that_choose_one_id_keep_all_their_events(shop: Target) -> None:
    """Callers can choose `$context.requestId`; two of one id would be one event to Personalize, and to the archive."""
    key, body = shop.api_key, json.dumps({"events": [event(event_id=None), event(event_id=None)]}).encode()
    before = archived_ids(shop)
    for _ in range(2):
        headers = {"Content-Type": "application/json", "x-api-key": key, "x-amzn-RequestId": "chosen-by-the-caller"}
        with urllib.request.urlopen(urllib.request.Request(f"{shop.api_url}/events", body, headers), timeout=300) as answer:
            assert answer.status == 202
            assert answer.headers["x-amzn-RequestId"] == "chosen-by-the-caller"
    until(lambda: len(archived_ids(shop) - before) == 4, 60)


def archived_ids(shop: Target) -> set[str]:
    """The ids of the stream's records, which the archive gets as they are."""
    kinesis, stream, found = shop.client("kinesis"), shop.output("ingestion", "EventStream"), set[str]()
    for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
        place = {"StreamName": stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        iterator = kinesis.get_shard_iterator(**place)["ShardIterator"]
        while records := (page := kinesis.get_records(ShardIterator=iterator))["Records"]:
            found |= {json.loads(record["Data"])["id"] for record in records}
            iterator = page["NextShardIterator"]
    return found


def test_what_a_foreign_page_can_send_without_asking_first_is_refused(shop: Target) -> None:
    """A request that needs no preflight has neither the key's header nor JSON's content type (Fetch standard, CORS-safelisted)."""

    def post(**headers: str) -> tuple[int, str]:
        body = json.dumps({"events": [event(event_id="foreign")]}).encode()
        request = urllib.request.Request(shop.browser_api_url + "/events", body, headers, method="POST")
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=300)
        return refused.value.code, refused.value.read().decode()

    # By the API itself, whose front on this machine refuses foreign origins too.
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        status, said = post(**{"Content-Type": kind})
        assert (status, json.loads(said)["error"]["code"]) == (403, "forbidden")
        assert post(**{"Content-Type": kind, "Origin": "https://evil.example"})[0] == 403
    status, said = post(**{"Content-Type": "text/plain", "x-api-key": shop.browser_key})
    assert (status, json.loads(said)["error"]["code"]) == (415, "unsupported_media_type")


def test_the_browsers_key_posts_events_and_nothing_else(shop: Target) -> None:
    gateway, key_id = shop.client("apigateway"), shop.output("api", "BrowserKeyId")
    key = gateway.get_api_key(apiKey=key_id, includeValue=True)["value"]

    def call(
        method: str, path: str, body: Any = None, key: str = key, base: str = shop.browser_api_url, **headers: str
    ) -> tuple[int, Any]:
        """Status and headers; the body of a refusal is in `said`."""
        headers = {"Content-Type": "application/json", **headers} | ({"x-api-key": key} if key else {})
        request = urllib.request.Request(base + path, body and json.dumps(body).encode(), headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:
                return answer.status, answer.headers
        except urllib.error.HTTPError as error:
            said.append(error.read().decode())
            return error.code, error.headers

    said: list[str] = []
    may = "may only send events and ask for home, item-page, category, search, best-sellers"  # of config/shop.yaml
    assert call("POST", "/events", {"events": [event()]})[0] == 202
    for method, path in (
        ("POST", "/events"),
        ("PUT", "/users/u1"),
        ("DELETE", "/users/u1"),
        ("GET", "/recommendations/home?user_id=u1"),
    ):
        assert call(method, path, {"events": [event()]}, base=shop.api_url)[0] == 403, (method, path)
        assert f"or it is the browsers' key: that key {may}, at the browsers' address" in said.pop()
    assert call("DELETE", "/users/u1")[0] == 403
    assert f"the browsers' key {may}; all else needs the servers' address and key" in said.pop()

    page = {"Origin": "https://shop.example"}  # of config/shop.yaml
    assert call("POST", "/events", {"events": [event()]}, **page)[0] == 202
    refused = (call("POST", "/events", {"events": []}, **page), call("POST", "/events", {"events": [event()]}, key="", **page))
    for status, headers in refused:
        assert status in (400, 403)
        assert headers["Access-Control-Allow-Origin"] == page["Origin"]
    preflight = {**page, "Access-Control-Request-Method": "POST"}
    status, headers = call("OPTIONS", "/events", key="", **preflight)
    assert status == 204
    assert {"content-type", "x-api-key"} <= {name.strip().lower() for name in headers["Access-Control-Allow-Headers"].split(",")}
    assert call("OPTIONS", "/users/u1", key="", **preflight)[0] == 403


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32-be", "utf-8-sig"])
def test_a_body_in_another_encoding_is_refused_for_good(shop: Target, encoding: str) -> None:
    body = json.dumps({"events": [event()]}).encode(encoding)
    status, answer = refusal(shop, "POST", "/events", body)
    assert (status, answer["error"]["code"]) == (400, "bad_request")  # 503 would ask for the same again and again


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/events", {"events": [{"event_type": "view", "session_id": "s\ud800"}]}),
        ("POST", "/events", {"events": [{"event_type": "view", "session_id": "s", "item_id": "\udfff"}]}),
        ("POST", "/rankings/search", {"user_id": "\ud800", "item_ids": ["i1"]}),
        ("POST", "/rankings/search", {"user_id": "u1", "item_ids": ["i1", "\ud800"]}),
        ("PUT", "/items/%ED%A0%80", {"TITLE": "Spade"}),
        ("DELETE", "/users/%ED%A0%80", None),
        ("GET", "/recommendations/home?user_id=%ED%A0%80", None),
        ("GET", "/batch/for-you/users/%ff", None),
    ],
)
def test_half_a_surrogate_is_no_id(shop: Target, method: str, path: str, body: Any) -> None:
    assert refusal(shop, method, path, None if body is None else json.dumps(body).encode())[0] == 400


def test_half_a_surrogate_refuses_its_neighbours_and_says_which_text_is_meant(shop: Target, ledger: chaos.Ledger) -> None:
    """The exception in docs/ingestion.md: API Gateway can't take the others, nor say which of the events it is."""
    sent = [event(event_id=f"neighbour-{n}") for n in range(5)] + [event(event_id="neighbour-5", item_id="cut-\ud83d")]
    status, answer = refusal(shop, "POST", "/events", json.dumps({"events": sent}).encode())
    rule, _, found = answer["error"]["message"].partition(" Found: ")
    assert (status, answer["error"]["code"], answer["error"]["field"]) == (400, "bad_request", "body")
    assert "no text may hold half of a surrogate pair" in rule
    assert found.startswith("[ECMA 262 regex")
    assert found.endswith('does not match input string "cut-\\ud83d"]')
    assert Api(shop).call("POST", "/events", {"events": [event(event_id="after-the-neighbours")]})[0] == 202
    until(lambda: "after-the-neighbours" in ended(ledger), 30)
    assert not {name for name in ended(ledger) | ledger.archived if name.startswith("neighbour-")}
    status, answer = refusal(shop, "PUT", "/items/i1", b'{"TITLE": "cut-\\ud83d"}')
    assert (status, "half of a surrogate pair" in answer["error"]["message"]) == (400, True)


def refusal(shop: Target, method: str, path: str, body: bytes | None) -> tuple[int, Any]:
    request = urllib.request.Request(shop.api_url + path, body, shop.headers(method, shop.api_url + path, body), method=method)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=300)
    return refused.value.code, json.loads(refused.value.read())


def test_a_call_that_is_too_large_is_refused_with_the_reason(shop: Target) -> None:
    status, answer = Api(shop).call("POST", "/events", {"events": [event(properties={"device": "x" * 1_100_000})]})
    assert (status, answer["error"]["code"]) == (413, "too_large")


def test_whatever_is_posted_is_refused_or_kept_as_it_came(shop: Target, ledger: chaos.Ledger) -> None:
    """No 5xx, no record broken or injected: every accepted event ends in Personalize or among the dead letters, unchanged."""
    api, accepted = Api(shop), dict[str, dict[str, Any]]()

    @FUZZ
    @given(st.dictionaries(st.sampled_from(["user_id", "session_id", "event_type", "item_id"]) | NASTY, NASTY | JSON, max_size=5))
    def post(changed: dict[str, Any]) -> None:
        body = event(event_id=f"fuzz-{len(accepted)}") | {k: v for k, v in changed.items() if k != "event_id"}
        status, _ = api.call("POST", "/events", {"events": [body]})
        assert status in (202, 400)
        if status == 202:
            accepted[str(body["event_id"])] = body

    @FUZZ
    @given(NASTY)
    def put(name: str) -> None:
        assert api.call("PUT", f"/items/{urllib.parse.quote(name, safe='')}", {"TITLE": name})[0] == 202

    @FUZZ
    @given(st.binary(max_size=60) | JSON.map(json.dumps).map(str.encode))
    def rubbish(body: bytes) -> None:
        assert api.call("POST", "/events", body)[0] == 400

    post()
    put()
    rubbish()
    until(lambda: accepted.keys() <= ended(ledger) and accepted.keys() <= ledger.archived, 60)
    assert {name: ledger.bodies[name] for name in accepted} == accepted
    assert {name for name in ended(ledger) | ledger.archived if name.startswith("fuzz-")} == accepted.keys()


def ended(ledger: chaos.Ledger) -> set[str]:
    """The events that have ended somewhere by now."""
    ledger.update()
    return ids_in_personalize(ledger) | ledger.dead.keys()


def test_chaos_loses_nothing(shop: Target, ledger: chaos.Ledger, folder: Path) -> None:
    """The chaos run in short: throttles, failures and kills; stalls are left to the long one."""
    result = chaos.endure(shop, folder, events=1500, faults=chaos.FAULTS[:2], kill_every=1.5, ledger=ledger)
    assert (result["lost"], result["stuck"]) == (0, 0)
    assert (result["accepted"], result["archived"]) == (1500, 1500)
    assert result["counted_twice"] == 0
    assert result["out_of_order"] == 0
    assert result["killed"] > 0
    assert (result["records_accepted"], result["records_lost"], result["catalogue_differs"]) == (8 * (187 // 20), 0, 0)
    assert environment_of(shop).api_url
