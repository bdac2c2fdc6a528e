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
from lambdas.aws import signed
from lambdas.serving.recommend.api import RankingRequest
from lambdas.serving.recommend.worker import worker
found = {"asked_before": list(asked), "built": RankingRequest.__pydantic_complete__}
found["imported"] = [name for name in ("botocore.session", "lambdas.config.validation", "boto3") if name in sys.modules]
snapshot, state = worker(), random.getstate()
for restored in ("first", "second"):
    random.setstate(state)
    hooks.run_after_restore()
    keys = signed._credentials().get_frozen_credentials().access_key if KEYS else None
    found[restored] = {"key": keys, "random": random.random(), "old_worker": worker() is snapshot}
print(json.dumps(found))
"""


class Credentials(BaseHTTPRequestHandler):
    """The endpoint that Lambda names: other keys at each question."""

    given: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        assert self.headers["Authorization"] == "secret"
        self.given.append(f"key-{len(self.given) + 1}")
        keys = {"AccessKeyId": self.given[-1], "SecretAccessKey": "s", "Token": "t", "Expiration": "2099-01-01T00:00:00Z"}
        text = json.dumps(keys).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing to stderr."""


@pytest.fixture
def endpoint() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Credentials)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/2021-04-23/credentials"
    server.shutdown()
    server.server_close()


def started(endpoint: str, keys: bool = True) -> Any:
    """What a new Python tells that goes through it; its variables are those of the test, and SnapStart's."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            patch.delenv(name, raising=False)
        patch.setenv("POWERTOOLS_SERVICE_NAME", "recommend")
        patch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")
        patch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", endpoint)
        patch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "secret")
        patch.setenv("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "1")
        code = START.replace("KEYS", str(keys))
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_a_restored_worker_has_nothing_that_ages(shop: Deployment, endpoint: str) -> None:
    found = started(endpoint)
    assert found["asked_before"] == [], "no service is called before the snapshot: what it says would be old"
    assert found["built"] is True
    assert found["imported"] == ["botocore.session", "lambdas.config.validation", "boto3"]
    assert (found["first"]["key"], found["second"]["key"]) == ("key-1", "key-2")
    assert found["first"]["random"] != found["second"]["random"]
    assert not found["first"]["old_worker"]


def test_a_worker_without_credentials_is_restored_all_the_same(shop: Deployment) -> None:
    """Its first call says what is wrong; a hook that fails would end the worker."""
    assert started("http://127.0.0.1:9/credentials", keys=False)["first"]["key"] is None
