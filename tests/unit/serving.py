"""A deployed shop whose Personalize is a small server on a socket: what it answers, a test decides call by call."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
import urllib3

from lambdas.aws import cache, clients
from lambdas.aws.tables import serialize
from lambdas.config.packed import packed_config
from lambdas.serving.recommend import catalogue
from lambdas.serving.recommend.worker import worker
from lambdas.stores import deployment, snapshots

if TYPE_CHECKING:
    from tests.unit.conftest import Deployment

ITEMS = 30
OUTAGES = {
    "throttled": (429, {"__type": "ThrottlingException", "message": "Rate exceeded"}),
    "missing": (404, {"__type": "ResourceNotFoundException", "message": "arn:aws:personalize:::campaign/x"}),
    "broken": (500, {"message": "internal"}),
}


class Campaign(BaseHTTPRequestHandler):
    """GetRecommendations by a test's will: a list of item ids, or an outage."""

    protocol_version = "HTTP/1.1"
    items: ClassVar[list[str]] = []
    outage: ClassVar[str | None] = None
    asked: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).asked.append(body)
        if self.outage == "slow":
            time.sleep(3.2)  # more than a campaign may take of the budget in tests/unit/conftest.py
        item_ids = body.get("inputList", self.items)[: body.get("numResults", 25)]
        shape = "personalizedRanking" if "inputList" in body else "itemList"
        wanted = [{"itemId": item_id, "score": 0.5} for item_id in item_ids]
        refused = (400, {"__type": "InvalidInputException", "message": f"Value at 'context' is odd: {body}"})
        outages = OUTAGES | {"refused": refused}
        status, answer = outages.get(self.outage or "", (200, {shape: wanted, "recommendationId": "RID-1"}))
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing to stderr."""


@pytest.fixture
def away(shop: Deployment, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    """The shop deployed on the server above, with 30 items of three categories and brands in the catalogue and the snapshot."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Campaign)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL_PERSONALIZE_RUNTIME", f"http://127.0.0.1:{server.server_port}")
    for n in range(ITEMS):
        put_item(shop, f"i{n}", STOCK=n % 7, BRAND=f"b{n % 5}", CATEGORY=[f"c{n % 3}"])
    put_snapshot(shop, [f"i{n}" for n in range(ITEMS)])
    deployment.publish(
        deployment.Deployment(
            run_id="run-1",
            dataset_group_arn="group",
            tracking_id="tracker",
            campaigns={
                name: f"arn:aws:personalize:us-east-1:123456789012:campaign/{name}" for name in ("for-you", "related", "ranking")
            },
            filters={name: f"arn:aws:personalize:us-east-1:123456789012:filter/{name}" for name in shop.config.filters},
            catalogue=True,
        )
    )
    Campaign.items, Campaign.outage, Campaign.asked = [f"i{n}" for n in range(ITEMS)], None, []
    yield shop
    server.shutdown()
    server.server_close()


def call(
    shop: Deployment, method: str, path: str, query: dict[str, list[str]] | None = None, body: Any = None
) -> tuple[int, Any]:
    """One call through the API: status and JSON."""
    status, answer, _ = call_with_headers(shop, method, path, query, body)
    return status, answer


def call_with_headers(
    shop: Deployment, method: str, path: str, query: dict[str, list[str]] | None = None, body: Any = None
) -> tuple[int, Any, dict[str, list[str]]]:
    """The same, with the headers of the answer."""
    from lambdas.serving.recommend import handler as recommend  # once the environment is there

    event = {
        "resource": path,
        "path": path,
        "pathParameters": {"user_id": path.rpartition("/users/")[2]},
        "httpMethod": method,
        "headers": {"Content-Type": "application/json"},
        "multiValueHeaders": {"Content-Type": ["application/json"]},
        "queryStringParameters": {name: values[-1] for name, values in (query or {}).items()} or None,
        "multiValueQueryStringParameters": query or None,
        "requestContext": {"requestId": "r", "stage": "v1", "httpMethod": method, "path": path, "identity": {}},
        "body": body if isinstance(body, str) or body is None else json.dumps(body),
        "isBase64Encoded": False,
    }
    answer = shop.call(recommend.handler, **event)
    return answer["statusCode"], json.loads(answer["body"]), answer["multiValueHeaders"]


def put_snapshot(shop: Deployment, item_ids: list[str]) -> None:
    line = {"input": {"userId": "anyone"}, "output": {"recommendedItems": item_ids}, "error": None}
    shop.client("s3").put_object(Bucket=shop.bucket, Key=snapshots.output_key("best-sellers"), Body=json.dumps(line).encode())


def home(shop: Deployment, **query: str) -> tuple[int, Any]:
    return call(shop, "GET", "/recommendations/home", {name: [value] for name, value in ({"user_id": "u1"} | query).items()})


def new_worker() -> None:
    """The next call meets a worker that has just begun, with the config as it is packed now."""
    packed_config.cache_clear()
    worker.cache_clear()


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let so many seconds pass for what workers keep."""
    monkeypatch.setattr(cache, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + seconds))
    monkeypatch.setattr(catalogue, "time", cache.time)


class Relay:
    """Between a worker and moto: it notes the calls of one service, and answers them itself where a test says how.

    `instead` takes the operation and its parameters, and gives a status and a body, or None for moto's answer. While it is
    `down`, connections end without an answer.
    """

    def __init__(self, target: str) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.instead: Callable[[str, dict[str, Any]], tuple[int, dict[str, Any]] | None] = lambda operation, given: None
        self.down = False
        relay = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                operation, given = self.headers["X-Amz-Target"].rpartition(".")[2], json.loads(body)
                relay.calls.append((operation, given))
                if relay.down:
                    self.close_connection = True
                    return
                told = relay.instead(operation, given)
                if told is not None:
                    status, answer = told[0], json.dumps(told[1]).encode()
                else:
                    forwarded = urllib3.request("POST", target, body=body, headers=dict(self.headers.items()), retries=False)
                    status, answer = forwarded.status, forwarded.data
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Nothing to stderr."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def _relay(service: str, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    made = Relay(endpoint)
    monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", made.url)
    yield made
    made.close()


@pytest.fixture
def dynamodb(away: Deployment, moto_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    """DynamoDB as the workers of the shop reach it."""
    yield from _relay("DYNAMODB", moto_endpoint, monkeypatch)


@pytest.fixture
def ssm(away: Deployment, moto_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    """SSM as the workers of the shop reach it."""
    yield from _relay("SSM", moto_endpoint, monkeypatch)


def put_item(shop: Deployment, item_id: str, **attributes: Any) -> None:
    """Write an item into the catalogue table."""
    row = {"item_id": {"S": item_id}, "attributes": {"M": {name: serialize(value) for name, value in attributes.items()}}}
    clients.dynamodb().put_item(TableName=f"{shop.config.name}-catalogue", Item=row)  # type: ignore[arg-type]
