"""Looks at CSVs the way an import will, before anything is created: header, rows, and the data that training needs.

docs: personalize/latest/dg/preparing-training-data.html, personalize/latest/dg/limits.html
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from lambdas.shared.schemas import AvroField, AvroSchema, DatasetKind, read_cell

MAX_ID = 256
MAX_CATEGORY = 1000
#: A time in seconds beyond this lies after the year 5100; such numbers are milliseconds.
LAST_SECOND = 100_000_000_000
#: Findings of one rule that an answer lists.
LISTED = 20

ID_COLUMNS = frozenset({"USER_ID", "ITEM_ID"})
TIME_COLUMNS = frozenset({"TIMESTAMP", "CREATION_TIMESTAMP"})


@dataclass(frozen=True)
class Finding:
    """One place where a CSV breaks a rule; `place` is `line 17`, or `near byte 4096` in a sample from inside a large file."""

    file: str
    place: str
    column: str
    rule: str

    def __str__(self) -> str:
        parts = [self.file, self.place, f"column {self.column}" if self.column else ""]
        return f"{', '.join(part for part in parts if part)}: {self.rule}"


@dataclass
class Findings:
    """All that is wrong; `kinds` counts them by rule, whatever the values were."""

    found: list[Finding] = field(default_factory=list)
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, finding: Finding, rule: str) -> None:
        """Keep a finding. `rule` names the rule without the value that broke it; beyond LISTED a rule is only counted."""
        self.kinds[finding.column, rule] += 1
        if self.kinds[finding.column, rule] <= LISTED:
            self.found.append(finding)

    def sentences(self) -> list[str]:
        """The kept findings, and how many more there were."""
        more = sum(count - LISTED for count in self.kinds.values() if count > LISTED)
        return [str(finding) for finding in self.found] + ([f"and {more} more like these"] if more else [])


@dataclass(frozen=True)
class TrainingFilter:
    """Which interactions a solution trains on."""

    event_type: str | None = None
    threshold: float | None = None

    def __str__(self) -> str:
        parts = [f"of type {self.event_type}" if self.event_type else ""]
        parts.append(f"with a value of at least {self.threshold:g}" if self.threshold is not None else "")
        return " ".join(part for part in parts if part)


class Minimums:
    """Counts interactions until training is known to be possible: 1,000 distinct ones, 25 users with two each.

    docs: personalize/latest/dg/limits.html. Memory stays small: a proven filter is no longer counted.
    """

    INTERACTIONS = 1000
    USERS = 25

    def __init__(self, wanted: TrainingFilter) -> None:
        self.wanted = wanted
        self.distinct: set[tuple[str, ...]] = set()
        self.per_user: Counter[str] = Counter()
        self.users_with_two = 0

    @property
    def proven(self) -> bool:
        return len(self.distinct) >= self.INTERACTIONS and self.users_with_two >= self.USERS

    def count(self, row: dict[str, str]) -> None:
        if self.proven or not self._matches(row):
            return
        key = (row["USER_ID"], row["ITEM_ID"], row["TIMESTAMP"], row.get("EVENT_TYPE", ""))
        if len(self.distinct) < self.INTERACTIONS:
            if key in self.distinct:
                return
            self.distinct.add(key)
        self.per_user[row["USER_ID"]] += 1
        self.users_with_two += self.per_user[row["USER_ID"]] == 2

    def _matches(self, row: dict[str, str]) -> bool:
        if self.wanted.event_type is not None and row.get("EVENT_TYPE") != self.wanted.event_type:
            return False
        if self.wanted.threshold is None:
            return True
        try:
            return float(row.get("EVENT_VALUE") or "nan") >= self.wanted.threshold
        except ValueError:
            return False

    def shortfall(self) -> list[str]:
        """What is missing, once every row was counted."""
        which = f" {self.wanted}" if str(self.wanted) else ""
        found = []
        if len(self.distinct) < self.INTERACTIONS:
            found.append(
                f"training needs at least {self.INTERACTIONS:,} distinct interactions{which}, found {len(self.distinct):,}"
            )
        if self.users_with_two < self.USERS:
            found.append(
                f"training needs at least {self.USERS} users with two interactions{which} each, found {self.users_with_two}"
            )
        return found


class CsvCheck:
    """Checks one file: first `header`, then any number of `rows`."""

    def __init__(self, file: str, kind: DatasetKind, schema: AvroSchema, findings: Findings) -> None:
        self.file, self.kind, self.schema, self.findings = file, kind, schema, findings
        self.columns: list[str] = []
        self.fields: list[AvroField | None] = []

    def header(self, columns: Sequence[str]) -> bool:
        """Whether rows can be read: every column of the schema is there."""
        self.columns = [name.removeprefix("\ufeff") for name in columns]
        if columns and columns[0].startswith("\ufeff"):
            self._add("line 1", "", "starts with a byte order mark; save it as UTF-8 without one", "byte order mark")
        missing = [f.name for f in self.schema.fields if f.name not in self.columns]
        for name in missing:
            self._add("line 1", name, "the header lacks this column of the schema", "missing column")
        for name in self.columns:
            if self.columns.count(name) > 1:
                self._add("line 1", name, "stands twice in the header", "column twice")
        self.fields = [self.schema.column(name) for name in self.columns]
        return not missing

    def rows(self, lines: Iterable[str], place: str | None = None) -> Iterator[dict[str, str]]:
        """Yield the rows that can be counted, noting what is wrong. `place` stands for line numbers that aren't known."""
        reader = csv.reader(lines)
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                self._add(place or f"line {reader.line_num + 1}", "", f"is not CSV: {error}", "not CSV")
                return
            if cells and self._row(cells, place or f"line {reader.line_num + 1}"):
                yield dict(zip(self.columns, cells, strict=True))

    def _row(self, cells: list[str], place: str) -> bool:
        if len(cells) != len(self.columns):
            self._add(place, "", f"has {len(cells)} cells, the header {len(self.columns)}", "number of cells")
            return False
        good = True
        for name, column, text in zip(self.columns, self.fields, cells, strict=True):
            problem = column and cell_problem(column, text)
            if problem:
                self._add(place, name, problem, problem.split("'")[0])
                good = False
        return good

    def _add(self, place: str, column: str, sentence: str, rule: str) -> None:
        self.findings.add(Finding(self.file, place, column, sentence), f"{self.kind} {rule}")


def cell_problem(column: AvroField, text: str) -> str | None:
    """The rule that a cell breaks, or None."""
    try:
        value = read_cell(column, text)
    except ValueError as error:
        return str(error)
    if column.name in TIME_COLUMNS and value is not None and abs(value) >= LAST_SECOND:
        return f"is '{text}', which looks like milliseconds; Personalize wants seconds since 1970"
    if column.name in ID_COLUMNS and len(text) > MAX_ID:
        return f"is longer than the {MAX_ID} characters of an id"
    if column.primitive == "string" and not column.textual and len(text) > MAX_CATEGORY:
        return f"is longer than the {MAX_CATEGORY} characters of a string"
    return None
