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


@pytest.mark.parametrize("machine", ["train", "batch"])
@pytest.mark.parametrize("problems", [[], [{"error": "E", "part": "p", "message": "m", "what_to_do": "w"}]])
def test_a_run_fails_with_an_error_whatever_its_report_says(machine: str, problems: list[Any]) -> None:
    failed = states(machine)["Run failed"]
    error = evaluated(failed["Error"], input={"problems": problems})
    cause = evaluated(failed["Cause"], input={"problems": problems})
    assert (error, cause) == (("E", "p: m w") if problems else ("RunFailed", cause))
    assert cause
