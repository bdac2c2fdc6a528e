"""Batch as an operator and a shop meet it: events through the API, the schedule, Spark, Personalize, lists for every user."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from localaws.environment import launch
from reco.data import load
from reco.data.event_file import Event
from reco.deployment import batch, events, train
from reco.local.synth import synthesize
from reco.target import DATA, Target
from tests.e2e.conftest import CommandLine
from tests.harness.deployment import Api, patient_shop, set_faults, until, write_config
from tests.harness.shop_csvs import rows, write

USERS, ERASED = 200, "u7"
ACCOUNT = "us-east-1:123456789012"
CONFIG = ("--config", "config/shop.yaml")


def config() -> dict[str, Any]:
    """The shop with lists for users, lists for items and a segment."""
    raw = patient_shop()
    raw["solutions"] = {
        "for-you": {"recipe": "aws-user-personalization-v2", "campaign": {}},
        "related": {"recipe": "aws-similar-items", "campaign": {}},
        "fans": {"recipe": "aws-item-affinity"},
    }
    raw["filters"] = {"not_bought": raw["filters"]["not_bought"]}
    raw["rules"] = {}
    raw["placements"] = {"home": {"solution": "for-you", "filter": "not_bought", "fallback": ["batch"]}}
    raw["api"]["browser_placements"] = ["home"]
    raw["batch"] = {
        "for-you": {"solution": "for-you", "filter": "not_bought", "num_results": 20, "active_within_days": 1},
        "related": {"solution": "related", "num_results": 10, "active_within_days": 36_500},  # the CSVs are old
    }
    raw["segments"] = {"fans": {"solution": "fans", "item_ids": ["i1", "i2", "i999"], "num_users": 15}}
    raw["schedules"] = {"batch": "cron(0 4 * * ? *)", "archive": "cron(30 2 ? * SUN *)"}
    return raw


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    folder = tmp_path_factory.mktemp("batch")
    write_config(config(), folder / "config")
    return CommandLine(folder)


@pytest.fixture(scope="module")
def site(command: CommandLine) -> Iterator[Target]:
    """Deployed and trained; 200 users of 250 had an event today, which went through the API."""
    folder = command.folder
    with launch(None, folder / DATA, port=0, api_port=0, personalize_port=0, speed=2000) as environment:
        environment.deploy(synthesize(folder / "config" / "shop.yaml", folder / "cdk.out", validate=False))
        target = Target("shop", environment)
        load.upload(target, load.find_csvs(write(folder / "csv", **rows(users=USERS + 50, events_each=15))))
        train.require_success(train.follow(target, train.start(target), lambda state: None, 0.1))
        events.send(target, [event(user) for user in range(USERS)])
        until(lambda: len(archived(target)) == USERS)
        yield target


def event(user: int) -> Event:
    return Event.model_validate({"event_type": "view", "user_id": f"u{user}", "session_id": f"s{user}", "item_id": "i3"})


def objects(target: Target, prefix: str) -> dict[str, bytes]:
    s3, bucket = target.client("s3"), target.output("storage", "DataBucket")
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])]
    return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


def archived(target: Target) -> list[dict[str, Any]]:
    """The events of the archive."""
    lines = [line for body in objects(target, "events/").values() for line in gzip.decompress(body).splitlines()]
    return [record["body"] for record in map(json.loads, lines) if record["kind"] == "event"]


def fire(target: Target, machine: str, output: str) -> str:
    """Fire the schedule, as EventBridge Scheduler does at its time; the execution that it starts."""
    client, of = target.client("stepfunctions"), {"stateMachineArn": target.output("batch", output)}
    found: set[str] = set()
    before = {each["executionArn"] for each in client.list_executions(**of)["executions"]}

    def started() -> bool:
        found.update({each["executionArn"] for each in client.list_executions(**of)["executions"]} - before)
        return bool(found)

    assert target.local is not None
    target.local.fire(f"arn:aws:scheduler:{ACCOUNT}:schedule/default/shop_{machine}")
    until(started)
    return found.pop()


def lists_are_live(target: Target, api: Api, batch: str, asked: list[dict[str, str]], **live: Any) -> None:
    """Each list of the batch is what GetRecommendations gives."""
    runtime, campaign = target.client("personalize-runtime"), f"arn:aws:personalize:{ACCOUNT}:campaign/shop_{batch}"
    for one in asked:
        path = f"users/{one['userId']}" + (f"?item_id={one['itemId']}" if "itemId" in one else "")
        status, answer = api.call("GET", f"/batch/{batch}/{path}")
        assert (status, answer["source"]) == (200, "batch"), answer
        found = runtime.get_recommendations(campaignArn=campaign, **live, **one)["itemList"]
        assert [item["item_id"] for item in answer["items"]] == [item["itemId"] for item in found]


def test_the_schedule_makes_lists_beside_a_segment_that_fails_while_no_second_run_starts(site: Target) -> None:
    set_faults(site, [{"operation": "CreateBatchSegmentJob", "action": "create-failed", "reason": "No capacity left"}])
    try:
        runs = [fire(site, "batch", "BatchStateMachine"), batch.start(site)]
        outcomes = [batch.follow(site, run, lambda state: None, 0.2) for run in runs]
    finally:
        set_faults(site, [])
    second = next(n for n, each in enumerate(outcomes) if each.report and each.report["status"] == "ALREADY_RUNNING")
    outcome, first = outcomes[1 - second], runs[1 - second]  # either may have come first
    assert (outcomes[second].status, outcomes[second].report) == ("SUCCEEDED", {"status": "ALREADY_RUNNING", "execution": first})
    assert outcome.report is not None
    assert outcome.report["status"] == "PARTLY_FAILED", outcome.report
    (problem,) = outcome.report["problems"]
    assert problem["part"] == "segment fans"
    assert "CREATE FAILED: No capacity left" in problem["message"]
    assert "start the run again" in problem["what_to_do"]
    made = {each["name"]: each for each in outcome.report["made"]}
    assert {name: each["status"] for name, each in made.items()} == {"for-you": "ACTIVE", "related": "ACTIVE", "fans": "FAILED"}
    assert (made["for-you"]["lines"], made["for-you"]["written"], made["for-you"]["rejected"]) == (USERS, USERS, 0)


def test_a_list_is_what_personalize_recommends(site: Target) -> None:
    api, filters = Api(site), site.client("personalize").list_filters()["Filters"]
    users = [{"userId": f"u{user}"} for user in range(USERS)]
    lists_are_live(site, api, "for-you", users, numResults=20, filterArn=filters[0]["filterArn"])
    items = [{"userId": "u1", "itemId": f"i{item}"} for item in range(20)]
    lists_are_live(site, api, "related", items, numResults=10)


def test_a_failed_job_leaves_the_lists_before_and_its_sibling_is_published(site: Target, command: CommandLine) -> None:
    api = Api(site)
    before = api.call("GET", "/batch/for-you/users/u1")[1]["items"]
    assert "was not made yet" in command.run("segment", "fans", *CONFIG, code=1)[1]
    set_faults(site, [{"operation": "CreateBatchInferenceJob", "action": "create-failed", "reason": "The input is odd"}])
    try:
        answer = command.json("batch", "for-you", "fans", "--wait", *CONFIG, code=1)
    finally:
        set_faults(site, [])
    report = answer["report"]
    assert report["status"] == "PARTLY_FAILED"
    assert [each["part"] for each in report["problems"]] == ["batch for-you"]
    assert "CREATE FAILED: The input is odd" in report["problems"][0]["message"]
    assert api.call("GET", "/batch/for-you/users/u1")[1]["items"] == before

    (made,) = [each for each in report["made"] if each["name"] == "fans"]
    assert (made["lines"], made["written"], made["rejected"]) == (3, 2, 1)
    assert [each["query"] for each in made["not_made"]] == ["i999"], "an unknown item does not keep the others back"
    segment = command.json("segment", "fans", *CONFIG)
    assert segment["version"] == next(each["version"] for each in report["made"] if each["name"] == "fans")
    assert set(segment["users"]) == {"i1", "i2"}
    assert all(len(found) == len(set(found)) == 15 for found in segment["users"].values())


def test_the_archive_forgets_erased_users_and_becomes_csvs(site: Target, command: CommandLine) -> None:
    assert Api(site).call("DELETE", f"/users/{ERASED}")[0] == 202
    outcome = train.follow(site, fire(site, "archive", "ArchiveStateMachine"), lambda state: None, 0.2)
    assert outcome.status == "SUCCEEDED", outcome
    assert sorted(each["user_id"] for each in archived(site)) == sorted(f"u{n}" for n in range(USERS) if n != 7)
    assert any(key.endswith(".parquet") for key in objects(site, "retention/"))

    report = command.json("load", "archive", *CONFIG)
    (body,) = objects(site, "datasets/interactions/").values()
    found = list(csv.DictReader(io.StringIO(body.decode())))
    assert len(found) == USERS - 1
    assert {row["USER_ID"] for row in found} == {f"u{n}" for n in range(USERS) if n != 7}
    assert {(row["ITEM_ID"], row["EVENT_TYPE"]) for row in found} == {("i3", "view")}
    assert report["written"] == USERS - 1, report
