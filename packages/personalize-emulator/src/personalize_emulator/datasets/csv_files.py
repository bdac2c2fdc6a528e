"""CSV files of bulk imports and exports: columns on one side, what personalize_rules reads and writes on the other."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from personalize_emulator.datasets.columns import Column, Table, Vocabulary, column_kind
from personalize_rules.csv import line_of
from personalize_rules.imports import MISSING, Finding, Reader
from personalize_rules.schemas import Field, Schema
from personalize_rules.values import cell_reader

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
    builders: dict[str, _Builder] = {
        field.name: _TextBuilder(schema, field) if field.is_text else _NumberBuilder(field) for field in schema.fields
    }
    errors: list[Finding] = []
    reader = Reader(schema, lambda finding: errors.append(finding) if finding.severity == "error" else None, warn=False)
    rows = 0
    for name, file in files:
        for chunk in reader.read(name, file):
            if errors:
                break
            for column, cells in chunk.cells.items():
                builders[column].add(cells)
            rows += len(chunk)
            if progress:
                progress(rows)
        if errors:
            raise ImportFailed(_failure_reason(sorted(errors, key=lambda error: error.line)))
    return {name: builder.column() for name, builder in builders.items()}


def _failure_reason(errors: Sequence[Finding]) -> str:
    """How the service says it, as far as answers of it are known (error-messages.html); else our own words."""
    first = errors[0]
    if first.rule == MISSING:
        columns = ", ".join(error.column for error in errors if error.rule == MISSING and error.file == first.file)
        return f"{first.file}, line {first.line}: Input CSV is missing the following columns:[{columns}]."
    if too_long := re.match(r"is longer than the (\d+) characters", first.rule):
        return f"{first.place}: Length cannot be more than {too_long[1]} characters for {first.column}."
    return f"{first}."


def write_csv(schema: Schema, tables: Iterable[Table], out: BinaryIO) -> int:
    """Writes a header and the rows of all tables; gives the number of rows."""
    rows = 0
    out.write(f"{','.join(field.name for field in schema.fields)}\n".encode())
    for table in tables:
        columns = [_cells(field, table[field.name]) for field in schema.fields]
        out.writelines(f"{line_of(cells)}\n".encode() for cells in zip(*columns, strict=True))
        rows += len(columns[0])
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


class _Builder(Protocol):
    """Collects the values of one column."""

    def add(self, cells: Sequence[str]) -> None:
        """Adds the values of cells that keep the rules."""

    def column(self) -> Column: ...


class _TextBuilder(dict[str, int]):
    """Codes of the texts seen so far; a new text is read once, when it is first looked up."""

    def __init__(self, schema: Schema, field: Field) -> None:
        self._kind, self._read = column_kind(field), cell_reader(schema, field)
        self._texts: list[str] = []
        self._chunks: list[NDArray[np.int32]] = []

    def __missing__(self, cell: str) -> int:
        code = self[cell] = len(self._texts) if cell else -1
        if cell:
            self._texts.append(str(self._read(cell)))
        return code

    def add(self, cells: Sequence[str]) -> None:
        self._chunks.append(np.fromiter(map(self.__getitem__, cells), np.int32, len(cells)))

    def column(self) -> Column:
        codes = np.concatenate(self._chunks) if self._chunks else np.empty(0, np.int32)
        return Column(self._kind, codes=codes, vocabulary=Vocabulary(self._texts))


class _NumberBuilder:
    """Numbers of one field; true is 1 and false 0."""

    def __init__(self, field: Field) -> None:
        self._kind, self._is_boolean = column_kind(field), field.type == "boolean"
        self._chunks: list[NDArray[np.float64]] = []

    def add(self, cells: Sequence[str]) -> None:
        if self._is_boolean:
            numbers: Iterable[float] = (float(cell == "true") if cell else math.nan for cell in cells)
        else:
            numbers = map(float, cells) if "" not in cells else (float(cell or math.nan) for cell in cells)
        self._chunks.append(np.fromiter(numbers, np.float64, len(cells)))

    def column(self) -> Column:
        values = np.concatenate(self._chunks) if self._chunks else np.empty(0)
        return Column(self._kind, values)
