"""What a bulk import takes, and by file, line and column what it refuses.

docs: personalize/latest/dg/preparing-training-data.html, bulk-data-import-step.html, interactions-datasets.html, limits.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Literal

from personalize_rules import csv
from personalize_rules.csv import Unreadable, blocks, cells_of, rows_of
from personalize_rules.limits import (
    MAX_ATTRIBUTION_SOURCES,
    MAX_IMPORT_BYTES,
    MAX_TYPES_AND_COLUMNS,
    MIN_IMPORTED_INTERACTIONS,
)
from personalize_rules.schemas import KEYWORDS, Kind, Schema
from personalize_rules.values import cell_reader, column_check

Severity = Literal["error", "warning"]
Mode = Literal["FULL", "INCREMENTAL"]

#: The rule of a header without a column of the schema.
MISSING = "the header lacks this column of the schema"
#: Few enough rows to stay in the processor's cache: with 5M rows, 65,536 took two thirds more time.
_ROWS_PER_CHUNK = 2_048
_BOM = "\ufeff"
#: What files use between cells where it is no comma.
_DELIMITERS = {";": ";", "\t": "a tab", "|": "|"}


@dataclass(frozen=True)
class Finding:
    """A place where a file breaks a rule. `line` is 0 for the file as a whole; `column` is empty where all of a line is meant."""

    file: str
    line: int
    column: str
    rule: str
    severity: Severity = "error"
    #: Where lines can't be counted: the byte at which a sample from inside a large file begins.
    byte: int | None = None

    @property
    def place(self) -> str:
        near = f"near byte {self.byte:,}" if self.byte is not None else ""
        parts = [self.file, near or (f"line {self.line}" if self.line else ""), f"column {self.column}" if self.column else ""]
        return ", ".join(part for part in parts if part)

    @property
    def kind(self) -> str:
        """The rule without the values that broke it: equal for findings of one kind."""
        return re.sub(r"'.*'|\d[\d,.]*", "…", self.rule, flags=re.DOTALL)

    def __str__(self) -> str:
        return f"{self.place}: {self.rule}"


_Note = Callable[[Finding], None]


def too_few_rows(kind: Kind, rows: int) -> str | None:
    """What is wrong with the number of rows of all files of an import job. docs: limits.html"""
    if kind == "INTERACTIONS" and rows < MIN_IMPORTED_INTERACTIONS:
        return f"the data has {rows} interactions; an import needs at least {MIN_IMPORTED_INTERACTIONS}"
    return None


def too_many_types(schema: Schema, event_types: int) -> str | None:
    """What is wrong with the number of distinct event types. docs: limits.html"""
    if schema.kind == "INTERACTIONS" and event_types + len(schema.metadata) > MAX_TYPES_AND_COLUMNS:
        return (
            f"the data has {event_types} distinct event types and the schema {len(schema.metadata)} metadata columns; "
            f"together at most {MAX_TYPES_AND_COLUMNS} are allowed"
        )
    return None


def too_many_sources(sources: int) -> str | None:
    """What is wrong with the number of distinct event attribution sources. docs: event-metrics.html"""
    # Guess: what would bring the 101st source is refused.
    if sources > MAX_ATTRIBUTION_SOURCES:
        return f"there are {sources} event attribution sources; at most {MAX_ATTRIBUTION_SOURCES} are allowed"
    return None


def too_large(mode: Mode, size: int) -> str | None:
    """What is wrong with the bytes of all files of an import job. docs: limits.html"""
    if size > MAX_IMPORT_BYTES[mode]:
        return f"the data has {size / 1e9:,.1f} GB; an import of the mode {mode} takes {MAX_IMPORT_BYTES[mode] / 1e9:,.0f} GB"
    return None


@dataclass
class Chunk:
    """Some records of a file: `cells` by the column of the schema, `lines` their numbers."""

    lines: Sequence[int]
    cells: dict[str, tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.lines)


@dataclass
class Reader:
    """Reads the files of one dataset as an import does, noting whatever is wrong.

    A record whose number of cells is wrong is left out of the chunks; one with a wrong value is in them. Warnings are of what is
    taken though it may not be meant, or its meaning is a guess; without `warn` those about single values are not looked for.
    """

    schema: Schema
    note: _Note
    warn: bool = True
    header: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._readers = {column.name: cell_reader(self.schema, column) for column in self.schema.fields}
        self._checks = {column.name: column_check(self.schema, column) for column in self.schema.fields}
        self._texts = {column.name for column in self.schema.fields if column.is_text and not column.textual}

    def read(self, name: str, source: BinaryIO) -> Iterator[Chunk]:
        """The records of a file; none when its header or its encoding is wrong."""
        try:
            width: int | None = None
            for first, lines in blocks(source):
                rest = lines
                if width is None:
                    columns = self.read_header(name, lines[0])
                    if columns is None:
                        return
                    width, rest, first = len(columns), lines[1:], 2
                for start in range(0, len(rest), _ROWS_PER_CHUNK):
                    part = rest[start : start + _ROWS_PER_CHUNK]
                    if chunk := self.chunk(name, range(first + start, first + start + len(part)), part):
                        yield chunk
            if width is None:
                self._note(name, 1, "", "the file is empty: it must begin with a row of column headers")
        except Unreadable as error:
            self._note(name, error.line, "", str(error))

    def read_header(self, name: str, line: str) -> list[str] | None:
        """The columns of a file, None where records can't be read."""
        columns = header_of(line)
        good = self._check_header(name, line, columns)
        # Guess: the headers of all files must be the same to the letter, the order of the columns included.
        if good and self.header and columns != self.header:
            self._note(name, 1, "", f"the column headers of all files must match; the first file has {','.join(self.header)}")
            return None
        if not good:
            return None
        self.header = columns
        place = {normal(column): position for position, column in enumerate(columns)}
        self._places = {column.name: place[normal(column.name)] for column in self.schema.fields}
        return columns

    def chunk(self, name: str, numbers: Sequence[int], lines: Sequence[str], byte: int | None = None) -> Chunk | None:
        """Some lines as records, None if there is none; `byte` stands for line numbers that are not known."""
        good, rows = self._rows(name, numbers, lines, byte)
        if not rows:
            return None
        columns = list(zip(*rows, strict=True))
        chunk = Chunk(good, {column: columns[place] for column, place in self._places.items()})
        for column, cells in chunk.cells.items():
            if not self._checks[column](cells):
                self._note_cells(name, good, column, cells, byte)
            if self.warn and column in self._texts and not KEYWORDS.isdisjoint(cells):
                self._note_keywords(name, good, column, cells, byte)
        return chunk

    def _rows(
        self, name: str, numbers: Sequence[int], lines: Sequence[str], byte: int | None
    ) -> tuple[Sequence[int], list[list[str]]]:
        """The records among the lines, with their numbers; blank lines are let through."""
        width = len(self.header)
        if self.warn:
            for number, line in zip(numbers, lines, strict=True):
                if ('"' in line or "\\" in line) and (odd := csv.odd(line)):
                    self._note(name, number, "", odd, "warning", byte=byte)
        try:
            rows = rows_of(lines)
            if {len(cells) for cells in rows} == {width}:
                return numbers, rows
        except ValueError:
            pass
        good, rows = [], []
        for number, line in zip(numbers, lines, strict=True):
            if not line:
                continue  # Guess: an empty line is no record, and no mistake.
            try:
                cells = cells_of(line)
            except ValueError as error:
                self._note(name, number, "", str(error), byte=byte)
                continue
            if len(cells) != width:
                self._note(name, number, "", f"has {len(cells)} cells, the header {width}{_hint(line, width)}", byte=byte)
                continue
            good.append(number)
            rows.append(cells)
        return good, rows

    def _check_header(self, name: str, line: str, columns: list[str]) -> bool:
        """Whether records can be read under this header."""
        if line.startswith(_BOM):
            # Guess: the service does not take the byte order mark that spreadsheets write.
            self._note(name, 1, "", "starts with a byte order mark: save the file as UTF-8 without one")
            return False
        if '"' in line:
            self._note(name, 1, "", "column headers must not be enclosed in quotation marks")
            return False
        known = {normal(column) for column in columns}
        missing = [column.name for column in self.schema.fields if normal(column.name) not in known]
        if delimiter := delimiter_of(line):
            self._note(name, 1, "", f"the delimiter seems to be {delimiter}: cells must be separated by commas")
            return False
        for column in missing:
            self._note(name, 1, column, MISSING)
        repeated = {normal(c) for c in columns if sum(normal(c) == normal(other) for other in columns) > 1}
        for column in dict.fromkeys(c for c in columns if normal(c) in repeated):
            self._note(name, 1, column, "stands twice in the header")
        self._note_odd_header(name, columns)
        return not missing and not repeated

    def _note_odd_header(self, name: str, columns: list[str]) -> None:
        """What an import takes, as far as is known, though it may not be meant."""
        wanted = [column.name for column in self.schema.fields]
        spelled = {normal(column): column for column in wanted}
        for column in columns:
            if normal(column) not in spelled:
                # docs: none; an import of a file with such columns, recorded by AWS, ended well.
                self._note(name, 1, column, "is no column of the schema: the import ignores it", "warning")
            elif column not in wanted:
                # Guess: headers are found in any case; files that AWS publishes beside their schemas differ in it.
                self._note(name, 1, column, f"is spelled {spelled[normal(column)]} in the schema", "warning")
        order = [spelled[normal(column)] for column in columns if normal(column) in spelled]
        if sorted(order) == sorted(wanted) and order != wanted:
            # Guess: columns are found by their names; the documentation asks for the order of the schema.
            self._note(name, 1, "", "the columns stand in another order than in the schema", "warning")

    def _note_cells(self, name: str, lines: Sequence[int], column: str, cells: Sequence[str], byte: int | None) -> None:
        read, broken = self._readers[column], dict[str, str]()
        for cell in set(cells):
            try:
                read(cell)
            except ValueError as error:
                broken[cell] = str(error)
        for line, cell in zip(lines, cells, strict=True):
            if cell in broken:
                self._note(name, line, column, broken[cell], byte=byte)

    def _note_keywords(self, name: str, lines: Sequence[int], column: str, cells: Sequence[str], byte: int | None) -> None:
        for line, cell in zip(lines, cells, strict=True):
            if cell in KEYWORDS:
                # Guess: a reserved keyword among the values is imported; the documentation says that it can't be one.
                self._note(name, line, column, f"is '{cell}', a reserved keyword: is it a second header?", "warning", byte=byte)

    def _note(
        self, file: str, line: int, column: str, rule: str, severity: Severity = "error", *, byte: int | None = None
    ) -> None:
        self.note(Finding(file, line, column, rule, severity, byte))


def header_of(line: str) -> list[str]:
    """The columns of a header, which has no quotation marks."""
    return line.split(",")


def normal(column: str) -> str:
    """How the header and the schema are compared: case does not count."""
    return column.upper()


def schema_columns(schema: Schema, header: Sequence[str]) -> list[str]:
    """The columns of a header as the schema spells them; those that it lacks as they are."""
    spelled = {normal(field.name): field.name for field in schema.fields}
    return [spelled.get(normal(column), column) for column in header]


def delimiter_of(header: str) -> str | None:
    """What a header without a comma seems to be separated by."""
    return next((name for mark, name in _DELIMITERS.items() if mark in header), None) if "," not in header else None


def _hint(line: str, width: int) -> str:
    """What a wrong number of cells comes from, where it is plain."""
    delimiter = next((d for d in _DELIMITERS if line.count(d) + 1 == width and "," not in line), None)
    return f"; the delimiter seems to be {_DELIMITERS[delimiter]}" if delimiter else ""
