"""What no client would send takes neither the memory of a listener nor its ability to answer."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import urllib3

from localaws.environment import Environment
from localaws.workers.runtime_api import RuntimeApi
from tests.localaws.malformed import answer_of, requests

MEGABYTE = 1 << 20
#: A machine under load needs longer than the moment that it takes.
PATIENCE = 30.0
Listener = tuple[str, int]  # an address, and the process that listens there


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listener]:
    command = [sys.executable, "-m", "personalize_emulator", "--port", "0", "--data", str(tmp_path_factory.mktemp("malformed"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1], process.pid
        process.terminate()


@pytest.fixture(scope="module")
def worker() -> Iterator[Listener]:
    listening = RuntimeApi()
    yield f"http://{listening.address}", os.getpid()
    listening.close()


@pytest.fixture(params=["aws", "api", "personalize", "worker"])
def listener(request: pytest.FixtureRequest, environment: Environment) -> Listener:
    if request.param in ("personalize", "worker"):
        return request.getfixturevalue({"personalize": "emulator"}.get(request.param, request.param))
    return (environment.aws_endpoint if request.param == "aws" else environment.front_endpoint), environment.pid


def memory(pid: int) -> int:
    found = re.search(r"VmRSS:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


def place(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    return parts.hostname, parts.port


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_malformed_requests_take_no_memory_and_are_answered_or_closed(listener: Listener) -> None:
    url, pid = listener
    for request in requests(seed=1, count=50, host=urlsplit(url).netloc):
        answer_of(place(url), request, PATIENCE)  # what is read once, is read
    before = memory(pid)
    for request in requests(seed=2, count=2000, host=urlsplit(url).netloc):
        answer = answer_of(place(url), request, PATIENCE)
        assert not answer or answer.startswith(b"HTTP/1.1 ")
        assert b"Traceback" not in answer
    assert memory(pid) - before < 50 * MEGABYTE
    assert urllib3.request("OPTIONS", f"{url}/nothing", retries=False).status < 600


def test_a_length_that_cannot_be_is_refused_before_the_body(listener: Listener) -> None:
    url, _ = listener
    head = f"POST /x HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nContent-Length: "
    for length, status in (("9" * 5000, b"400"), ("1" + "0" * 13, b"4"), ("-1", b"400"), ("5, 6", b"400")):
        answer = answer_of(place(url), f"{head}{length}\r\n\r\nabc".encode(), PATIENCE)
        assert answer.startswith(b"HTTP/1.1 " + status), (length, answer[:100])  # 413, or 403 where there is no such API


def test_a_chunk_that_never_comes_is_not_waited_for(listener: Listener) -> None:
    url, _ = listener
    head = f"POST /x HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    assert answer_of(place(url), head + b"FFFFFFFFFFFF\r\nabc", PATIENCE).startswith(b"HTTP/1.1 400 ")


def test_a_body_that_grows_beyond_what_a_route_takes_is_cut_off(environment: Environment) -> None:
    url = environment.front_endpoint
    head = f"POST /x HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    with socket.create_connection(place(url), PATIENCE) as connection, pytest.raises(ConnectionError):
        connection.sendall(head + b"".join([b"100000\r\n" + bytes(0x100000) + b"\r\n"] * 100))


def test_a_large_upload_passes_through_the_disk(environment: Environment, deploy: Callable[..., dict[str, str]]) -> None:
    environment.client("s3").create_bucket(Bucket="large-uploads")
    body = os.urandom(24 * MEGABYTE)
    environment.client("s3").put_object(Bucket="large-uploads", Key="large", Body=body)
    assert environment.client("s3").get_object(Bucket="large-uploads", Key="large")["Body"].read() == body
