"""Batch as an operator and a shop meet it: events through the API, the schedule, Spark, Personalize, lists for every user."""

from __future__ import annotations

import gzip
import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.deployment import set_faults
from localaws.environment import Environment, launch
from reco import batch, events, load, train
from reco.synth import synthesize
from reco.target import Target
from tests.shop_csvs import rows, write

USERS = 200
BATCH = "for-you"


def config() -> dict[str, Any]:
    """The shop with a batch, a segment and a batch that can't be made; nothing waits for a gate."""
    raw: dict[str, Any] = yaml.safe_load(Path("config/shop.yaml").read_text())
    raw["solutions"] = {
        "for-you": {"recipe": "aws-user-personalization-v2", "campaign": {}},
        "popular": {"recipe": "aws-popularity-count"},
        "fans": {"recipe": "aws-item-affinity"},
    }
    raw["filters"] = {"not_bought": raw["filters"]["not_bought"]}
    raw["rules"] = {}
    raw["placements"] = {"home": {"solution": "for-you", "filter": "not_bought", "fallback": ["batch", "popular"]}}
    raw["batch"] = {BATCH: {"solution": "for-you", "filter": "not_bought", "num_results": 20, "active_within_days": 1}}
    raw["segments"] = {"fans": {"solution": "fans", "item_ids": ["i1", "i2"], "num_users": 15}}
    raw["schedules"] = {"batch": "cron(0 4 * * ? *)"}
    raw["serving"] = {"time_budget_ms": 5000}  # a busy machine must not make answers fall back
    return raw


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """Deployed and trained; the CSVs are old, and 200 users had an event today, which went through the API."""
    folder = tmp_path_factory.mktemp("batch")
    (folder / "schemas").symlink_to(Path("config/schemas").resolve())
    file = folder / "shop.yaml"
    file.write_text(yaml.safe_dump(config(), sort_keys=False))
    with launch(None, folder / "data", port=0, api_port=0, personalize_port=0, speed=2000) as environment:
        environment.deploy(synthesize(file, folder / "cdk.out", validate=False))
        target = Target("shop", environment)
        load.upload(target, load.find_csvs(write(folder / "csv", **rows(users=USERS + 50, events_each=30))))
        train.require_success(train.follow(target, train.start(target), lambda state: None, 0.1))
        events.send(target, [event(user) for user in range(USERS)])
        until_archived(target, USERS)
        yield target


def event(user: int) -> events.Event:
    return events.Event.model_validate({"event_type": "view", "user_id": f"u{user}", "session_id": f"s{user}", "item_id": "i3"})


def until_archived(target: Target, count: int) -> None:

    s3, bucket = target.client("s3"), target.output("storage", "DataBucket")
    for _ in range(600):
        keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket, Prefix="events/").get("Contents", [])]
        bodies = [gzip.decompress(s3.get_object(Bucket=bucket, Key=key)["Body"].read()) for key in keys]
        if sum(body.count(b"\n") for body in bodies) >= count:
            return
        time.sleep(0.1)
    raise AssertionError("the events did not reach the archive within a minute")


def run_by_schedule(environment: Environment, target: Target) -> train.Outcome:
    """Fire the schedule, as EventBridge Scheduler does at its time; follow the run that it starts."""
    client, machine = target.client("stepfunctions"), target.output("batch", "BatchStateMachine")
    before = {each["executionArn"] for each in client.list_executions(stateMachineArn=machine)["executions"]}
    environment.fire("arn:aws:scheduler:us-east-1:123456789012:schedule/default/shop-batch")
    for _ in range(100):
        started = {each["executionArn"] for each in client.list_executions(stateMachineArn=machine)["executions"]} - before
        if started:
            return batch.follow(target, started.pop(), lambda state: None, 0.2)
        time.sleep(0.1)
    raise AssertionError("the schedule started no run")


def ask(target: Target, path: str) -> dict[str, Any]:
    request = urllib.request.Request(f"{target.api_url}{path}", headers={"x-api-key": target.api_key})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return dict(json.loads(answer.read()))


def test_the_schedule_makes_a_list_for_every_active_user(site: Target) -> None:
    assert site.local is not None
    outcome = run_by_schedule(site.local, site)
    report = train.require_success(outcome, "batch")
    made = {each["name"]: each for each in report["made"]}
    assert (made[BATCH]["lines"], made[BATCH]["written"], made[BATCH]["rejected"]) == (USERS, USERS, 0)

    runtime, personalize = site.client("personalize-runtime"), site.client("personalize")
    campaign = next(each["campaignArn"] for each in personalize.list_campaigns()["campaigns"] if each["name"] == "shop-for-you")
    filter_arn = personalize.list_filters()["Filters"][0]["filterArn"]
    for user in range(USERS):
        answer = ask(site, f"/batch/{BATCH}/users/u{user}")
        live = runtime.get_recommendations(campaignArn=campaign, userId=f"u{user}", numResults=20, filterArn=filter_arn)
        assert answer["source"] == "batch"
        assert [item["item_id"] for item in answer["items"]] == [item["itemId"] for item in live["itemList"]]

    assert made["fans"]["status"] == "ACTIVE"
    _, users = batch.segment(site, "fans")
    assert set(users) == {"i1", "i2"}
    assert all(len(found) == len(set(found)) == 15 for found in users.values())


def test_a_failed_job_is_reported_and_leaves_what_was_there(site: Target) -> None:
    before = batch.segment(site, "fans")
    set_faults(site, [{"operation": "CreateBatchSegmentJob", "action": "create-failed", "reason": "No capacity left"}])
    try:
        outcome = batch.follow(site, batch.start(site, ["fans"]), lambda state: None, 0.1)
    finally:
        set_faults(site, [])
    assert outcome.status == "FAILED"
    assert outcome.report is not None
    (problem,) = outcome.report["problems"]
    assert problem["part"] == "segment fans"
    assert "CREATE FAILED: No capacity left" in problem["message"]
    assert "start the run again" in problem["what_to_do"]
    assert batch.segment(site, "fans") == before


def test_a_second_run_while_one_runs_ends_as_already_running(site: Target) -> None:
    set_faults(site, [{"operation": "DescribeBatchSegmentJob", "action": "throttle"}])  # the first run waits
    try:
        first = batch.start(site, ["fans"])
        time.sleep(2)
        second = batch.follow(site, batch.start(site, ["fans"]), lambda state: None, 0.1)
    finally:
        set_faults(site, [])
    assert second.report is not None
    assert second.report == {"status": "ALREADY_RUNNING", "execution": first}
    report = train.require_success(batch.follow(site, first, lambda state: None, 0.1), "batch")
    assert [each["name"] for each in report["made"]] == ["fans"]
