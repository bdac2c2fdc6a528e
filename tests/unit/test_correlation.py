"""From a call's id to the lines about it: the API's request ids stand in the functions' logs and in the lines of their metrics."""

from __future__ import annotations

import io
import json
import os
from base64 import b64decode, b64encode
from typing import Any

import pytest

from lambdas.aws.observability import logger
from lambdas.ingestion.put_events import handler as put_events
from lambdas.stores.deployment import rules_parameter_name
from tests.unit.conftest import Deployment, set_faults
from tests.unit.serving import call
from tests.unit.test_approve_versions import Inbox
from tests.unit.test_erasure import erase
from tests.unit.test_put_events import event, records


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    written = io.StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", written)
    return written


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_a_batch_of_events_names_the_requests_that_brought_them(stream: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    stream.call(put_events.handler, Records=records(event(), event(), event(event_type="teleport")))
    [line] = [line for line in lines(capsys.readouterr().out) if "EventsPut" in line]
    assert line["request_ids"] == ["request"]
    assert (line["EventsPut"], line["EventsDeadLettered"]) == ([2.0], [1.0])


def test_a_warning_of_the_function_names_the_request(
    shop: Deployment, log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.client("ssm").put_parameter(Name=rules_parameter_name(shop.config.name), Value="{not yaml", Type="String")
    capsys.readouterr()
    call(shop, "GET", "/recommendations/home", {"user_id": ["u-secret"]})
    [broken] = [line for line in lines(log.getvalue()) if "override" in line["message"]]
    assert broken["request_ids"] == ["r"]
    [counted] = [line for line in lines(capsys.readouterr().out) if "RulesOverrideBroken" in line]
    assert counted["request_ids"] == ["r"]
    assert "u-secret" not in log.getvalue()


def test_the_next_invocation_forgets_the_requests_of_the_last(
    stream: Deployment, personalize_endpoint: str, log: io.StringIO
) -> None:
    stream.call(put_events.handler, Records=records(event()))
    set_faults(personalize_endpoint, [{"operation": "PutEvents", "action": "throttle"}])
    late = records(event(event_id="late"))
    for record in late:
        record["kinesis"]["data"] = rename(
            record["kinesis"]["data"], b64encode(b"request").decode(), b64encode(b"another").decode()
        )
    hurried = stream.context
    hurried.get_remaining_time_in_millis = lambda: put_events.RESERVE + 300
    put_events.handler({"Records": late}, hurried)
    [undone] = [line for line in lines(log.getvalue()) if line["message"] == "the batch is not done"]
    assert undone["request_ids"] == ["another"]


def test_an_erasure_that_fails_is_counted_and_names_the_request_and_not_the_user(
    shop: Deployment, log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.client("dynamodb").delete_table(TableName=os.environ["ERASURES_TABLE"])
    capsys.readouterr()
    status, answer = erase(shop, "u-secret")
    assert (status, answer["error"]["code"]) == (503, "unavailable")
    [failed] = lines(log.getvalue())
    assert failed["request_ids"] == ["r"]
    [counted] = [line for line in lines(capsys.readouterr().out) if "ErasuresFailed" in line]
    assert (counted["ErasuresFailed"], counted["request_ids"]) == ([1.0], ["r"])
    assert "u-secret" not in log.getvalue()


def test_a_decision_of_a_person_names_the_request_and_what_comes_after_it_none(shop: Deployment, log: io.StringIO) -> None:
    inbox = Inbox(shop)
    approval_id = inbox.ask()
    inbox.browse("POST", approval_id, "decision=reject")
    [decided] = lines(log.getvalue())
    assert (decided["request_ids"], decided["decision"], decided["solution"]) == (["r"], "reject", "for-you")
    inbox.ask()
    assert "request_ids" not in logger.get_current_keys()
    assert approval_id not in log.getvalue()


def rename(data: str, old: str, new: str) -> str:
    return b64encode(b64decode(data).replace(old.encode(), new.encode())).decode()
