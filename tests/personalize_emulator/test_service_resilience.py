"""The emulator under kill -9, under many clients, and under faults that were asked for."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.harness.processes import children_of
from tests.harness.waiting import eventually
from tests.personalize_emulator.conftest import NewClient
from tests.personalize_emulator.journey import BUCKET, RECIPE, ROLE, Client, avro, csv_of, error_of
from tests.personalize_emulator.requests import send

CYCLES = 4  # of kill and restart


class Process:
    """The emulator as its own process, which can be killed and started again over the same data."""

    def __init__(self, data: Path, s3_endpoint: str, *options: str) -> None:
        self._command = [sys.executable, "-m", "personalize_emulator", "--data", str(data), *options]
        self._environment = os.environ | {"AWS_ENDPOINT_URL_S3": s3_endpoint}
        self._s3_endpoint = s3_endpoint

    def start(self) -> Client:
        self.process = subprocess.Popen([*self._command, "--port", "0"], env=self._environment, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert "ready at http://" in line
        return Client(line.split()[-1], self._s3_endpoint)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def children(self) -> list[int]:
        """The ids of the processes that work through its jobs."""
        return children_of(self.process.pid)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(timeout=300)


@contextlib.contextmanager
def running(process: Process) -> Iterator[Client]:
    client = process.start()
    try:
        yield client
    finally:
        if process.process.poll() is None:
            process.kill()


def exported_items(client: Client, dataset: str, job: str) -> set[str]:
    """The item ids of all individual records of an Interactions dataset."""
    arn = client.personalize.create_dataset_export_job(
        jobName=job,
        datasetArn=dataset,
        roleArn=ROLE,
        jobOutput={"s3DataDestination": {"path": f"s3://{BUCKET}/{job}/"}},
    )["datasetExportJobArn"]
    client.wait(arn)
    [entry] = client.s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{job}/")["Contents"]
    text = client.s3.get_object(Bucket=BUCKET, Key=entry["Key"])["Body"].read().decode()
    return {row["ITEM_ID"] for row in csv.DictReader(io.StringIO(text))}


def test_a_killed_emulator_goes_on_where_it_was(tmp_path: Path, s3_endpoint: str) -> None:
    slow_imports = json.dumps({"dataset-import-job": [1, 600]})  # longer than a restart takes on a busy machine
    process = Process(tmp_path / "data", s3_endpoint, "--speed", "60", "--durations", slow_imports)
    with running(process) as client:
        client.s3.create_bucket(Bucket=BUCKET)
        group = client.group("killed")
        dataset = client.dataset(group, "Interactions")
        job = client.start_import(dataset, csv_of("Interactions"), "killed-import")
        client.wait(job, until="CREATE IN_PROGRESS")
        process.kill()
    with running(process) as client:
        assert client.personalize.describe_dataset_group(datasetGroupArn=group)["datasetGroup"]["status"] == "ACTIVE"
        shown = client.personalize.describe_dataset_import_job(datasetImportJobArn=job)["datasetImportJob"]
        assert shown["status"] == "CREATE IN_PROGRESS"
        assert admin(client, "PUT", body={"speed": 2000})[0] == 200  # of what begins from now on
        client.wait(job)
        campaign = client.campaign(client.version(client.solution(group, "killed", "aws-popularity-count")), "killed")
        before = client.recommended(campaign, userId="u1")
        assert len(process.children()) == 1  # one after the other, jobs share a process
        process.kill()
    with running(process) as client:
        assert client.recommended(campaign, userId="u1") == before
        assert process.stop() == 0
    [model] = (tmp_path / "data").rglob("model.json")
    model.write_text(json.dumps(json.loads(model.read_text()) | {"format": 1}))
    with running(process) as client, pytest.raises(ClientError, match="trained by another release of the emulator"):
        client.recommended(campaign, userId="u1")


def test_a_campaign_outlives_updates_that_never_end(tmp_path: Path, s3_endpoint: str) -> None:
    process = Process(tmp_path / "data", s3_endpoint, "--speed", "30000")  # an automatic update every quarter of a second
    with running(process) as client:
        client.s3.create_bucket(Bucket=BUCKET)
        group = client.loaded_group("updates", ["Interactions"])
        tracking_id = client.tracker(group, "updates")
        campaign = client.campaign(client.version(client.solution(group, "updates", "aws-user-personalization")), "updates")
        process.kill()
    for n in range(3):
        with running(process) as client:
            event = {"eventType": "View", "itemId": f"new-{n}", "sentAt": time.time()}
            client.events.put_events(trackingId=tracking_id, sessionId="s", userId="u1", eventList=[event])
            time.sleep(0.5)
            process.kill()
    with running(process) as client:
        assert client.recommended(campaign, userId="u1")


def test_no_kill_loses_an_acknowledged_event_or_a_resource(tmp_path: Path, s3_endpoint: str) -> None:
    draw = random.Random(3)
    process = Process(tmp_path / "data", s3_endpoint, "--speed", "1000")
    events: list[str] = []
    schemas: list[str] = []
    with running(process) as client:
        client.s3.create_bucket(Bucket=BUCKET)
        group = client.group("kills")
        dataset = client.dataset(group, "Interactions")
        tracking_id = client.tracker(group, "kills")
        process.kill()
    for cycle in range(CYCLES):
        with running(process) as client:
            writer = threading.Thread(target=write_until_refused, args=(client, tracking_id, cycle, events, schemas))
            acknowledged = len(events) + draw.randint(1, 80)
            writer.start()
            eventually(lambda: len(events) >= acknowledged)  # noqa: B023  called here
            process.kill()
            writer.join()
    with running(process) as client:
        pages = client.personalize.get_paginator("list_schemas").paginate()
        stored = {schema["name"] for page in pages for schema in page["schemas"]}
        assert set(schemas) <= stored
        assert set(events) <= exported_items(client, dataset, "kills-export")
    assert events


def write_until_refused(client: Client, tracking_id: str, cycle: int, events: list[str], schemas: list[str]) -> None:
    with contextlib.suppress(BotoCoreError, ClientError):
        for n in range(10_000):
            item, name = f"e{cycle}-{n}", f"s{cycle}-{n}"
            event = {"eventType": "View", "itemId": item, "sentAt": time.time()}
            client.events.put_events(trackingId=tracking_id, sessionId="s", userId="u", eventList=[event])
            events.append(item)
            if n % 10 == 0:
                client.personalize.create_schema(name=name, schema=avro("Users"))
                schemas.append(name)


def test_many_clients_at_once_lose_nothing(new_client: NewClient) -> None:
    client = new_client()
    group = client.loaded_group("crowd")
    campaign = client.campaign(client.version(client.solution(group, "crowd", "aws-user-personalization-v2")), "crowd")
    seen = client.filter(group, "crowd", 'EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("View")')
    tracking_id = client.tracker(group, "crowd")
    visitors = [Visitor(number, client.endpoint, campaign, seen, tracking_id) for number in range(8)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    assert [visitor.error for visitor in visitors] == [None] * 8
    dataset = "arn:aws:personalize:us-east-1:123456789012:dataset/crowd/INTERACTIONS"
    assert {item for visitor in visitors for item in visitor.sent} <= exported_items(client, dataset, "crowd-export")


class Visitor(threading.Thread):
    """Calls this and that for a few seconds; any error ends it."""

    def __init__(self, number: int, endpoint: str, campaign: str, seen: str, tracking_id: str) -> None:
        super().__init__()
        self.client = Client(endpoint, endpoint)
        self.number, self.campaign, self.seen, self.tracking_id = number, campaign, seen, tracking_id
        self.sent: list[str] = []
        self.error: Exception | None = None

    def run(self) -> None:
        draw, end = random.Random(self.number), time.monotonic() + 4
        try:
            while time.monotonic() < end:
                draw.choice([self.view, self.ask, self.ask_filtered, self.look])(f"u{draw.randrange(60)}")
        except Exception as error:
            self.error = error

    def view(self, user: str) -> None:
        item = f"new{self.number}-{len(self.sent)}"
        event = {"eventType": "View", "itemId": item, "sentAt": time.time()}
        self.client.events.put_events(trackingId=self.tracking_id, sessionId="s", userId=user, eventList=[event])
        self.sent.append(item)

    def ask(self, user: str) -> None:
        self.client.recommended(self.campaign, userId=user)

    def ask_filtered(self, user: str) -> None:
        self.client.recommended(self.campaign, userId=user, filterArn=self.seen)

    def look(self, _: str) -> None:
        self.client.personalize.list_campaigns()
        self.client.personalize.describe_campaign(campaignArn=self.campaign)


def admin(client: Client, method: str, path: str = "", body: Any = None) -> tuple[int, dict[str, Any]]:
    data = None if body is None else json.dumps(body).encode()
    try:
        with urlopen(Request(f"{client.endpoint}/_emulator{path}", data=data, method=method)) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        return error.code, json.load(error)


def test_faults_strike_as_told_and_end(new_client: NewClient) -> None:
    client = new_client()
    p = client.personalize
    group = client.group("faults")
    faults = [
        {"operation": "ListSchemas", "action": "throttle", "rate": 0.5, "seed": 1},
        {"operation": "ListRecipes", "action": "error"},
        {"operation": "ListDatasetGroups", "action": "slow", "seconds": 0.2},
        {"operation": "CreateDatasetGroup", "action": "create-failed", "reason": "No capacity"},
        {"operation": "CreateSolution", "action": "create-failed", "reason": "No room"},
    ]
    assert admin(client, "PUT", body={"faults": faults})[0] == 200
    codes = [send(client.endpoint, "ListSchemas", {})[1].get("__type") for _ in range(20)]
    assert set(codes) == {None, "ThrottlingException"}
    assert error_of(p.list_recipes)[0] == "InternalFailure"
    begin = time.monotonic()
    p.list_dataset_groups()
    assert time.monotonic() - begin >= 0.2
    failed = p.create_dataset_group(name="failed")["datasetGroupArn"]
    assert client.wait(failed, until="CREATE FAILED")["failureReason"] == "No capacity"
    p.delete_dataset_group(datasetGroupArn=failed)
    born = p.create_solution(name="failed", datasetGroupArn=group, recipeArn=f"{RECIPE}aws-user-personalization")["solutionArn"]
    shown = p.describe_solution(solutionArn=born)["solution"]
    assert shown["status"] == "CREATE FAILED"
    assert error_of(p.create_solution_version, solutionArn=born)[0] == "InvalidInputException"
    assert admin(client, "PUT", body={"faults": []})[0] == 200
    p.list_recipes()


def test_the_admin_endpoint_changes_settings_and_names_what_is_wrong(new_client: NewClient) -> None:
    client = new_client()
    status, settings = admin(client, "PUT", body={"speed": 5000, "durations": {"filter": [1, 2]}, "quotas": {"schemas": 1}})
    assert (status, settings["speed"], settings["durations"]["filter"]) == (200, 5000, [1, 2])
    assert admin(client, "GET")[1]["quotas"]["schemas"] == 1
    for body, named in (
        ({"speed": 0}, "speed"),
        ({"durations": {"lunch": [1, 2]}}, "lunch"),
        ({"quotas": {"schemas": -1}}, "schemas"),
        ({"faults": [{"operation": "*", "action": "explode"}]}, "explode"),
        ({"weather": 1}, "weather"),
        ([], "object"),
    ):
        status, answer = admin(client, "PUT", body=body)
        assert status == 400
        assert named in answer["message"]
    assert admin(client, "GET", "/nothing")[0] == 404


def test_reset_forgets_everything(new_client: NewClient) -> None:
    client = new_client()
    client.loaded_group("forgotten", ["Users"])
    assert admin(client, "POST", "/reset")[0] == 200
    assert client.personalize.list_dataset_groups()["datasetGroups"] == []
    assert client.personalize.list_schemas()["schemas"] == []
    client.loaded_group("forgotten", ["Users"])


def test_a_port_in_use_is_said_in_a_sentence(tmp_path: Path, client: Client) -> None:
    port = client.endpoint.rsplit(":", 1)[-1]
    command = [sys.executable, "-m", "personalize_emulator", "--data", str(tmp_path), "--port", port]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.strip() == f"port {port} is in use: give another one with --port"


def test_a_state_is_for_one_process_at_a_time(tmp_path: Path, s3_endpoint: str) -> None:
    with running(Process(tmp_path, s3_endpoint)):
        command = [sys.executable, "-m", "personalize_emulator", "--data", str(tmp_path), "--port", "0"]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.strip() == f"personalize: the state in {tmp_path} cannot be opened: database is locked"


@pytest.mark.parametrize(
    "options", [["--speed", "0"], ["--quotas", '{"fun": 1}'], ["--durations", "{"], ["--durations", '{"x": [1, 2]}']]
)
def test_wrong_options_are_refused(tmp_path: Path, options: list[str]) -> None:
    command = [sys.executable, "-m", "personalize_emulator", "--data", str(tmp_path), "--port", "0", *options]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
