"""CSV files of bulk imports and exports.

docs: personalize/latest/dg/data-prep-formatting.html, data-prep-importing.html, limits.html
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from personalize_emulator.datasets.columns import Column, Table, Vocabulary, column_kind
from personalize_emulator.datasets.values import MAX_TIMESTAMP, number_value, text_value
from personalize_emulator.schemas import Field, Schema

# Few enough to stay in the processor's cache and in the youngest generation of the garbage collector: measured
# with 5M rows, 8.6 s of processor time against 14.4 s with 65,536.
ROWS_PER_CHUNK = 2_048
Progress = Callable[[int], None]


class ImportFailed(Exception):
    """The data cannot be imported; `reason` becomes the job's failureReason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_csv(schema: Schema, files: Iterable[tuple[str, BinaryIO]], progress: Progress | None = None) -> Table:
    """The rows of all files in one table.

    The files are read in pieces and only their columns are kept. `progress` gets the number of rows read so
    far. Raises ImportFailed that names the file, line, column and rule.
    """
    reader = _Reader(schema)
    rows = 0
    for name, file in files:
        for count in reader.read(name, file):
            rows += count
            if progress:
                progress(rows)
    return {name: builder.column() for name, builder in reader.builders.items()}


def write_csv(schema: Schema, tables: Iterable[Table], out: BinaryIO) -> int:
    """Writes a header and the rows of all tables; gives the number of rows."""
    rows = 0
    text = io.TextIOWrapper(out, "utf-8", newline="")
    writer = csv.writer(text, doublequote=False, escapechar="\\", lineterminator="\n")
    writer.writerow(field.name for field in schema.fields)
    for table in tables:
        columns = [_cells(field, table[field.name]) for field in schema.fields]
        writer.writerows(zip(*columns, strict=True))
        rows += len(columns[0])
    text.flush()
    text.detach()
    return rows


def _cells(field: Field, column: Column) -> list[str]:
    if column.is_text:
        return ["" if value is None else value for value in column.values]
    values = column.values.tolist()
    if field.type == "boolean":
        return ["" if math.isnan(value) else str(bool(value)).lower() for value in values]
    if field.type in ("float", "double"):
        return ["" if math.isnan(value) else repr(value) for value in values]
    return ["" if math.isnan(value) else str(int(value)) for value in values]


def _extend(rows: list[list[str]], more: Iterable[list[str]]) -> bool:
    rows.extend(more)  # keeps what it got if `more` fails
    return bool(rows)


class _Reader:
    """Reads files with equal headers into the builders of the columns."""

    def __init__(self, schema: Schema) -> None:
        self.builders: dict[str, _Builder] = {
            field.name: _TextBuilder(schema, field) if field.is_text else _NumberBuilder(field) for field in schema.fields
        }
        self._header: list[str] = []

    def read(self, name: str, file: BinaryIO) -> Iterator[int]:
        """Yields, piece by piece, how many rows were read."""
        text = io.TextIOWrapper(file, "utf-8-sig", newline="")
        reader = csv.reader(text, escapechar="\\", strict=True)
        lines = 0  # of the pieces before this one
        rows: list[list[str]] = []
        try:
            self._match_header(name, text.readline())
            lines = 1
            while _extend(rows, islice(reader, ROWS_PER_CHUNK)):
                self._check_shape(name, lines + 1, rows, reader.line_num + 1 - lines)
                yield self._add_rows(name, lines + 1, rows)
                lines = reader.line_num + 1
                rows.clear()
        except UnicodeDecodeError as error:
            consumed = reader.line_num + 1 if lines else 0
            line = consumed + error.object[: error.start].count(b"\n") + 1
            raise ImportFailed(f"{name}, line {line}: the file must be encoded in UTF-8.") from None
        except csv.Error as error:
            raise ImportFailed(f"{name}, line {lines + len(rows) + 1}: {error}.") from None
        finally:
            text.detach()

    def _match_header(self, name: str, line: str) -> None:
        where = f"{name}, line 1: "
        if '"' in line:
            raise ImportFailed(where + "column headers must not be enclosed in quotation marks.")
        header = line.rstrip("\r\n").split(",")
        if missing := [column for column in self.builders if column not in header]:
            raise ImportFailed(where + f"Input CSV is missing the following columns:[{', '.join(missing)}].")
        if unknown := [column for column in header if column not in self.builders]:
            raise ImportFailed(where + f"Input CSV has columns that are not in the schema:[{', '.join(unknown)}].")
        if len(set(header)) < len(header):
            raise ImportFailed(where + "Input CSV repeats columns.")
        if self._header not in ([], header):
            raise ImportFailed(where + "the column headers of all files must match.")
        self._header = header

    def _check_shape(self, name: str, first_line: int, rows: Sequence[list[str]], lines: int) -> None:
        """Each record is one line with a cell per column; blank lines are let through."""
        width = len(self._header)
        if lines != len(rows):
            row = next(i for i, cells in enumerate(rows) if any("\n" in cell or "\r" in cell for cell in cells))
            raise ImportFailed(f"{name}, line {first_line + row}: each record must be on a single line.")
        if not {len(cells) for cells in rows} <= {0, width}:
            row = next(i for i, cells in enumerate(rows) if len(cells) not in (0, width))
            raise ImportFailed(f"{name}, line {first_line + row}: the record has {len(rows[row])} values, the header {width}.")

    def _add_rows(self, name: str, first_line: int, rows: Sequence[list[str]]) -> int:
        filled = [cells for cells in rows if cells]
        for position, cells in enumerate(zip(*filled, strict=True)):
            column = self._header[position]
            builder = self.builders[column]
            try:
                builder.add(cells)
            except ValueError:
                # Only now is it worth the time to look at one cell after the other.
                for row, record in enumerate(rows):
                    if record and (rule := builder.broken_rule(record[position])):
                        where = f"{name}, line {first_line + row}, column {column}: "
                        raise ImportFailed(where + rule) from None
                raise
        return len(filled)


class _Builder(Protocol):
    """Collects the values of one column."""

    def add(self, cells: Sequence[str]) -> None:
        """Adds values; raises ValueError if any of them breaks a rule."""

    def broken_rule(self, cell: str) -> str | None: ...

    def column(self) -> Column: ...


class _TextBuilder(dict[str, int]):
    """Codes of the texts seen so far; a new text is checked once, when it is first looked up."""

    def __init__(self, schema: Schema, field: Field) -> None:
        self._schema, self._field = schema, field
        self._texts: list[str] = []
        self._chunks: list[NDArray[np.int32]] = []

    def __missing__(self, cell: str) -> int:
        if rule := self.broken_rule(cell):
            raise ValueError(rule)
        code = self[cell] = len(self._texts) if cell else -1
        if cell:
            self._texts.append(text_value(self._schema, self._field, cell))
        return code

    def add(self, cells: Sequence[str]) -> None:
        self._chunks.append(np.fromiter(map(self.__getitem__, cells), np.int32, len(cells)))

    def broken_rule(self, cell: str) -> str | None:
        if not cell:
            return None if self._field.nullable else f"{self._field.name} cannot be empty."
        try:
            text_value(self._schema, self._field, cell)
        except ValueError as error:
            return str(error)
        return None

    def column(self) -> Column:
        codes = np.concatenate(self._chunks) if self._chunks else np.empty(0, np.int32)
        return Column(column_kind(self._field), codes=codes, vocabulary=Vocabulary(self._texts))


class _NumberBuilder:
    """Numbers of one field. Plain ones are converted as a whole, what is left goes through the full rules."""

    def __init__(self, field: Field) -> None:
        self._field = field
        self._chunks: list[NDArray[np.float64]] = []

    def add(self, cells: Sequence[str]) -> None:
        joined = "".join(cells)
        plain = joined.isascii() and joined.isdigit() and "" not in cells and self._field.type != "boolean"
        values = np.fromiter(map(float, cells), np.float64, len(cells)) if plain else self._checked(cells)
        if plain and values.max() > (2**31 - 1 if self._field.type == "int" else MAX_TIMESTAMP):
            values = self._checked(cells)
        self._chunks.append(values)

    def _checked(self, cells: Sequence[str]) -> NDArray[np.float64]:
        known: dict[str, float] = {}
        for cell in set(cells):
            if rule := self.broken_rule(cell):
                raise ValueError(rule)
            known[cell] = number_value(self._field, cell) if cell else math.nan
        return np.fromiter(map(known.__getitem__, cells), np.float64, len(cells))

    def broken_rule(self, cell: str) -> str | None:
        if not cell:
            return None if self._field.nullable else f"{self._field.name} cannot be empty."
        try:
            number_value(self._field, cell)
        except ValueError as error:
            return str(error)
        return None

    def column(self) -> Column:
        values = np.concatenate(self._chunks) if self._chunks else np.empty(0)
        return Column(column_kind(self._field), values)
