"""The slice, through the doors that an operator and a shop have: the command line and HTTP."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from tests.e2e.conftest import CommandLine
from tests.shop_csvs import START, rows, write

SHOP = ("--config", "config/shop.yaml")
PORTS = ("--port", "0", "--api-port", "0", "--personalize-port", "0")


@pytest.fixture(scope="module")
def up(reco: CommandLine) -> CommandLine:
    """The shop deployed on this machine, in the background."""
    endpoints = reco.json("up", "--detach", *SHOP, *PORTS, "--speed", "1000")
    assert set(endpoints) == {"api_url", "aws_endpoint", "personalize_endpoint"}
    assert reco.json("status") == endpoints
    return reco


def test_bad_csvs_end_the_run_before_anything_is_made(up: CommandLine) -> None:
    lines = rows()["interactions"]
    lines[40] = lines[40].replace("1700", "1700000", 1)
    folder = str(write(up.folder / "bad", interactions=lines))
    found = up.json("check", folder, *SHOP, code=1)["findings"]
    assert [(f["file"], f["line"], f["column"], f["severity"]) for f in found] == [
        (f"{folder}/interactions.csv", 42, "TIMESTAMP", "error")
    ]
    assert "line 42, column TIMESTAMP" in up.run("load", folder, *SHOP, code=1)[1]
    up.run("load", folder, "--unchecked", *SHOP)
    outcome = up.json("train", "--wait", *SHOP, code=1)
    assert outcome["status"] == "FAILED"
    problem = outcome["report"]["problems"][0]
    assert problem["error"] == "InvalidData"
    assert "interactions/interactions.csv, line 42, column TIMESTAMP" in problem["message"]
    assert "looks like milliseconds" in problem["message"]
    said = up.run("train", "--wait", *SHOP, code=1)[1]
    assert "line 42, column TIMESTAMP" in said
    assert "Correct the CSVs" in said
    assert "Traceback" not in said


def test_from_csvs_to_recommendations(up: CommandLine) -> None:
    """Load, train, recommend, send events, recommend again; a second run finds nothing to do."""
    sizes = up.json("load", str(write(up.folder / "good")), *SHOP)
    assert set(sizes) == {"interactions", "items", "users"}
    outcome = up.json("train", "--wait", *SHOP)
    assert outcome["status"] == "SUCCEEDED"
    assert outcome["report"]["status"] == "SUCCEEDED"
    assert {s["name"] for s in outcome["report"]["solutions"]} == {"for-you", "related", "ranking", "best-sellers"}
    assert all(0 < s["metrics"]["coverage"] <= 1 for s in outcome["report"]["solutions"])

    before = up.json("recommend", "home", "--user", "u1", "-n", "10", *SHOP)
    assert before["returned"] == 10
    assert all(item["attributes"]["STOCK"] > 0 for item in before["items"])
    toys = [f"i{n}" for n in range(2, 60, 3)][:5]
    events = [json.dumps({"user_id": "u1", "item_id": item, "event_type": "buy"}) for item in toys]
    assert up.json("send-events", "-", *SHOP, stdin="\n".join(events)) == {"sent": 5}
    until_recommendations_differ(up, before)

    popular = up.json("recommend", "best-sellers", *SHOP)
    assert popular["returned"] == 25
    again = up.json("train", "--wait", *SHOP)
    versions = [{s["name"]: s["solution_version_arn"] for s in run["report"]["solutions"]} for run in (outcome, again)]
    assert versions[0] == versions[1]


def until_recommendations_differ(up: CommandLine, before: dict[str, Any]) -> None:
    """Events are on their way for a second or two."""
    for _ in range(40):
        after = up.json("recommend", "home", "--user", "u1", "-n", "10", *SHOP)
        if [i["item_id"] for i in after["items"]] != [i["item_id"] for i in before["items"]]:
            return
        time.sleep(0.5)
    raise AssertionError("the events did not change the recommendations")


def test_the_api_as_a_shop_calls_it(up: CommandLine) -> None:
    url = up.json("status")["api_url"]
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{url}/recommendations/home?user_id=u1", timeout=20)
    assert refused.value.code == 403
    assert json.loads(refused.value.read())["error"]["code"] == "forbidden"
    said = up.run("recommend", "home", *SHOP, code=1)[1]
    assert "The API answered 400: user_id is required for this placement" in said


def test_what_only_the_import_finds_comes_back_with_its_reason(up: CommandLine) -> None:
    """One wrong cell in a file larger than what the plan reads, between two of its samples."""
    lines = [f"u{n % 500},i{n % 60},{START + n},view,,mobile" for n in range(400_000)]
    bad = 307_000
    lines[bad] = lines[bad].replace(f"{START + bad}", "soon")
    folder = write(up.folder / "large", interactions=rows()["interactions"] + lines)
    up.run("load", str(folder), *SHOP)
    outcome = up.json("train", "--wait", *SHOP, code=1)
    problem = outcome["report"]["problems"][0]
    assert (problem["part"], problem["error"]) == ("dataset interactions", "ResourceFailed")
    assert "TIMESTAMP" in problem["message"]


def test_events_that_cannot_be_read_are_named(up: CommandLine) -> None:
    said = up.run("send-events", "-", *SHOP, code=1, stdin='{"user_id": "u1", "item_id": "i1"}\n')[1]
    assert "-, line 1, event_type: Field required" in said


def test_a_second_up_finds_the_first(up: CommandLine) -> None:
    said = up.run("up", *SHOP, code=1)[1]
    assert "is running already" in said
    assert "reco deploy" in said
    assert "reco down" in said


def test_a_changed_config_is_deployed_into_what_runs(up: CommandLine) -> None:
    """The campaign and its models stay; the new placement answers at once."""
    raw = yaml.safe_load(Path("config/shop.yaml").read_text())
    raw["placements"]["mail"] = {"solution": "best-sellers", "num_results": 3}
    folder = up.folder / "changed"
    folder.mkdir()
    (folder / "schemas").symlink_to(Path("config/schemas").resolve())
    (folder / "shop.yaml").write_text(yaml.safe_dump(raw))
    assert "there is no placement 'mail'" in up.run("recommend", "mail", *SHOP, code=1)[1]
    before = up.json("status")
    assert up.json("deploy", "--config", "changed/shop.yaml") == before
    assert up.json("recommend", "mail", "--config", "changed/shop.yaml")["returned"] == 3


def test_down_and_up_again(up: CommandLine) -> None:
    up.run("down")
    assert "No embedded AWS is running here" in up.run("status", code=1)[1]
    process = up.start("up", *SHOP, *PORTS, "--speed", "1000")
    assert "Personalize still holds what it had" in until_said(process, "Deploy the stacks")
    up.run("load", str(up.folder / "good"), *SHOP)
    up.json("train", "--wait", *SHOP)
    assert up.json("recommend", "home", "--user", "u1", *SHOP)["returned"] == 20
    interrupt(process, up.folder)


def test_an_interrupt_leaves_no_process(reco: CommandLine) -> None:
    """While the app is synthesized, while the embedded AWS starts, while the stacks are deployed."""
    (reco.folder / "schemas").symlink_to(Path("config/schemas").resolve())
    never_synthesized = yaml.safe_load(Path("config/shop.yaml").read_text()) | {"name": f"shop-{uuid4().hex[:8]}"}
    (reco.folder / "new.yaml").write_text(yaml.safe_dump(never_synthesized))
    process = reco.start("up", "--config", "new.yaml", *PORTS)
    deadline = time.monotonic() + 60
    while not any("app.py" in command for command in processes_of(reco.folder)) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1)
    interrupt(process, reco.folder)
    for step in ("Synthesize the CDK app", "Start the embedded AWS"):
        process = reco.start("up", *SHOP, *PORTS)
        until_said(process, step)
        time.sleep(1)
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
    _, said = process.communicate(timeout=60)
    assert process.returncode in (0, 130), said
    assert "Traceback" not in said
    deadline = time.monotonic() + 5
    while (left := processes_of(folder)) and time.monotonic() < deadline:
        time.sleep(0.05)  # those that were killed a moment ago
    assert left == []


def processes_of(folder: Path) -> list[str]:
    """Command lines of processes that work in the folder, or are told of it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_text().replace("\0", " ")
            told = command + (process / "environ").read_text(errors="replace")
            inside = os.readlink(process / "cwd").startswith(str(folder))
        except OSError:
            continue
        if inside or str(folder) in told:
            found.append(command)
    return found


def test_a_port_in_use_is_named(reco: CommandLine) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = reco.run("up", *SHOP, "--port", port, "--api-port", "0", "--personalize-port", "0", code=1)[1]
    assert f"Port {port} is in use by another program" in said
    assert "--port" in said
