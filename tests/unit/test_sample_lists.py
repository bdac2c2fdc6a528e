"""The lists of a few users that a person looks at who decides about a new version: made by the function, shown where one decides."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from typing import Any

import pytest

from lambdas.stores.sample_lists import Made, SampleLists, kept
from lambdas.training.approve_versions import handler as approve_versions
from lambdas.training.report import handler as report
from lambdas.training.train_solutions import handler as train_solutions
from personalize_rules.csv import line_of
from reco.deployment.progress import doings
from tests.harness.shop_csvs import csv_text
from tests.harness.waiting import eventually
from tests.unit.conftest import Deployment
from tests.unit.test_approve_versions import Inbox
from tests.unit.test_erasure import erase
from tests.unit.test_training import change_config, faulty, imported, train_request

__all__ = ["faulty", "imported"]

#: Twenty users each with longer and with shorter histories than the shop's 80, who have 60 events each.
LONG, SHORT = 'u"long', "u-short"


@pytest.fixture
def asked(imported: Deployment) -> Deployment:
    """The shop where a person decides, with a CSV more that holds users of more and of fewer events."""
    more = [line_of([user, f"i{n % 60}", "1700000000", "view", "", ""]) for user, n in events(**{LONG: 90, SHORT: 3})]
    imported.put_csv("interactions", csv_text("interactions", more), "more")

    def ask(raw: dict[str, Any]) -> None:
        for solution in raw["solutions"].values():
            solution["approval"] = {}

    change_config(imported, ask)
    return imported


def events(**counts: int) -> list[tuple[str, int]]:
    return [(f"{user}{n}", event) for user, count in counts.items() for n in range(20) for event in range(count)]


def trained(shop: Deployment, solution: str) -> str:
    return str(shop.until_active(train_solutions.handler, **train_request(solution, retrain=True))["arn"])


def samples_of(shop: Deployment, solution: str, arn: str, deployed: str | None = None, run_id: str = "run-1") -> SampleLists:
    """The lists, by the function called as the state machine calls it, for which no time passes between its looks."""
    verdict = {"name": solution, "arn": arn, "decision": "ask", "deployed_arn": deployed}
    event: dict[str, Any] = {"step": "samples", "verdict": verdict, "run_id": run_id, "events": None}

    def done() -> dict[str, Any] | None:
        answer = shop.call(approve_versions.handler, **event)
        event.update({name: answer[name] for name in ("events", "note") if name in answer})
        return answer if answer["status"] == "DONE" else None

    return kept(Made.model_validate(eventually(done)))


def inputs(shop: Deployment, solution: str, run_id: str = "run-1") -> list[dict[str, Any]]:
    """The lines that the jobs of a run read."""
    body = shop.client("s3").get_object(Bucket=shop.bucket, Key=f"samples/{run_id}/{solution}/users.json")["Body"].read()
    return [json.loads(line) for line in body.splitlines()]


def jobs(shop: Deployment) -> list[dict[str, Any]]:
    listed = shop.client("personalize").list_batch_inference_jobs()["batchInferenceJobs"]
    return [job for job in listed if f"/{shop.config.name}_" in job["batchInferenceJobArn"]]


def test_users_with_long_and_with_short_histories_get_lists_of_both_versions(asked: Deployment) -> None:
    old, new = trained(asked, "for-you"), trained(asked, "for-you")
    lists = samples_of(asked, "for-you", new, old)
    assert [user.events for user in lists.users] == [90, 60, 60, 60, 3]
    assert lists.note == ""
    for user in lists.users:
        for shown in (user.new, user.serving):
            assert len({item.item_id for item in shown}) == 10
            assert all(item.title == f"Item {item.item_id[1:]}" for item in shown)
    users = [line["userId"] for line in inputs(asked, "for-you")]
    assert users[0].startswith(LONG)
    assert users[-1].startswith(SHORT)
    assert not [user for user in users if user in lists.model_dump_json().replace('\\"', '"')], "the lists name no user"

    assert samples_of(asked, "for-you", new, old, "run-2") == lists, "of equal CSVs the same users"
    for user in users:
        erase(asked, user)
    samples_of(asked, "for-you", new, old, "run-3")
    assert not {line["userId"] for line in inputs(asked, "for-you", "run-3")} & set(users), "nobody who was erased"


def test_a_ranking_is_asked_to_order_the_items_with_the_most_events(asked: Deployment) -> None:
    lists = samples_of(asked, "ranking", trained(asked, "ranking"))
    (candidates,) = {tuple(line["itemList"]) for line in inputs(asked, "ranking")}
    assert len(candidates) == 25
    assert "Each list is the first 10 of 25 items with many events" in lists.note
    assert "No version serves yet." in lists.note
    for user in lists.users:
        assert {item.item_id for item in user.new} <= set(candidates)
        assert (len(user.new), user.serving) == (10, [])


@pytest.mark.parametrize("solution", ["related", "best-sellers"])
def test_recipes_that_do_not_answer_for_users_have_none(asked: Deployment, solution: str) -> None:
    assert samples_of(asked, solution, "version") == SampleLists()
    assert jobs(asked) == []


def test_none_are_made_where_the_config_wants_none(imported: Deployment) -> None:
    change_config(imported, lambda raw: raw["solutions"]["for-you"].update(approval={"sample_users": 0}))
    assert samples_of(imported, "for-you", "version") == SampleLists()
    assert jobs(imported) == []


def test_a_job_that_fails_leaves_a_reason(asked: Deployment, faulty: Any) -> None:
    new = trained(asked, "for-you")
    faulty("CreateBatchInferenceJob")
    failed = samples_of(asked, "for-you", new)
    assert failed.users == []
    assert failed.note.startswith("There are no sample lists of the new version: batch-inference-job/")
    assert "CREATE FAILED: No capacity left" in failed.note
    faulty()
    gone = samples_of(asked, "for-you", new, f"{new}0", "run-2")
    assert [len(user.new) for user in gone.users] == [10] * 5
    assert [user.serving for user in gone.users] == [[]] * 5
    assert "There are no lists of the version that serves: " in gone.note


def test_a_job_that_takes_too_long_is_not_waited_for(asked: Deployment) -> None:
    verdict = {"name": "for-you", "arn": trained(asked, "for-you"), "decision": "ask"}
    request = {"step": "samples", "verdict": verdict, "run_id": "run-1"}
    first = asked.call(approve_versions.handler, **request)
    assert (first["status"], first["wait_seconds"]) == ("PENDING", 60)
    late = asked.call(approve_versions.handler, **request | {"run_id": "run-2", "waited_seconds": 7200})
    assert "the job was not done within 2 hours" in kept(Made.model_validate(late)).note


def test_of_many_users_the_events_are_counted_exactly_whatever_the_order_of_the_rows(asked: Deployment) -> None:
    """Three times as many users as are kept in memory, with histories of one to seven events."""
    arn = trained(asked, "for-you")
    counts = {f"many{n}": n % 7 + 1 for n in range(3000)}
    pairs = [(user, f"i{n}") for user, count in counts.items() for n in range(count)]
    random.Random(1).shuffle(pairs)
    for name in ("interactions", "more"):
        lines = [f"{user},{item},1700000000,view,," for user, item in pairs if (name == "more") == (item < "i3")]
        asked.put_csv("interactions", csv_text("interactions", lines), name)
    verdict = {"name": "for-you", "arn": arn, "decision": "ask"}
    answer = asked.call(approve_versions.handler, step="samples", verdict=verdict, run_id="run-1")
    assert answer["status"] == "PENDING"
    assert answer["events"] == [counts[line["userId"]] for line in inputs(asked, "for-you")]
    assert answer["events"] == sorted(answer["events"], reverse=True)
    assert answer["events"][0] >= 6
    assert answer["events"][-1] <= 2


def test_csvs_that_were_taken_away_leave_a_reason(asked: Deployment) -> None:
    s3 = asked.client("s3")
    for entry in s3.list_objects_v2(Bucket=asked.bucket, Prefix="datasets/interactions/")["Contents"]:
        s3.delete_object(Bucket=asked.bucket, Key=entry["Key"])
    assert samples_of(asked, "for-you", "version").note == "There are no sample lists: the CSVs hold no users."


def test_progress_says_once_that_they_are_made_and_then_who_waits_for_what() -> None:
    verdict = {"name": "for-you", "approval_seconds": 3600}

    def entered(state: str, samples: dict[str, Any]) -> dict[str, Any]:
        given = json.dumps({"verdict": verdict, "samples": samples})
        return {"stateEnteredEventDetails": {"name": state, "input": given}, "timestamp": datetime.now(UTC)}

    looks = [entered("Make sample lists", {}), entered("Make sample lists", {"status": "PENDING"})]
    made, waits = doings([*looks, entered("Ask for approval", {"status": "DONE"})])
    assert (made.text, made.waits) == ("Making lists of for-you for a few users, by both versions", False)
    assert "`reco approve for-you` deploys the new one" in waits.text
    assert waits.waits


LISTS = {
    "users": [
        {
            "events": 1234,
            "new": [{"item_id": "i1", "title": "Tent <two>"}, {"item_id": "i2"}],
            "serving": [{"item_id": "i2"}, {"item_id": "i3", "title": "Stove"}],
        }
    ],
    "note": "A <note>.",
}


def put_lists(shop: Deployment) -> dict[str, str]:
    key = "reports/run-1/samples-for-you.json"
    shop.client("s3").put_object(Bucket=shop.bucket, Key=key, Body=json.dumps(LISTS).encode())
    return {"status": "DONE", "key": key}


def test_the_page_of_the_link_shows_them_and_the_mail_says_so(shop: Deployment) -> None:
    inbox = Inbox(shop)
    status, page = inbox.browse("GET", inbox.ask(samples=put_lists(shop)))
    assert status == 200
    assert "User 1, 1,234 events in the CSVs" in page
    assert "<td>1</td><td>i2</td><td>+ Tent &lt;two&gt;</td>" in page
    assert "<td>2</td><td>Stove</td><td>i2</td>" in page
    assert "A &lt;note&gt;." in page
    assert page.index("Tent") < page.index("<form")
    assert "The page shows the lists of one user by both versions." in inbox.message


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        ({"failure": {"Error": "Runtime.ExitError", "Cause": json.dumps({"errorMessage": "out of memory"})}}, "out of memory"),
        ({"failure": {"Error": "States.Timeout"}}, "States.Timeout"),
        ({"key": "reports/run-1/samples-gone.json"}, "reports/run-1/samples-gone.json can't be read"),
    ],
)
def test_the_person_is_asked_also_without_lists_and_told_why(shop: Deployment, samples: dict[str, Any], reason: str) -> None:
    inbox = Inbox(shop)
    status, page = inbox.browse("GET", inbox.ask(samples=samples))
    assert (status, reason in page.replace("&#x27;", "'"), reason in inbox.message) == (200, True, True)
    assert '<form method="post">' in page


def test_the_report_of_the_run_shows_them(shop: Deployment) -> None:
    made = shop.call(
        report.handler,
        run_id="run-1",
        run_started=datetime.now(UTC).isoformat(),
        solutions=[{"name": "for-you", "recipe": "aws-user-personalization-v2", "status": "ACTIVE", "arn": "version"}],
        verdicts=[{"name": "for-you", "arn": "version", "decision": "ask"}],
        answers=[{"name": "for-you", "approved": True, "samples": put_lists(shop)}],
    )
    assert made["status"] == "SUCCEEDED"
    assert "sample_lists" not in made, "a state's output has room for 256 KiB alone"
    s3 = shop.client("s3")
    page = s3.get_object(Bucket=shop.bucket, Key="reports/run-1/report.html")["Body"].read().decode()
    assert "User 1, 1,234 events in the CSVs" in page
    assert "+ Tent &lt;two&gt;" in page
    kept_report = json.load(s3.get_object(Bucket=shop.bucket, Key="reports/run-1/report.json")["Body"])
    assert kept_report["sample_lists"]["for-you"]["note"] == "A <note>."
