"""`make conformance`: our evaluators of mapping templates and of JSONata, held against the programs that AWS names.

    python -m tests.conformance [--cases N] [--seed N] [--captured FILE] [--record]

Every mapping template of the synthesized apps is rendered by Apache Velocity too, every expression of the state machines evaluated by
the JavaScript `jsonata` too, over inputs that are made from the seed, and inputs that were captured in runs: those of recorded.jsonl,
and of a file that a run with LOCALAWS_EVALUATIONS=FILE wrote. Exits 1 when an answer differs, 2 when a reference can't be had.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from reco.errors import RecoError
from tests.conformance import machines, recordings, references, synthesized, templates
from tests.conformance.recordings import Answer, Case, engine_of

Placed = tuple[str, Case]
console = Console()


@dataclass
class Compared:
    """What the cases of one place showed."""

    cases: list[tuple[Case, Answer]] = field(default_factory=list)
    refused: int = 0
    different: list[tuple[Case, Answer, Answer]] = field(default_factory=list)

    def add(self, case: Case, ours: Answer, theirs: Answer) -> None:
        meaning = engine_of(case).meaning
        self.cases.append((case, theirs))
        if meaning(ours) != meaning(theirs):
            self.different.append((case, ours, theirs))
        elif "error" in theirs:
            self.refused += 1


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--cases", type=int, default=40, help="inputs for each template and each expression (default: 40)")
    parser.add_argument("--seed", type=int, default=1, help="from which inputs are made (default: 1)")
    parser.add_argument("--captured", type=Path, help="inputs that a run with LOCALAWS_EVALUATIONS=FILE wrote down")
    parser.add_argument("--record", action="store_true", help="write recorded.jsonl, which a test holds our evaluators against")
    given = parser.parse_args()
    captured = recordings.captured(given.captured) if given.captured else []
    try:
        with tempfile.TemporaryDirectory() as folder:
            found = compare(cases(Path(folder), given.cases, random.Random(given.seed)) + captured)
    except (references.NoReference, RecoError) as error:
        console.print(f"Nothing was compared: {error}", markup=False, highlight=False)
        sys.exit(2)
    if given.record:
        recordings.write(found)
    sys.exit(show(found))


def cases(folder: Path, wanted: int, rng: random.Random) -> list[Placed]:
    """Inputs for everything that is synthesized into the folder, and what was recorded."""
    console.print("Synthesizing the apps of three configs: half a minute where nothing of it is cached.")
    assemblies = synthesized.assemblies(folder)
    texts = distinct(pair for assembly in assemblies for pair in synthesized.mapping_templates(assembly))
    expressions = distinct(pair for assembly in assemblies for pair in synthesized.expressions(assembly))
    console.print(f"{len(texts)} mapping templates and {len(expressions)} expressions differ from each other.")
    rendered = [(place, case) for text, place in texts.items() for case in templates.cases(text, wanted, rng)]
    evaluated = [(place, case) for text, place in expressions.items() for case in machines.cases(text, wanted, rng)]
    return rendered + evaluated + [(place, case) for place, case, _ in recordings.read()]


def compare(wanted: list[Placed]) -> dict[str, Compared]:
    """By place, what all cases showed."""
    found: dict[str, Compared] = {}
    for engine, reference in ((templates, references.velocity), (machines, references.jsonata)):
        mine = [(place, case) for place, case in wanted if engine_of(case) is engine]
        for (place, case), theirs in zip(mine, reference([case for _, case in mine]), strict=True):
            found.setdefault(place, Compared()).add(case, engine.ours(case), theirs)
    return found


def distinct(found: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The place where each text stands first."""
    texts: dict[str, str] = {}
    for place, text in found:
        texts.setdefault(text, place)
    return texts


def show(found: dict[str, Compared]) -> int:
    """Prints a row a place and the first differences of each; the exit code."""
    table = Table("Where it stands", "Cases", "Refused by both", "Different", title="Our evaluators and the references")
    for place, compared in found.items():
        row = (len(compared.cases), compared.refused, len(compared.different))
        table.add_row(place, *(str(number) for number in row))
    console.print(table)
    for place, compared in found.items():
        for case, answer, theirs in compared.different[:3]:
            at, one, other = first_difference(engine_of(case).meaning(answer), engine_of(case).meaning(theirs))
            console.print(f"\n{place}, first at {at or 'the top'}:", markup=False)
            given = case["body"] if "body" in case else case["text"]
            for name, what in (("given", given), ("ours", one), ("theirs", other)):
                console.print(f"  {name:8}{json.dumps(what, ensure_ascii=False)[:500]}", markup=False, highlight=False)
    different = sum(len(compared.different) for compared in found.values())
    console.print(f"{sum(len(compared.cases) for compared in found.values())} cases, {different} different.")
    return 1 if different or not found else 0


def first_difference(one: Any, other: Any, at: str = "") -> tuple[str, Any, Any]:
    """The place where two answers differ first, and what they say there."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        pairs: Iterable[tuple[Any, Any, Any]] = ((key, one[key], other[key]) for key in one)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = ((number, mine, yours) for number, (mine, yours) in enumerate(zip(one, other, strict=True)))
    else:
        return at, one, other
    return next(first_difference(mine, yours, f"{at}/{key}") for key, mine, yours in pairs if mine != yours)


if __name__ == "__main__":
    main()
