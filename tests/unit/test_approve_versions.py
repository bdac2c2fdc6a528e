"""The gate and the human in the loop: verdicts on versions, links that work once."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.client import BaseClient
from typer.testing import CliRunner

from lambdas.config import Solution
from lambdas.stores.runs import VersionRecord, keep_version, release_lock, take_lock, versions
from lambdas.training.approval_page import handler as approval_page
from lambdas.training.approve_versions import handler as approve_versions
from lambdas.training.approve_versions.gate import judge
from reco.cli import app
from reco.commands import train
from reco.errors import RecoError
from tests.harness.waiting import eventually
from tests.unit.conftest import Deployment, operated

NAN = math.nan
NDCG = "normalized_discounted_cumulative_gain_at_25"


def solution(**settings: Any) -> Solution:
    return Solution.model_validate({"recipe": "aws-user-personalization-v2", "campaign": {}} | settings)


def trained(value: float | None, arn: str = "version-2") -> dict[str, Any]:
    return {"name": "for-you", "status": "ACTIVE", "arn": arn, "metrics": {NDCG: value}}


@pytest.mark.parametrize(
    ("gate", "value", "deployed", "baseline", "decision", "reason"),
    [
        (None, 0.01, 0.30, None, "deploy", ""),
        ({"at_least": 0.10}, 0.10, None, None, "deploy", ""),
        ({"at_least": 0.10}, 0.0999, None, None, "refuse", "is 0.0999, below the floor of 0.1000"),
        ({"may_fall_by": 0.1}, 0.27, 0.30, None, "deploy", ""),
        ({"may_fall_by": 0.1}, 0.26, 0.30, None, "refuse", "more than 10% below the 0.3000 of the version that serves"),
        ({"may_fall_by": 0.1}, 0.01, None, None, "deploy", ""),
        ({"may_fall_by": 0.1}, 0.01, NAN, None, "refuse", f"the version that serves has no {NDCG} to be compared with"),
        ({"beats": "popular"}, 0.11, None, 0.10, "deploy", ""),
        ({"beats": "popular"}, 0.10, None, 0.10, "refuse", "no better than the 0.1000 of 'popular'"),
        ({"beats": "popular"}, 0.99, None, None, "refuse", f"'popular' has no {NDCG} to be beaten: train it too"),
        ({"metric": "coverage", "at_least": 0.1}, 0.5, None, None, "refuse", "the service gave no coverage"),
        ({"at_least": 0.1}, NAN, None, None, "refuse", f"the service gave no {NDCG} (it gave: nothing)"),
        ({"at_least": 0.1}, None, None, None, "refuse", f"the service gave no {NDCG}"),
        ({"may_fall_by": 0.1}, NAN, 0.3, None, "refuse", f"the service gave no {NDCG}"),
        ({"beats": "popular"}, math.inf, None, 0.3, "refuse", f"the service gave no {NDCG}"),
    ],
)
def test_the_gate(
    gate: dict[str, Any] | None, value: float | None, deployed: float | None, baseline: float | None, decision: str, reason: str
) -> None:
    now = None if deployed is None else ("version-1", {NDCG: deployed})
    verdict = judge("for-you", solution(gate=gate), trained(value), now, baseline, None)
    assert verdict.decision == decision
    assert reason in " ".join(verdict.reasons)


def test_no_gate_lets_through_what_is_no_number(shop: Deployment) -> None:
    """Asked as the state machine asks: a number that is none may come as NaN or as null."""
    raw = shop.config.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    for gate in ({"at_least": 0.1}, {"may_fall_by": 0.1}, {"beats": "best-sellers"}, {"at_least": 0.0}):
        raw["solutions"]["for-you"]["gate"] = gate
        shop.pack(raw)
        for number in (NAN, None):
            (verdict,) = shop.call(approve_versions.handler, step="judge", trained=[trained(number)])
            assert (verdict["decision"], verdict["metrics"]) == ("refuse", {}), gate
            assert f"the service gave no {NDCG}" in verdict["reasons"][0]


def test_what_serves_is_kept_and_what_was_turned_down_stays_down() -> None:
    assert judge("for-you", solution(gate={"at_least": 1.0}), trained(0.1), ("version-2", {}), None, None).decision == "keep"
    for earlier in ("rejected", "rolled_back"):
        assert judge("for-you", solution(), trained(0.9), ("version-1", {}), None, earlier).decision == earlier  # type: ignore[arg-type]
    for unanswered in (None, "unanswered"):
        asked = judge("for-you", solution(approval={"within_hours": 2}), trained(0.9), None, None, unanswered)  # type: ignore[arg-type]
        assert (asked.decision, asked.approval_seconds) == ("ask", 7200)


class Inbox:
    """The mails of a deployment, by a queue on its topic; and a state machine that waits for an answer."""

    def __init__(self, shop: Deployment) -> None:
        self.shop, self.name = shop, shop.config.name
        sqs = shop.client("sqs")
        self.queue = sqs.create_queue(QueueName=f"{self.name}-inbox")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        topic = f"arn:aws:sns:us-east-1:123456789012:{self.name}-runs"
        shop.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        url = {"Name": f"/recostack/{self.name}/api-url", "Value": "https://api.example/v1/", "Type": "String"}
        shop.client("ssm").put_parameter(**url)

    def ask(self, seconds: int = 3600, **more: Any) -> str:
        """The approval id in the link of the mail that an ask sends."""
        verdict = judge("for-you", solution(approval={}), trained(0.9), ("version-1", {NDCG: 0.8}), None, None).model_dump(
            mode="json"
        )
        verdict["approval_seconds"] = seconds
        self.shop.call(approve_versions.handler, step="ask", verdict=verdict, run_id="run-1", task_token="token", **more)
        self.message = message = json.loads(self.shop.client("sqs").receive_message(QueueUrl=self.queue)["Messages"][0]["Body"])[
            "Message"
        ]
        found = re.search(r"https://api\.example/v1/approvals/([\w-]{43})\n", message)
        assert found, message
        assert f"{NDCG}: 0.9000 (serving now: 0.8000)" in message
        return found[1]

    def browse(self, method: str, approval_id: str, body: str | None = None) -> tuple[int, str]:
        event = {
            "resource": "/approvals/{approval_id}",
            "path": f"/approvals/{approval_id}",
            "httpMethod": method,
            "headers": {},
            "multiValueHeaders": {},
            "requestContext": {
                "requestId": "r",
                "stage": "v1",
                "httpMethod": method,
                "path": f"/v1/approvals/{approval_id}",
                "identity": {},
            },
            "body": body,
            "isBase64Encoded": False,
        }
        answer = self.shop.call(approval_page.handler, **event)
        return answer["statusCode"], answer["body"]


def test_an_opened_link_shows_both_versions_and_changes_nothing(shop: Deployment) -> None:
    inbox = Inbox(shop)
    approval_id = inbox.ask()
    for _ in range(2):
        status, page = inbox.browse("GET", approval_id)
        assert status == 200
        assert "<td>0.9000</td><td>0.8000</td>" in page
        assert '<form method="post">' in page
        assert "Sample lists" not in page


def test_the_page_and_the_mail_say_of_what_and_when_and_how_long(shop: Deployment) -> None:
    inbox = Inbox(shop)
    started = (datetime.now(UTC) - timedelta(minutes=25)).replace(microsecond=0)
    told = f"Deployment {shop.config.name}, started {started:%Y-%m-%d %H:%M:%S} UTC, took 25 minutes."
    approval_id = inbox.ask(run_started=started.isoformat())
    assert told in inbox.browse("GET", approval_id)[1]
    assert told in inbox.message


def test_the_pages_are_in_the_language_of_the_config(shop: Deployment) -> None:
    shop.pack(shop.raw() | {"display": {"language": "ko"}})
    inbox = Inbox(shop)
    approval_id = inbox.ask(run_started=datetime.now(UTC).isoformat())
    pages = [
        inbox.browse("GET", approval_id)[1],
        inbox.browse("POST", approval_id, "decision=maybe")[1],
        inbox.browse("GET", "A" * 43)[1],
    ]
    assert all('<html lang="ko">' in page and re.search("[가-힣]", page) for page in pages)
    texts = re.sub(r"<style>.*</style>|<[^>]+>", " ", pages[0], flags=re.DOTALL)
    known = f"for-you|run-1|{shop.config.name}|UTC|NDCG@25"
    assert not re.findall(r"[A-Za-z]{2,}", re.sub(known, "", texts)), texts
    assert 'name="decision" value="approve">승인<' in pages[0]


def test_a_guessed_or_expired_link_is_unknown(shop: Deployment) -> None:
    inbox = Inbox(shop)
    assert inbox.browse("GET", "A" * 43)[0] == 404
    assert inbox.browse("POST", "A" * 43, "decision=approve")[0] == 404
    expired = inbox.ask(seconds=-1)
    assert inbox.browse("GET", expired)[0] == 404
    assert inbox.browse("POST", expired, "decision=approve")[0] == 404


def test_a_decision_must_be_one_of_the_two(shop: Deployment) -> None:
    inbox = Inbox(shop)
    approval_id = inbox.ask()
    assert inbox.browse("POST", approval_id, "decision=maybe")[0] == 400
    assert inbox.browse("POST", approval_id)[0] == 400
    assert inbox.browse("GET", approval_id)[0] == 200  # still to be decided


def test_the_table_does_not_hold_the_link(shop: Deployment) -> None:
    approval_id = Inbox(shop).ask()
    rows = shop.client("dynamodb").scan(TableName=f"{shop.config.name}-runs")["Items"]
    assert len(rows) == 1
    assert approval_id not in json.dumps(rows)


@pytest.mark.parametrize("code", ["TaskTimedOut", "TaskDoesNotExist"])
def test_who_approves_after_the_run_is_told_so(shop: Deployment, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Step Functions no longer knows the question's token: the run was stopped, or its time was up."""
    Inbox(shop).ask()
    make = BaseClient._make_api_call  # type: ignore[attr-defined]

    def call(client: Any, operation: str, parameters: Any) -> Any:
        if operation == "SendTaskSuccess":
            raise client.exceptions.from_code(code)({"Error": {"Code": code, "Message": "Task Timed Out"}}, operation)
        return make(client, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    monkeypatch.setattr(train, "target_of", lambda config, aws: operated(shop))
    done = CliRunner().invoke(app, ["approve", "for-you", "-c", "config/shop.yaml"])
    assert isinstance(done.exception, RecoError), done.output
    assert (
        str(done.exception)
        == "The run that asked about 'for-you' has ended: start another run with `reco train`, which asks again."
    )
    assert "goes live" not in done.output
    again = CliRunner().invoke(app, ["approve", "-c", "config/shop.yaml"])
    assert "No version waits for an approval." in again.output


def test_versions_are_remembered_and_a_rollback_stands(shop: Deployment) -> None:
    record = VersionRecord(
        solution="for-you",
        version_arn="v1",
        run_id="run-1",
        trained_at="2026-01-01T00:00:00Z",
        metrics={NDCG: 0.25},
        decision="deploy",
    )  # type: ignore[arg-type]
    keep_version(record)
    keep_version(record.model_copy(update={"version_arn": "v2", "run_id": "run-2"}))
    keep_version(record.model_copy(update={"run_id": "run-3", "deployed": True}))
    first, second = sorted(versions("for-you"), key=lambda r: r.version_arn)
    assert (first.run_id, first.deployed, first.metrics) == ("run-1", True, {NDCG: 0.25})
    assert second.run_id == "run-2"

    keep_version(record.model_copy(update={"decision": "rolled_back", "deployed": False}))
    keep_version(record.model_copy(update={"decision": "keep", "deployed": True}))  # of a run that began before
    first, _ = sorted(versions("for-you"), key=lambda r: r.version_arn)
    assert (first.decision, first.deployed) == ("rolled_back", False)


def test_one_run_at_a_time(shop: Deployment) -> None:
    """The lock names the execution that holds it; one that is not running any more is replaced."""
    role = "arn:aws:iam::123456789012:role/x"
    sleepy = {"StartAt": "Sleep", "States": {"Sleep": {"Type": "Wait", "Seconds": 600, "End": True}}}
    client = shop.client("stepfunctions")
    machine = client.create_state_machine(name=f"{shop.config.name}-train", definition=json.dumps(sleepy), roleArn=role)
    running = client.start_execution(stateMachineArn=machine["stateMachineArn"], name="one")["executionArn"]
    assert take_lock(running) is None
    assert take_lock(running) is None  # a retry of the same run
    assert take_lock("arn:aws:states:us-east-1:123456789012:execution:x:two") == running
    release_lock("arn:aws:states:us-east-1:123456789012:execution:x:two")  # not its own: stays
    assert take_lock("arn:aws:states:us-east-1:123456789012:execution:x:two") == running
    client.stop_execution(executionArn=running)
    eventually(lambda: client.describe_execution(executionArn=running)["status"] != "RUNNING")
    assert take_lock("arn:aws:states:us-east-1:123456789012:execution:x:two") is None
