"""The API under fire: calls made from its own description, strings that break templates, and abuse of HTTP itself."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from bench import chaos
from lambdas.config.file import load_config
from reco.target import Target
from tests.harness.deployment import CONFIG, Api, deployed, make_tracker, publish, until

#: Calls of each operation; a longer run sets the variable.
EXAMPLES = int(os.environ.get("RECOSTACK_FUZZ_EXAMPLES", "12"))
FUZZ = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None, derandomize=EXAMPLES <= 12
)
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
#: What an answer never holds: where we run, as whom, and how it went wrong inside.
SECRETS = ("Traceback", "arn:aws", "123456789012", 'File "', "botocore", "lambdas.")
DOCUMENT = json.loads(Path("docs/openapi.json").read_text())
DOCUMENT["components"]["schemas"]["Events"]["properties"]["events"]["maxItems"] = 4  # drawing 500 takes long, and shows no more
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
OPERATIONS = {operation.ok().label: operation.ok() for operation in SCHEMA.get_all_operations()}
NASTY = [
    '"', "'", "\\", "\\\"}", "\n", "\r\nX-Injected: 1", "\t", "$context.requestId", "#set($x = 1)$x", "${x}", "#end", "😀", "é" * 96,
    "x" * 256, " ", "..", "%00", "\u2028", "<script>", "'; DROP TABLE users; --", '{"kind":"event"}', "&DelaySeconds=900&MessageBody=x", "a/b?c#d",
]  # fmt: skip


@pytest.fixture(scope="module")
def shop(folder: Path) -> Iterator[Target]:
    """The shop as if trained, but with campaigns that don't answer: every list comes from the fallbacks."""
    config = load_config(CONFIG)
    with deployed(folder) as target:
        document = make_tracker(config, target.client("personalize"))
        arn = document.dataset_group_arn.rsplit(":", 1)[0]
        campaigns = {name: f"{arn}:campaign/{config.name}_{name}" for name in config.solutions}
        publish(target, document.model_copy(update={"campaigns": campaigns}))
        yield target


@pytest.fixture(scope="module")
def accepted() -> list[int]:
    """How many events each call of the module's tests was told were taken."""
    return []


def check_refusal(status: int, answer: Any) -> None:
    """An error has a code and a sentence, and says nothing about the inside."""
    if status >= 400:
        assert {"code", "message"} <= answer["error"].keys() <= {"code", "message", "field"}, answer
        assert all(isinstance(part, str) and part for part in answer["error"].values()), answer


def check_text(text: str) -> None:
    assert not [secret for secret in SECRETS if secret in text], text


@pytest.mark.parametrize("label", OPERATIONS)
def test_calls_made_from_the_description_are_answered_as_it_says(shop: Target, accepted: list[int], label: str) -> None:
    @FUZZ
    @given(OPERATIONS[label].as_strategy())
    def fuzz(case: schemathesis.Case) -> None:
        answer = case.call(base_url=shop.api_url, headers={"x-api-key": shop.api_key})
        case.validate_response(answer, checks=CHECKS)
        if "openapi.json" in label:
            return
        check_text(answer.text)
        if answer.headers["content-type"][0].startswith("application/json"):
            check_refusal(answer.status_code, answer.json())
        if label == "POST /events" and answer.status_code in (202, 207):
            accepted.append(answer.json()["accepted"])

    fuzz()


@pytest.mark.parametrize("place", ["path", "query", "body", "event"])
def test_strings_that_break_templates_are_kept_as_they_are_or_refused(shop: Target, accepted: list[int], place: str) -> None:
    api = Api(shop)
    for text in NASTY:
        quoted = urllib.parse.quote(text, safe="")
        calls: list[tuple[str, str, Any]] = {
            "path": [
                ("PUT", f"/items/{quoted}", {"TITLE": text}),
                ("PUT", f"/users/{quoted}", {"AGE": 1}),
                ("DELETE", f"/users/{quoted}", None),
                ("GET", f"/recommendations/{quoted}", None),
                ("GET", f"/batch/{quoted}/users/{quoted}", None),
                ("POST", f"/rankings/{quoted}", {"user_id": "u", "item_ids": ["i"]}),
            ],
            "query": [
                ("GET", f"/recommendations/home?user_id={quoted}&item_id={quoted}&context.{quoted}={quoted}&{quoted}=1", None)
            ],
            "body": [
                ("POST", "/rankings/search", {"user_id": text, "item_ids": [text, "i1"]}),
                ("PUT", "/items/i1", {text: text}),
            ],
            "event": [("POST", "/events", {"events": [nasty_event(text)]})],
        }[place]
        for method, path, body in calls:
            status, answer = api.call(method, path, body)
            assert status < 500, (method, path, answer)
            check_refusal(status, answer)
            check_text(json.dumps(answer))
            if path == "/events":
                accepted.append(answer["accepted"])


def nasty_event(text: str) -> dict[str, Any]:
    return {
        "event_type": "view", "session_id": text, "user_id": text, "item_id": text, "event_id": text,
        "recommendation_id": text[:40], "impression": [text], "properties": {"device": text},
    }  # fmt: skip


def test_what_was_accepted_is_accounted_for(shop: Target, ledger: chaos.Ledger, accepted: list[int]) -> None:
    """Every event that a call of this module was told is taken is in the archive, and ended in one of the three places."""
    archive_only = {name for name, kind in load_config(CONFIG).event_types.items() if kind.archive_only}

    def left() -> tuple[int, list[str]]:
        """How many lines the archive lacks, and the events that have not ended anywhere."""
        ledger.update()
        ended = {name for name, _, _ in ledger.in_personalize()} | ledger.dead.keys()
        open_ends = [name for name, body in ledger.bodies.items() if name not in ended and body["event_type"] not in archive_only]
        return sum(accepted) - ledger.lines, open_ends

    with contextlib.suppress(TimeoutError):
        until(lambda: left() == (0, []), 40)
    assert left() == (0, [])
    assert sum(accepted) > 0
    texts = set(NASTY)
    kept = {body["event_id"]: body for body in ledger.bodies.values() if body.get("event_id") in texts}
    assert {text: kept[text] for text in NASTY} == {text: nasty_event(text) for text in NASTY}
    queue = shop.output("ingestion", "RecordQueueUrl")
    counts = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")

    def records_done() -> bool:
        found = shop.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=list(counts))["Attributes"]
        return all(found[name] == "0" for name in counts)

    until(records_done, 60)


def raw(shop: Target, request: bytes, seconds: float = 10) -> bytes:
    """What comes back for bytes that no HTTP client would send; `{base}` and `{key}` are filled in."""
    url = urllib.parse.urlsplit(shop.api_url)
    filled = request.replace(b"{base}", url.path.encode()).replace(b"{key}", shop.api_key.encode())
    with socket.create_connection((url.hostname, url.port), timeout=seconds) as connection:
        connection.sendall(filled)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


POST = b"POST {base}/events HTTP/1.1\r\nHost: x\r\nx-api-key: {key}\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "request_",
    [
        POST + b"Content-Length: -5\r\n\r\n{}",
        POST + b"Content-Length: 9999999999999\r\n\r\n{}",
        POST + b"Content-Length: 20\r\n\r\n{}",
        POST + b"Content-Length: 2\r\nContent-Length: 1e1\r\n\r\n{}",
        POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
        b"GET {base}/recommendations/home?user_id=a\r\nX-Injected: 1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET {base}/docs HTTP/9.9\r\n\r\n",
        b"GET {base}/" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET {base}/docs HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: 1\r\n" % n for n in range(200)) + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_what_is_no_http_is_refused_and_the_next_call_is_answered(shop: Target, request_: bytes) -> None:
    answer = raw(shop, request_)
    if answer.startswith(b"HTTP/"):
        assert answer.split(b" ", 2)[1][:1] == b"4" or answer.split(b" ", 2)[1] == b"505", answer[:300]
    else:  # without a version in the request, an answer has no status line
        assert not answer or b"error" in answer.lower()
    assert b"Traceback" not in answer
    assert b"x-injected" not in answer.split(b"\r\n\r\n")[0].lower()
    assert Api(shop).call("GET", "/recommendations/best-sellers")[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/events", b"[" * 100_000 + b"]" * 100_000, 400),
        ("POST", "/events", b'{"events": [' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"]}", 400),
        ("POST", "/rankings/search", b"[" * 100_000, 400),
        ("POST", "/rankings/search", b'{"user_id": "\\ud800", "item_ids": ["\\udfff"]}', 400),
        ("POST", "/rankings/search", b'{"user_id": "\xc0\xaf", "item_ids": ["i1"]}', 200),
        ("POST", "/rankings/search", b'{"user_id": "u", "item_ids": [NaN]}', 400),
        ("POST", "/events", b'{"events": [{"event_type": "view", "session_id": "s", "event_value": NaN}]}', 400),
        ("POST", "/events", b'{"events": [{"event_type": "view", "session_id": "s", "timestamp": Infinity}]}', 400),
        ("POST", "/events", b'{"events": [' + b" " * 10_600_000 + b"]}", 413),
        ("POST", "/events", json.dumps({"events": [{"event_type": "view", "session_id": "x" * 10_000}]}).encode(), 202),
        ("POST", "/events", json.dumps({"events": [{"event_type": "view", "session_id": "s"}] * 501}).encode(), 400),
        ("POST", "/events", b'{"events": [{"event_type": "view", "session_id": "s", "user_id": "\\ud800"}]}', 400),
        ("PUT", "/users/u1", b"", 400),
        ("PATCH", "/users/u1", b"{}", 400),
        ("PUT", "/users/u1", b"null", 400),
        ("DELETE", f"/users/{'u' * 10_000}", None, 400),
        ("GET", f"/recommendations/home?user_id={'u' * 10_000}", None, 400),
        ("GET", f"/recommendations/{'p' * 10_000}", None, 404),
        ("GET", "/recommendations/home?num_results=NaN", None, 400),
        ("GET", "/recommendations/home?num_results=1&num_results=2", None, 400),
        ("GET", "/recommendations/home?user_id=%C0%AF%ED%A0%80%00", None, 400),
        ("GET", "/no/such/route", None, 404),
        ("PATCH", "/events", b"{}", 404),
    ],
)
def test_abuse_is_refused_with_a_reason(shop: Target, method: str, path: str, body: bytes | None, status: int) -> None:
    answered, answer = Api(shop).call(method, path, body)
    assert answered == status, answer
    check_refusal(answered, answer)
    check_text(json.dumps(answer))


def test_an_event_that_comes_twice_counts_once(shop: Target, ledger: chaos.Ledger) -> None:
    body = {"event_type": "view", "session_id": "s", "user_id": "replayed", "item_id": "i1", "event_id": "replayed-1"}
    doubled = b'{"events": [{"event_id": "other", ' + json.dumps(body)[1:].encode() + b"]}"  # a key that stands twice
    for call in (json.dumps({"events": [body, body]}).encode(), json.dumps({"events": [body]}).encode(), doubled):
        assert Api(shop).call("POST", "/events", call)[0] == 202
    until(lambda: "replayed-1" in {name for name, _, _ in ledger.in_personalize()}, 30)
    ledger.update()
    assert [name for name, user, _ in ledger.in_personalize() if user == "replayed"] == ["replayed-1"]


def test_logs_hold_nobody_and_no_line_of_a_stranger(shop: Target) -> None:
    """No function writes whom a call was about, and what a caller sends never begins a line of a log."""
    secret, forged = "marked-person-4711", '\n{"level":"ERROR","message":"forged"}\x1b[31m'
    api, quoted = Api(shop), urllib.parse.quote(secret + forged, safe="")
    for user in (secret, quoted):
        api.call("GET", f"/recommendations/home?user_id={user}&x={user}")
        api.call("GET", f"/recommendations/{user}?user_id={user}")
        api.call("GET", f"/batch/x/users/{user}")
        api.call("PUT", f"/users/{user}", {"AGE": "x"})
        api.call("DELETE", f"/users/{user}")
        name = urllib.parse.unquote(user)
        api.call("POST", "/rankings/search", {"user_id": name, "item_ids": [name], "context": {name: name}})
        api.call("POST", "/rankings/search", {"user_id": name, "item_ids": 1})
        event = {"event_type": "view", "session_id": name[:256], "user_id": name[:256], "item_id": name[:256], "event_value": "x"}
        api.call("POST", "/events", {"events": [event, event | {"event_value": 1.0}]})
    logs = shop.client("logs")
    put_events = f"/aws/lambda/{shop.deployment}_put-events"
    before = len(logs.filter_log_events(logGroupName=put_events)["events"])
    api.call("POST", "/events", {"events": [{"event_type": "view", "session_id": "s", "item_id": "i"}]})
    until(lambda: len(logs.filter_log_events(logGroupName=put_events)["events"]) > before, 30)
    messages = [
        entry["message"]
        for group in logs.describe_log_groups()["logGroups"]
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
        for entry in page["events"]
    ]
    assert messages
    assert [message for message in messages if secret in message] == []
    assert [message for message in messages if message.lstrip().startswith('{"level":"ERROR","message":"forged"')] == []


def test_the_page_of_the_description_loads_nothing_from_elsewhere(shop: Target) -> None:
    with urllib.request.urlopen(f"{shop.api_url}/docs", timeout=300) as answer:
        page, headers = answer.read().decode(), answer.headers
    assert headers.get_content_type() == "text/html"
    assert (headers["X-Frame-Options"], headers["X-Content-Type-Options"]) == ("DENY", "nosniff")
    policy = page.split('http-equiv="Content-Security-Policy" content="')[1].split('"')[0]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "://" not in page
    for file in re.findall(r'(?:href|src)="([^"]+)"', page):
        with urllib.request.urlopen(f"{shop.api_url}/{file}", timeout=300) as answer:
            assert answer.headers.get_content_type() in ("text/css", "text/javascript")
            assert not re.search(r"""(?:url\(|from ["']|fetch\(["'])https?:""", answer.read().decode())
    with urllib.request.urlopen(f"{shop.api_url}/openapi.json", timeout=300) as answer:
        assert json.load(answer) == json.loads(Path("docs/openapi.json").read_text())
