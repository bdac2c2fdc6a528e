"""Starts a train run and follows it."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lambdas.stores import prefixes
from reco.deployment.progress import Doing, doings
from reco.errors import RecoError
from reco.target import Target

#: Most looks find fewer new ones.
_EVENTS_AT_A_LOOK = 25


@dataclass(frozen=True)
class Outcome:
    """How a run ended: the machine's status, its seconds, and the report (None if the run ended without one)."""

    status: str
    seconds: float
    report: dict[str, Any] | None
    error: str = ""
    cause: str = ""


def start(target: Target, *, retrain: bool = False, solutions: list[str] | None = None) -> str:
    """Start the train state machine; returns the execution's ARN."""
    request = {"retrain": retrain} | ({"solutions": solutions} if solutions else {})
    return start_machine(target, target.output("training", "TrainStateMachine"), request)


def start_machine(target: Target, machine: str, request: Mapping[str, Any]) -> str:
    """Start a state machine, by its ARN; returns the execution's ARN."""
    client = target.client("stepfunctions")
    answer = client.start_execution(stateMachineArn=machine, name=str(uuid.uuid4()), input=json.dumps(request))
    return str(answer["executionArn"])


def follow(
    target: Target,
    execution: str,
    on_doing: Callable[[Doing], None],
    every: float = 1.0,
    meanwhile: Callable[[], None] = lambda: None,
) -> Outcome:
    """Wait for the end of a run, telling what it does whenever that changes; `meanwhile` is called at each look."""
    client, seen, last = target.client("stepfunctions"), set[Doing](), 0
    while True:
        described = client.describe_execution(executionArn=execution)
        events = events_since(client, execution, last)
        last = events[-1]["id"] if events else last
        for doing in doings(events):
            if doing not in seen:
                seen.add(doing)
                on_doing(doing)
        if described["status"] != "RUNNING":
            return outcome(target, described)
        meanwhile()
        time.sleep(every)


def events_since(client: Any, execution: str, last: int) -> list[dict[str, Any]]:
    """What happened in an execution after the event with the id `last`, in order.

    Read from the end, since a history can have 25,000 events.
    """
    found: list[dict[str, Any]] = []
    history = client.get_paginator("get_execution_history").paginate(
        executionArn=execution,
        reverseOrder=True,
        includeExecutionData=True,
        PaginationConfig={"PageSize": _EVENTS_AT_A_LOOK},
    )
    for page in history:
        new = [event for event in page["events"] if event["id"] > last]
        found += new
        if len(new) < len(page["events"]):
            break
    return found[::-1]


def states_entered(events: Iterable[dict[str, Any]]) -> Iterator[str]:
    """The names of the states that were entered, in order."""
    for event in events:
        if "stateEnteredEventDetails" in event:
            yield event["stateEnteredEventDetails"]["name"]


def outcome(target: Target, described: dict[str, Any]) -> Outcome:
    seconds = (described["stopDate"] - described["startDate"]).total_seconds()
    report = json.loads(described["output"]) if described.get("output") else _read_report(target, described["name"])
    return Outcome(described["status"], seconds, report, described.get("error") or "", described.get("cause") or "")


def _read_report(target: Target, run_id: str) -> dict[str, Any] | None:
    """The report that a run left in S3."""
    s3, bucket = target.client("s3"), target.output("storage", "DataBucket")
    try:
        body = s3.get_object(Bucket=bucket, Key=f"{prefixes.REPORTS}{run_id}/report.json")["Body"]
    except s3.exceptions.NoSuchKey:
        return None
    return dict(json.loads(body.read()))


def problems(result: Outcome) -> list[str]:
    """What went wrong, as sentences; empty when the run did all it should."""
    if result.report is not None and result.report["status"] == "ALREADY_RUNNING":
        return [f"Another run is in progress: {result.report['execution']}. Follow that run, or start again when it has ended."]
    if result.report is not None:
        return [f"{p['part']}: {p['message']} {p['what_to_do']}" for p in result.report["problems"]]
    return [] if result.status == "SUCCEEDED" else [f"{result.status} {result.error}: {result.cause}".strip()]


def require_success(result: Outcome, machine: str = "train") -> dict[str, Any]:
    """The report of a run that did all it should. Raises RecoError with what went wrong."""
    wrong = problems(result)
    if wrong or result.report is None:
        raise RecoError(f"The {machine} run failed.\n" + "\n".join(wrong))
    return result.report
