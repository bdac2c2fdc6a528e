"""Looks at the CSVs of a deployment the way an import and a training will, before anything is made.

What the service refuses is in personalize_rules; the rules of the shop are here: its event types, and the solutions of this run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol

from lambdas.config import Config, Solution
from lambdas.config.recipes import RECIPES
from lambdas.config.requests import solution_config
from lambdas.config.schemas import KINDS, DatasetKind
from lambdas.config.section import did_you_mean
from lambdas.training.findings import Findings
from personalize_rules.csv import Unreadable, lines_of
from personalize_rules.imports import Chunk, Finding, Reader, Severity, too_few_rows, too_large, too_many_types
from personalize_rules.limits import MIN_INTERACTIONS, MIN_USERS
from personalize_rules.training import EventRules, Tally
from personalize_rules.values import event_type_key

#: Bytes of every file that are read row by row from its start, unless all of it is read.
_PREFIX_BYTES = 8 * 1024 * 1024
#: Beyond the prefix, this many samples of this many bytes are read.
SAMPLES, SAMPLE_BYTES = 16, 64 * 1024
#: Distinct event types, and ids of items or users, that are counted.
MOST_TYPES, MOST_IDS = 1_000, 2_000_000
#: What earlier imports brought, by `_rules_key`; None where it is not known.
Earlier = Mapping[str, Any] | None


class Source(Protocol):
    """A CSV: `name` is how the operator calls it, `size` in bytes."""

    @property
    def name(self) -> str: ...

    @property
    def size(self) -> int: ...

    def open(self) -> BinaryIO: ...

    def part(self, start: int, length: int) -> bytes: ...


@dataclass
class DataCheck:
    """One look at all CSVs. `whole`: read them to their ends; else the beginning, and samples of the rest.

    `earlier` are the counts of imports to which the interactions will be added; empty where they replace what there is.
    `on_bytes` is called with the size of every piece that was read.
    """

    config: Config
    solutions: Sequence[str]
    whole: bool = False
    earlier: Sequence[Earlier] = ()
    on_bytes: Callable[[int], object] = lambda count: None
    findings: Findings = field(default_factory=Findings)

    def __post_init__(self) -> None:
        chosen = [self.config.solutions[name] for name in self.solutions]
        self.tallies: dict[str, Tally] = {}
        self.learners: dict[str, str] = {}
        for rules, which in (_learns_from(solution) for solution in chosen if RECIPES[solution.recipe].family != "semantic"):
            self.tallies.setdefault(_rules_key(rules), Tally(rules, all_users=self.whole))
            self.learners.setdefault(_rules_key(rules), which)

    def check(self, kind: DatasetKind, place: str, files: Sequence[Source]) -> None:
        """Look at the files of a dataset; `place` names all of them together."""
        dataset = self.config.datasets.present()[kind]
        if not files:
            self._note(place, f"there is no CSV file for the dataset {kind}")
            return
        if rule := too_large(dataset.import_mode, sum(file.size for file in files)):
            self._note(place, rule)
        reader = Reader(dataset.avro, self.findings.add)
        seen = _Interactions(self) if kind == "interactions" else _Records(self, reader.schema.id_field)
        complete = [self._read(reader, file, seen) for file in files]
        if not all(complete):
            return
        if rule := too_few_rows(KINDS[kind], seen.rows):
            self._note(place, rule)
        if rule := too_many_types(dataset.avro, len(seen.types)):
            self._note(place, rule)
        if kind == "interactions":
            self._check_minimums(place)

    def counted(self) -> dict[str, Any]:
        """What was counted of these files alone, for the plans of runs that will add to them."""
        return {key: tally.to_json() for key, tally in self.tallies.items()}

    def _read(self, reader: Reader, file: Source, seen: _Rows) -> bool:
        """Whether the file could be read: to its end, or as far as it must be known."""
        source, chunks = _Counted(file.open(), self.on_bytes), 0
        try:
            for chunk in reader.read(file.name, source):  # type: ignore[arg-type]
                chunks += 1
                seen.add(file.name, chunk)
                if source.count > _PREFIX_BYTES and not self.whole and seen.enough:
                    break
        finally:
            source.close()
        for start in _sample_starts(source.count, file.size) if chunks else ():
            try:
                lines = lines_of(file.part(start, SAMPLE_BYTES), 1)[1:-1]  # the first and the last may be cut
            except Unreadable as error:
                self.findings.add(Finding(file.name, 0, "", str(error), byte=start))
                continue
            reader.chunk(file.name, [0] * len(lines), lines, byte=start)
        return chunks > 0

    def _check_minimums(self, place: str) -> None:
        for key, tally in self.tallies.items():
            unknown = any(counts is None or key not in counts for counts in self.earlier)
            for counts in self.earlier:
                if counts is not None and key in counts:
                    tally.add(counts[key])
            which = f" {self.learners[key]}" if self.learners[key] else ""
            about = "; what earlier imports brought is not known here" if unknown else ""
            severity: Severity = "warning" if unknown else "error"
            if not tally.proven and tally.interactions < MIN_INTERACTIONS:
                rule = f"training needs at least {MIN_INTERACTIONS:,} distinct interactions{which}, found {tally.interactions:,}"
                self._note(place, rule + about, severity)
            if not tally.proven and tally.users < MIN_USERS:
                rule = f"training needs at least {MIN_USERS} users with two interactions{which} each, found {tally.users}"
                self._note(place, rule + about, severity)
            if tally.share_is_too_small:
                self._note(place, f"training wants 1 % of the users to have two interactions{which} each", "warning")

    def _note(self, place: str, rule: str, severity: Severity = "error") -> None:
        self.findings.add(Finding(place, 0, "", rule, severity))


class _Rows:
    """What is counted over the files of a dataset."""

    def __init__(self, check: DataCheck) -> None:
        self.check, self.rows, self.types = check, 0, dict[str, int]()

    @property
    def enough(self) -> bool:
        return True

    def add(self, file: str, chunk: Chunk) -> None:
        self.rows += len(chunk)


class _Interactions(_Rows):
    """Rows, event types, and the interactions that each solution learns from."""

    @property
    def enough(self) -> bool:
        few = too_few_rows("INTERACTIONS", self.rows)
        return few is None and all(tally.proven for tally in self.check.tallies.values())

    def add(self, file: str, chunk: Chunk) -> None:
        super().add(file, chunk)
        for tally in self.check.tallies.values():
            tally.count(chunk.cells)
        types = chunk.cells.get("EVENT_TYPE", ())
        known = self.check.config.event_types
        for name in set(types) - self.types.keys() if len(self.types) < MOST_TYPES else ():
            self.types[name] = 0
            if name and event_type_key(name) not in {event_type_key(each) for each in known}:
                rule = f"the config has no event type '{name[:50]}'{did_you_mean(name, known)}"
                line = chunk.lines[types.index(name)]
                self.check.findings.add(Finding(file, line, "EVENT_TYPE", rule, "warning"))


class _Records(_Rows):
    """Rows, and ids that stand more than once."""

    def __init__(self, check: DataCheck, id_field: str) -> None:
        super().__init__(check)
        self.id_field, self.ids = id_field, set[int]()

    def add(self, file: str, chunk: Chunk) -> None:
        super().add(file, chunk)
        if len(self.ids) > MOST_IDS:
            return
        for line, record_id in zip(chunk.lines, chunk.cells[self.id_field], strict=True):
            before = len(self.ids)
            self.ids.add(hash(record_id))
            if len(self.ids) == before:
                rule = f"'{record_id[:50]}' stands here again: of records with one id the newest counts"
                self.check.findings.add(Finding(file, line, self.id_field, rule, "warning"))


class _Counted:
    """A file that is read from its start, and how many bytes were read."""

    def __init__(self, source: BinaryIO, on_bytes: Callable[[int], object]) -> None:
        self._source, self._on_bytes, self.count = source, on_bytes, 0

    def read(self, size: int) -> bytes:
        piece = self._source.read(size)
        self.count += len(piece)
        self._on_bytes(len(piece))
        return piece

    def close(self) -> None:
        self._source.close()


def _learns_from(solution: Solution) -> tuple[EventRules, str]:
    """Which interactions a solution learns from, and how an operator would say it."""
    settings: Any = solution_config(solution)
    listed = settings.get("eventsConfig", {}).get("eventParametersList", [])
    rules = EventRules.of(event_type=solution.event_type, threshold=solution.event_value_threshold, events_config=listed)
    if listed:
        return rules, f"of the types {', '.join(weight.event_type for weight in solution.event_weights if weight.weight)}"
    parts = [f"of type {solution.event_type}" if solution.event_type else ""]
    parts.append(f"with a value of at least {rules.threshold:g}" if rules.threshold is not None else "")
    return rules, " ".join(part for part in parts if part)


def _rules_key(rules: EventRules) -> str:
    """Equal for rules that choose the same interactions."""
    chosen = {name: least for name, (weight, least) in rules.by_type.items() if weight > 0}
    return json.dumps([sorted(chosen.items()), rules.threshold if not rules.by_type else None])


def _sample_starts(read: int, size: int) -> Iterator[int]:
    """Where the samples of a file of `size` bytes begin, evenly over what has not been read."""
    if size - read >= SAMPLE_BYTES:
        yield from range(read, size - SAMPLE_BYTES + 1, max((size - read) // SAMPLES, SAMPLE_BYTES))
