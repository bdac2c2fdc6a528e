"""The local AWS environment stopped, started, interrupted and killed, through the command line."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from localaws.environment import Environment
from reco.target import DATA
from tests.e2e.conftest import RECO, ROOT, CommandLine
from tests.e2e.test_main_job import PORTS, SHOP, client_of
from tests.harness.deployment import patient_shop, write_config
from tests.harness.processes import children_of, command_of, emulators_of, processes_in
from tests.harness.shop_csvs import write
from tests.harness.waiting import eventually


@pytest.fixture
def stops(reco: CommandLine) -> Iterator[None]:
    """Whatever a test started, however it ended, nothing is left for the next one."""
    yield
    subprocess.run([str(RECO), "down"], cwd=reco.folder, capture_output=True, timeout=300, check=False)
    for pid in processes_in(reco.folder):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def stopped(reco: CommandLine, stops: None) -> None:
    subprocess.run([str(RECO), "down"], cwd=reco.folder, capture_output=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def up(reco: CommandLine) -> CommandLine:
    """The shop, trained, in the background."""
    reco.json("up", "--detach", *SHOP, *PORTS, "--speed", "1000")
    reco.run("load", str(write(reco.folder / "good")), *SHOP)
    reco.json("train", "--wait", *SHOP)
    return reco


def test_down_and_up_again(up: CommandLine, stops: None) -> None:
    """The same list by the same key, with no other command between; another config neither drops nor sees what was put in."""
    list_before, ids_before = up.json("recommend", "home", "--user", "u1", *SHOP), api_of(up)
    trainings_take(up, seconds=30_000)  # half a minute, so that the run has not ended when all is stopped
    waiting = up.json("train", "--retrain", *SHOP)["execution"]
    up.run("down")
    assert "No local AWS environment is running here" in up.run("status", code=1)[1]
    up.json("up", "--detach", "--config", "config/movielens.yaml", *PORTS)
    assert "nothing is deployed yet" in up.run("recommend", "home", "--user", "1", code=1)[1]
    assert client_of(up, "personalize").list_dataset_groups()["datasetGroups"] == []
    up.run("down")
    process = up.start("up", *SHOP, *PORTS, "--speed", "1000")
    said = until_said(process, "Press Ctrl-C to stop.")
    assert "Start the local AWS environment with what it held" in said
    assert "It is trained and answers:" in said
    assert f"The run {waiting.rsplit(':', 1)[-1]} was aborted" in said
    list_after = up.json("recommend", "home", "--user", "u1", *SHOP)
    assert [item["item_id"] for item in list_after["items"]] == [item["item_id"] for item in list_before["items"]]
    assert api_of(up) == ids_before
    assert up.json("approve", *SHOP) == []
    assert up.json("train", "--wait", *SHOP)["status"] == "SUCCEEDED"
    interrupt(process, up.folder)
    process = up.start("up", *SHOP, *PORTS, "--speed", "1000", "--fresh")
    until_said(process, "Press Ctrl-C to stop.")
    assert "nothing is deployed yet" in up.run("recommend", "home", "--user", "u1", *SHOP, code=1)[1]
    assert api_of(up) != ids_before
    interrupt(process, up.folder)


def trainings_take(up: CommandLine, seconds: int) -> None:
    """Simulated seconds; until the emulator is started again."""
    environment = Environment.attach(up.folder / DATA)
    assert environment is not None
    body = json.dumps({"durations": {"solution-version": [0, seconds]}}).encode()
    request = urllib.request.Request(f"{environment.personalize_endpoint}/_emulator", body, method="PUT")
    urllib.request.urlopen(request, timeout=300).close()


def api_of(up: CommandLine) -> tuple[str, list[str]]:
    """The path of the API's address, which has its id in it, and the keys."""
    gateway = client_of(up, "apigateway")
    keys = gateway.get_api_keys(includeValues=True)["items"]
    return urlsplit(up.json("status")["api_url"]).path, sorted(key["value"] for key in keys)


def test_a_part_that_died_is_started_again(up: CommandLine, stopped: None) -> None:
    up.json("up", "--detach", *SHOP, *PORTS, "--speed", "1000")
    before = client_of(up, "personalize").create_dataset_group(name="outlives")["datasetGroupArn"]
    environment = Environment.attach(up.folder / DATA)
    assert environment is not None
    (emulator,) = emulators_of(environment.pid)
    os.kill(emulator, signal.SIGKILL)
    eventually(lambda: parsed(up, "personalize") == "up" and emulator not in children_of(environment.pid))
    assert before in [group["datasetGroupArn"] for group in client_of(up, "personalize").list_dataset_groups()["datasetGroups"]]
    os.kill(environment.pid, signal.SIGSTOP)  # neither AWS nor the API answers any longer
    try:
        shown = up.json("status", code=1)["parts"]
        said = up.run("status", code=1)
    finally:
        os.kill(environment.pid, signal.SIGCONT)
    assert shown == {"aws": "down", "api": "down", "personalize": "up"}
    assert "`reco down && reco up` starts it again" in said[1]


def parsed(up: CommandLine, part: str) -> str:
    done = subprocess.run([str(RECO), "status", "--json"], cwd=up.folder, capture_output=True, text=True, check=False)
    return str(json.loads(done.stdout)["parts"][part])


def test_two_ups_at_once_are_one(up: CommandLine, stopped: None) -> None:
    both = [up.start("up", "--detach", *SHOP, *PORTS) for _ in range(2)]
    said = [process.communicate(timeout=300)[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 1], said
    refused = next(text for process, text in zip(both, said, strict=True) if process.returncode)
    assert "is starting or deploying in" in refused or "is running already" in refused
    assert "Traceback" not in refused
    assert up.json("status")["parts"]["api"] == "up"


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda folder: (folder / ".recostack").write_text(""), ".recostack is a file where a folder is needed: move it away."),
        (lambda folder: full(folder / ".recostack" / "command.lock"), "Invalid argument"),
        (lambda folder: full(folder / ".recostack" / "deployments" / "shop" / "state.sqlite"), "The state can't be kept in"),
    ],
    ids=["a file", "a lock that can't be written", "a full disk"],
)
def test_what_keeps_a_start_from_writing_is_said_in_a_sentence(tmp_path: Path, broken: Any, said: str) -> None:
    (tmp_path / "config").symlink_to(ROOT / "config")
    broken(tmp_path)
    out, err = CommandLine(tmp_path).run("up", "--detach", *SHOP, *PORTS, code=1)
    assert said in err
    assert "Traceback" not in out + err
    assert processes_in(tmp_path) == []


def full(path: Path) -> None:
    """A file to which nothing can be written."""
    path.parent.mkdir(parents=True)
    path.symlink_to("/dev/full")


def test_an_interrupt_leaves_no_process(reco: CommandLine, stopped: None) -> None:
    """While the app is synthesized, while the local AWS environment starts, while the stacks are deployed."""
    write_config(patient_shop() | {"name": f"shop-{uuid4().hex[:8]}"}, reco.folder, "new.yaml")  # never synthesized
    process = reco.start("up", "--config", "new.yaml", *PORTS)
    eventually(lambda: any("app.py" in command_of(pid) for pid in processes_in(reco.folder)))
    interrupt(process, reco.folder)
    for step in ("Synthesize the CDK app", "Start the local AWS environment"):
        process = reco.start("up", *SHOP, *PORTS)
        until_said(process, step)
        interrupt(process, reco.folder)


def until_said(process: subprocess.Popen[str], step: str) -> str:
    """All that the command has said up to the end of a step."""
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if step in line:
            return said
    raise AssertionError(f"It ended before '{step}' was done: {said}")


def interrupt(process: subprocess.Popen[str], folder: Path) -> None:
    """As by Ctrl-C: it says so in a sentence, if at all, and nothing goes on working in the folder."""
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=300)
    assert process.returncode in (0, 130), said
    assert "Traceback" not in said
    eventually(lambda: processes_in(folder) == [])  # some were killed a moment ago


def test_a_port_in_use_is_named(reco: CommandLine, stopped: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = reco.run("up", *SHOP, "--port", port, "--api-port", "0", "--personalize-port", "0", code=1)[1]
    assert f"Port {port} is in use by another program" in said
    assert "--port" in said
