"""Looks at CSVs the way an import will, before anything is created: header, rows, and the data that training needs.

docs: personalize/latest/dg/preparing-training-data.html, personalize/latest/dg/limits.html
"""

from __future__ import annotations

import csv
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from lambdas.shared.schemas import AvroField, AvroSchema, DatasetKind, cell_reader

MAX_ID = 256
MAX_CATEGORY = 1000
#: A time in seconds beyond this lies after the year 5100; such numbers are milliseconds.
LAST_SECOND = 100_000_000_000
#: Findings of one rule that an answer lists.
LISTED = 20
#: Findings of one rule that the file in S3 holds.
KEPT = 10_000

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
    """All that is wrong, by rule; a rule is named without the values that broke it."""

    by_rule: dict[str, list[Finding]] = field(default_factory=dict)
    not_kept: int = 0

    def add(self, finding: Finding, rule: str) -> None:
        """Keep a finding; beyond KEPT of a rule they are only counted."""
        kept = self.by_rule.setdefault(f"{finding.column} {rule}", [])
        if len(kept) < KEPT:
            kept.append(finding)
        else:
            self.not_kept += 1

    def __iter__(self) -> Iterator[Finding]:
        return itertools.chain.from_iterable(self.by_rule.values())

    def sentences(self) -> list[str]:
        """The first LISTED of each rule, and how many more there are."""
        listed = [str(finding) for kept in self.by_rule.values() for finding in kept[:LISTED]]
        more = sum(len(kept) for kept in self.by_rule.values()) + self.not_kept - len(listed)
        return listed + ([f"and {more:,} more like these"] if more else [])


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
        self.checks: list[Callable[[str], str | None]] = []

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
        fields = [self.schema.column(name) for name in self.columns]
        self.checks = [cell_check(field) if field else lambda text: None for field in fields]
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
        for position, check in enumerate(self.checks):
            problem = check(cells[position])
            if problem:
                self._add(place, self.columns[position], problem, problem.split("'")[0])
                good = False
        return good

    def _add(self, place: str, column: str, sentence: str, rule: str) -> None:
        self.findings.add(Finding(self.file, place, column, sentence), f"{self.kind} {rule}")


def cell_check(column: AvroField) -> Callable[[str], str | None]:
    """A function that says which rule a cell of the column breaks, or None. Made once: it runs for every row."""
    read = cell_reader(column)
    limit = MAX_ID if column.name in ID_COLUMNS else MAX_CATEGORY
    is_text = column.primitive == "string" and not column.textual
    is_time = column.name in TIME_COLUMNS

    def check(text: str) -> str | None:
        try:
            value = read(text)
        except ValueError as error:
            return str(error)
        if is_text and len(text) > limit:
            return f"is longer than the {limit} characters of {'an id' if limit == MAX_ID else 'a string'}"
        if is_time and value is not None and abs(value) >= LAST_SECOND:
            return f"is '{text}', which looks like milliseconds; Personalize wants seconds since 1970"
        return None

    return check
