"""The plan of a run on a 5 GB CSV: it reads the prefix and the samples, and holds little in memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, urlparse

import pytest

from tests.harness.shop_csvs import HEADERS, csv_text, rows
from tests.unit.conftest import Deployment

SIZE = 5 * 1024**3
HEAD = (HEADERS["interactions"] + "\n").encode()
WIDTH = 44


def row(number: int) -> bytes:
    """Row `number` of the generated CSV; all have the same width, so that any range can be made without the rest."""
    kind = ("view", "cart")[number % 2]
    return f"u{number % 100_000:06d},i{number % 10_000:05d},{1_700_000_000 + number // 50:010d},{kind},{number % 100:05d},mobile\n".encode()


def content(start: int, end: int) -> Iterator[bytes]:
    """The bytes from start to end (not included)."""
    if start < len(HEAD):
        yield HEAD[start:end]
        start = len(HEAD)
    number, skip = divmod(start - len(HEAD), WIDTH)
    while start < end:
        block = b"".join(row(n) for n in range(number, number + 2000))[skip:]
        block = block[: end - start]
        yield block
        start, number, skip = start + len(block), number + 2000, 0


class HugeBucket(BaseHTTPRequestHandler):
    """As much of S3 as a plan calls: lists, and objects whole or in ranges. `served` counts the bytes of the large one."""

    served = 0
    small: ClassVar = {kind: csv_text(kind, rows()[kind]).encode() for kind in ("items", "users")}

    def do_GET(self) -> None:
        url = urlparse(self.path)
        if "prefix" in parse_qs(url.query):
            self.answer_list(parse_qs(url.query)["prefix"][0])
        elif "interactions" in url.path:
            self.answer_large()
        else:
            body = self.small[url.path.split("/")[-2]]
            self.head(200, len(body))
            self.wfile.write(body)

    def answer_list(self, prefix: str) -> None:
        kind = prefix.split("/")[1]
        size = SIZE if kind == "interactions" else len(self.small[kind])
        entry = f"<Contents><Key>{prefix}{kind}.csv</Key><Size>{size}</Size><ETag>&quot;1&quot;</ETag>"
        entry += "<LastModified>2026-11-24T00:00:00.000Z</LastModified></Contents>"
        body = f"<ListBucketResult><IsTruncated>false</IsTruncated>{entry}</ListBucketResult>".encode()
        self.head(200, len(body))
        self.wfile.write(body)

    def answer_large(self) -> None:
        asked = self.headers.get("Range")
        start, end = (int(n) for n in asked.removeprefix("bytes=").split("-")) if asked else (0, SIZE - 1)
        self.head(206 if asked else 200, end - start + 1)
        try:
            for block in content(start, end + 1):
                self.wfile.write(block)
                HugeBucket.served += len(block)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the reader has seen enough

    def head(self, status: int, length: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


PLAN = """
import json, pathlib, re, types
from lambdas.training.plan_training.handler import handler
context = types.SimpleNamespace(function_name="f", memory_limit_in_mb=512, invoked_function_arn="arn:f", aws_request_id="r")
plan = handler({"run_id": "run-1", "execution_arn": "arn:execution", "solutions": None}, context)
status = pathlib.Path("/proc/self/status").read_text()  # getrusage would count what the parent had before exec
print(json.dumps({"plan": plan, "peak_mb": int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) / 1024}))
"""


@pytest.fixture
def bucket_endpoint() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), HugeBucket)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_a_plan_on_five_gigabytes(shop: Deployment, bucket_endpoint: str) -> None:
    assert len(row(0)) == len(row(123_456_789)) == WIDTH
    raw = shop.raw()
    for solution in raw["solutions"].values():  # the generated events are views and carts
        solution.pop("event_type", None)
    shop.pack(raw)
    environ = os.environ | {"AWS_ENDPOINT_URL_S3": bucket_endpoint, "POWERTOOLS_SERVICE_NAME": "plan_training"}
    done = subprocess.run([sys.executable, "-c", PLAN], env=environ, capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["plan"]["datasets"][0]["bytes"] == SIZE
    assert answer["peak_mb"] < 200
    assert HugeBucket.served < 30 * 1024**2
