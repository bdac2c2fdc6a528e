"""A start with SnapStart, by AWS's own hooks: what is in the snapshot, and what each worker that is restored from it makes anew."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from tests.unit.conftest import Deployment

#: What Lambda does: import the handler, take the snapshot, and restore it; here twice, with a call after each.
START = """
import json, random, socket, sys
from awslambdaric import lambda_runtime_hooks_runner as hooks

asked = []
connect = socket.socket.connect
socket.socket.connect = lambda *arguments: (asked.append(arguments[1]), connect(*arguments))[1]
from lambdas.serving.recommend.handler import handler
hooks.run_before_snapshot()
from lambdas.serving.recommend.api import RankingRequest
from lambdas.serving.recommend.worker import worker
found = {"asked_before": list(asked), "built": RankingRequest.__pydantic_complete__}
found["imported"] = [name for name in ("botocore.session", "lambdas.config.validation", "boto3") if name in sys.modules]
snapshot, state = worker(), random.getstate()
for restored in ("first", "second"):
    random.setstate(state)
    hooks.run_after_restore()
    found[restored] = {"random": random.random(), "old_worker": worker() is snapshot}
    worker().documents.config()
print(json.dumps(found))
"""


class Credentials(BaseHTTPRequestHandler):
    """The endpoint that Lambda names: other keys at each question. And SSM, which has no parameters."""

    given: ClassVar[list[str]] = []
    signed_with: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        assert self.headers["Authorization"] == "secret"
        self.given.append(f"key-{len(self.given) + 1}")
        keys = {"AccessKeyId": self.given[-1], "SecretAccessKey": "s", "Token": "t", "Expiration": "2099-01-01T00:00:00Z"}
        self.answer(keys)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.signed_with.append(self.headers["Authorization"].split("Credential=")[1].split("/")[0])
        self.answer({"Parameters": []})

    def answer(self, found: dict[str, Any]) -> None:
        text = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing to stderr."""


@pytest.fixture
def endpoint() -> Iterator[str]:
    Credentials.given, Credentials.signed_with = [], []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Credentials)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def started(credentials: str, ssm: str) -> Any:
    """What a new Python tells that goes through it; its variables are those of the test, and SnapStart's."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            patch.delenv(name, raising=False)
        patch.setenv("POWERTOOLS_SERVICE_NAME", "recommend")
        patch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")
        patch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{credentials}/2021-04-23/credentials")
        patch.setenv("AWS_ENDPOINT_URL_SSM", ssm)
        patch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "secret")
        patch.setenv("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "1")
        done = subprocess.run([sys.executable, "-c", START], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_a_restored_worker_has_nothing_that_ages(shop: Deployment, endpoint: str) -> None:
    found = started(endpoint, endpoint)
    assert found["asked_before"] == [], "no service is called before the snapshot: what it says would be old"
    assert found["built"] is True
    assert found["imported"] == ["botocore.session", "lambdas.config.validation", "boto3"]
    assert Credentials.signed_with == Credentials.given == ["key-1", "key-2"]
    assert found["first"]["random"] != found["second"]["random"]
    assert not found["first"]["old_worker"]


def test_a_worker_without_credentials_is_restored_all_the_same(shop: Deployment, endpoint: str) -> None:
    """Its first call says what is wrong; a hook that fails would end the worker."""
    found = started("http://127.0.0.1:9", endpoint)
    assert found["second"]["random"] != found["first"]["random"]
    assert Credentials.signed_with == []
