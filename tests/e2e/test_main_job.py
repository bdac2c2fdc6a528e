"""The slice, through the doors that an operator and a shop have: the command line and HTTP."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import yaml

from bench.shop_csvs import START, rows, write
from localaws.environment import Environment
from reco.target import DATA
from tests.e2e.conftest import RECO, ROOT, CommandLine
from tests.processes import children_of, command_of, processes_in
from tests.waiting import eventually

SHOP = ("--config", "config/shop.yaml")
PORTS = ("--port", "0", "--api-port", "0", "--personalize-port", "0")


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
    """The shop deployed on this machine, in the background."""
    endpoints = reco.json("up", "--detach", *SHOP, *PORTS, "--speed", "1000")
    assert set(endpoints) == {"api_url", "aws_endpoint", "personalize_endpoint", "parts"}
    assert endpoints["parts"] == {"aws": "up", "api": "up", "personalize": "up"}
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

    def items() -> list[str]:
        return [item["item_id"] for item in up.json("recommend", "home", "--user", "u1", "-n", "10", *SHOP)["items"]]

    eventually(lambda: items() != [item["item_id"] for item in before["items"]])


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


def test_two_deployments_beside_each_other(up: CommandLine) -> None:
    """Each command asks the API of its own config, with that API's key; --env makes another deployment of the same file."""
    with_env = ("--env", "dev")
    assert "There is no API of shop-dev here (there are: shop)" in up.run(*with_env, "recommend", "home", *SHOP, code=1)[1]
    up.run(*with_env, "deploy", *SHOP)
    said = up.run(*with_env, "recommend", "home", "--user", "u1", *SHOP, code=1)[1]
    assert "The API answered 503: nothing is deployed yet" in said
    assert up.json("recommend", "home", "--user", "u1", *SHOP)["returned"] == 20
    event = json.dumps({"user_id": "u1", "item_id": "i1", "event_type": "view"})
    up.run(*with_env, "send-events", "-", *SHOP, stdin=event)
    assert events_in(up, "shop-dev") == 1


def events_in(up: CommandLine, deployment: str) -> int:
    """How many events the deployment's stream has got."""
    kinesis, found = client_of(up, "kinesis"), 0
    for shard in kinesis.list_shards(StreamName=f"{deployment}-events")["Shards"]:
        place = {"StreamName": f"{deployment}-events", "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        iterator = kinesis.get_shard_iterator(**place)["ShardIterator"]
        found += len(kinesis.get_records(ShardIterator=iterator)["Records"])
    return found


def test_an_answer_that_lacks_attributes_says_so(up: CommandLine) -> None:
    """The catalogue is gone: the rules that read it drop nothing, and the list is not passed off as whole."""
    whole, said = up.json("recommend", "home", "--user", "u1", *SHOP), up.run("recommend", "home", "--user", "u1", *SHOP)[0]
    assert ("degraded" in whole, "Degraded" in said) == (False, False)
    database = client_of(up, "dynamodb")
    table = database.describe_table(TableName="shop-catalogue")["Table"]
    database.delete_table(TableName="shop-catalogue")
    new_user = ("recommend", "search-page", "--user", "u2", "--config", "changed/degraded.yaml")
    raw = yaml.safe_load(Path("config/shop.yaml").read_text())
    raw["placements"]["search-page"] = raw["placements"]["home"]
    (up.folder / "changed" / "degraded.yaml").write_text(yaml.safe_dump(raw))
    up.run("deploy", "--config", "changed/degraded.yaml")  # in new workers, which remember nothing
    answer, (said, _) = up.json(*new_user), up.run(*new_user)
    assert answer["degraded"] == ["attributes"]
    assert (answer["returned"], any(item["attributes"] for item in answer["items"])) == (20, False)
    assert "Degraded: the items' attributes did not come in time" in said
    shape = {name: table[name] for name in ("TableName", "KeySchema", "AttributeDefinitions")}
    database.create_table(**shape, BillingMode="PAY_PER_REQUEST")
    up.run("load", str(up.folder / "good"), *SHOP)
    up.json("train", "--wait", *SHOP)  # which fills it again


def test_down_and_up_again(up: CommandLine, stops: None) -> None:
    """The same list by the same key, with no other command between; another config neither drops nor sees what was put in."""
    list_before, ids_before = up.json("recommend", "home", "--user", "u1", *SHOP), api_of(up)
    trainings_take(up, seconds=30_000)  # half a minute, so that the run has not ended when all is stopped
    waiting = up.json("train", "--retrain", *SHOP)["execution"]
    up.run("down")
    assert "No embedded AWS is running here" in up.run("status", code=1)[1]
    up.json("up", "--detach", "--config", "config/movielens.yaml", *PORTS)
    assert "nothing is deployed yet" in up.run("recommend", "home", "--user", "1", code=1)[1]
    assert client_of(up, "personalize").list_dataset_groups()["datasetGroups"] == []
    up.run("down")
    process = up.start("up", *SHOP, *PORTS, "--speed", "1000")
    said = until_said(process, "Press Ctrl-C to stop.")
    assert "Start the embedded AWS with what it held" in said
    assert f"The run {waiting.rsplit(':', 1)[-1]} had not ended" in said
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
    urllib.request.urlopen(request, timeout=60).close()


def api_of(up: CommandLine) -> tuple[str, list[str]]:
    """The path of the API's address, which has its id in it, and the keys."""
    gateway = client_of(up, "apigateway")
    keys = gateway.get_api_keys(includeValues=True)["items"]
    return urlsplit(up.json("status")["api_url"]).path, sorted(key["value"] for key in keys)


def client_of(up: CommandLine, service: str) -> Any:
    """A boto3 client for what runs there."""
    environment = Environment.attach(up.folder / DATA)
    assert environment is not None
    return environment.client(service)


def test_a_part_that_died_is_started_again(up: CommandLine, stopped: None) -> None:
    up.json("up", "--detach", *SHOP, *PORTS, "--speed", "1000")
    before = client_of(up, "personalize").create_dataset_group(name="outlives")["datasetGroupArn"]
    environment = Environment.attach(up.folder / DATA)
    assert environment is not None
    (emulator,) = (pid for pid in children_of(environment.pid) if "personalize_emulator " in command_of(pid))
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
    """While the app is synthesized, while the embedded AWS starts, while the stacks are deployed."""
    (reco.folder / "schemas").symlink_to(Path("config/schemas").resolve())
    never_synthesized = yaml.safe_load(Path("config/shop.yaml").read_text()) | {"name": f"shop-{uuid4().hex[:8]}"}
    (reco.folder / "new.yaml").write_text(yaml.safe_dump(never_synthesized))
    process = reco.start("up", "--config", "new.yaml", *PORTS)
    eventually(lambda: any("app.py" in command_of(pid) for pid in processes_in(reco.folder)))
    interrupt(process, reco.folder)
    for step in ("Synthesize the CDK app", "Start the embedded AWS"):
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
