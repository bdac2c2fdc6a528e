"""Inputs that were captured in runs, and what the references answered: recorded.jsonl, for a test that needs neither."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tests.conformance import machines, templates

if TYPE_CHECKING:
    from tests.conformance.__main__ import Compared

Case = dict[str, Any]
Answer = dict[str, Any]
FILE = Path(__file__).with_name("recorded.jsonl")
#: No recorded line is longer: the API's documents are templates too.
_LONGEST = 4_000
_CAPTURED = "captured"


def engine_of(case: Case) -> ModuleType:
    return templates if "template" in case else machines


def read() -> list[tuple[str, Case, Answer]]:
    """Each case that was recorded: its place, its input and the reference's answer."""
    lines = FILE.read_text().splitlines() if FILE.exists() else []
    return [(line["where"], line["case"], line["answer"]) for line in map(json.loads, lines)]


def captured(file: Path) -> list[tuple[str, Case]]:
    """What a run wrote down; of equal inputs, one."""
    cases = map(json.loads, sorted(set(file.read_text().splitlines())))
    return [(f"{_CAPTURED}: {engine_of(case).__name__.rsplit('.', 1)[-1]}", case) for case in cases]


def write(found: Mapping[str, Compared]) -> None:
    """Records of each template and expression the shortest input that was captured, and the last that was made, which is an odd one."""
    kept: dict[tuple[str, bool], tuple[str, Case, Answer]] = {}
    for place, compared in found.items():
        for case, answer in compared.cases:
            of_a_run = place.startswith(_CAPTURED)
            key, entry = (_subject(case), of_a_run), (place, case, answer)
            if len(json.dumps(entry)) < _LONGEST and not (of_a_run and key in kept and _length(kept[key]) <= _length(entry)):
                kept[key] = entry
    lines = (
        json.dumps({"where": place, "case": case, "answer": answer}, sort_keys=True) for place, case, answer in kept.values()
    )
    FILE.write_text("".join(f"{line}\n" for line in lines))


def _length(entry: tuple[str, Case, Answer]) -> int:
    return len(json.dumps(entry[1]))


def _subject(case: Case) -> str:
    """What is evaluated: the template, or the expression behind the variables that are declared before it."""
    return case["template"] if "template" in case else re.split(r";(?=[^;]*$)", case["text"])[-1]
