"""What the state machines make of results: within the service's limits, and defined whatever a step answered."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from jsonata import Jsonata

from stacks.definitions import load_definition

#: A state's input and output (step-functions/latest/dg/service-quotas.html).
MAX_BYTES = 256 * 1024
FILES = 1000


def states(machine: str) -> dict[str, Any]:
    """All states of a machine by name, at any depth."""
    found: dict[str, Any] = {}

    def walk(part: Any) -> None:
        for name, value in part.items() if isinstance(part, dict) else enumerate(part):
            if name == "States":
                found.update(value)
            if isinstance(value, dict | list):
                walk(value)

    walk(load_definition(machine))
    return found


def evaluated(value: Any, **given: Any) -> Any:
    """A member of a definition with its JSONata evaluated; None for what is undefined, which would fail the execution."""
    if isinstance(value, dict):
        return {name: evaluated(inner, **given) for name, inner in value.items()}
    if not isinstance(value, str) or not (found := re.fullmatch(r"\{%(.*)%\}", value, re.DOTALL)):
        return value
    expression = Jsonata(found[1].strip())
    expression.assign("states", given)
    return expression.evaluate(None)


def test_the_lists_of_a_thousand_files_fit_into_a_result() -> None:
    loading = states("batch")
    key = "batch/a-name-of-some-letters/20261124T040000123Z/output/part-00000-0123456789abcdef.json.out"
    counts = dict.fromkeys(("lines", "written", "rejected", "erased"), 50_000)
    loaded = evaluated(loading["File loaded"]["Output"], input={"key": key, "counts": counts, "offset": 9, "kind": "batch"})
    assert loaded["counts"] == counts
    (caught,) = loading["Load the file"]["Catch"]
    failed = evaluated(caught["Output"], input={"key": key}, errorOutput={"Error": "Lambda.Unknown", "Cause": "x" * 30_000})
    assert failed["error"].startswith("Lambda.Unknown: x")
    for answer in (loaded, failed):
        assert len(json.dumps([answer] * FILES)) < MAX_BYTES


def test_a_person_is_asked_whatever_becomes_of_the_sample_lists() -> None:
    """The function's answers go round until the lists are made; an error of it ends the wait as well."""
    train = states("train")
    verdict = {"name": "for-you", "decision": "ask", "approval_seconds": 3600}
    given = train["Ask for approvals"]["ItemSelector"]
    asked = evaluated(given, context={"Map": {"Item": {"Value": verdict}}})
    make, wait = train["Make sample lists"], train["Wait for sample lists"]
    payload = {name: value for name, value in make["Arguments"]["Payload"].items() if name not in ("step", "run_id")}
    assert evaluated(payload, input=asked) == {"verdict": verdict, "events": None, "note": "", "waited_seconds": 0}
    pending = {"status": "PENDING", "events": [12], "note": "A note.", "wait_seconds": 60, "waited_seconds": 60}
    looked = evaluated(make["Output"], input=asked, result={"Payload": pending})
    (waits,) = train["Are the sample lists made?"]["Choices"]
    assert evaluated(waits["Condition"], input=looked) is True
    assert evaluated(wait["Seconds"], input=looked) == 60
    assert evaluated(payload, input=looked) == {"verdict": verdict, "events": [12], "note": "A note.", "waited_seconds": 60}

    (caught,) = make["Catch"]
    failure = {"Error": "Runtime.ExitError", "Cause": "x"}
    for end, samples in (
        (evaluated(make["Output"], input=looked, result={"Payload": {"status": "DONE", "key": "k"}}), {"key": "k"}),
        (evaluated(caught["Output"], input=looked, errorOutput=failure), {"failure": failure}),
    ):
        assert evaluated(waits["Condition"], input=end) is False
        ask = train["Ask for approval"]
        assert evaluated(ask["TimeoutSeconds"], input=end) == 3600
        samples = {"status": "DONE", **samples}
        assert ask["Arguments"]["Payload"]["run_started"] == "{% $run_started %}"
        answered = evaluated(ask["Output"], input=end, result={"name": "for-you", "approved": True})
        assert answered == {"name": "for-you", "approved": True, "samples": samples}
        silent = evaluated(ask["Catch"][0]["Output"], input=end, errorOutput={"Error": "States.Timeout"})
        assert silent == {"name": "for-you", "approved": False, "error": "States.Timeout", "samples": samples}


@pytest.mark.parametrize("machine", ["train", "batch"])
@pytest.mark.parametrize("problems", [[], [{"error": "E", "part": "p", "message": "m", "what_to_do": "w"}]])
def test_a_run_fails_with_an_error_whatever_its_report_says(machine: str, problems: list[Any]) -> None:
    failed = states(machine)["Run failed"]
    error = evaluated(failed["Error"], input={"problems": problems})
    cause = evaluated(failed["Cause"], input={"problems": problems})
    assert (error, cause) == (("E", "p: m w") if problems else ("RunFailed", cause))
    assert cause
