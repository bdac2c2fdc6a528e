"""Applies a mapping: the files of an export to interactions.csv, items.csv and users.csv, row by row."""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from lambdas.config.schemas import DatasetKind
from personalize_rules.csv import line_of
from reco.errors import RecoError
from reco.exports.cells import Column, Convert, by_spreadsheet, converter, is_empty
from reco.exports.files import files_in, rows_of
from reco.exports.mapping import KEYS, NEEDED, Kept, Mapping, Source

#: Distinct values of a column that are counted; more make it no category.
_MOST_DISTINCT = 2_000


@dataclass
class Seen:
    """What a column of a CSV holds."""

    filled: int = 0
    distinct: Counter[str] = field(default_factory=Counter)
    many: bool = False
    longest: int = 0
    largest: float = 0

    def add(self, text: str) -> None:
        self.filled += 1
        self.longest = max(self.longest, len(text))
        if not self.many:
            self.distinct[text] += 1
            self.many = len(self.distinct) > _MOST_DISTINCT


@dataclass
class Made:
    """What came of a dataset."""

    rows: int = 0
    read: int = 0
    repeated: int = 0
    without_item: Counter[str] = field(default_factory=Counter)
    not_kept: int = 0
    anonymous: int = 0
    short_ids: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    columns: dict[str, Seen] = field(default_factory=dict)

    def reject(self, place: str, reason: str, kind: str) -> None:
        self.rejected[kind] += 1
        self.examples.setdefault(kind, f"{place}: {reason}")


class _Broken(ValueError):
    """A row that can't be used, because of a column."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(f"column {column}: {reason}")
        self.column = column


class _NoItem(ValueError):
    """An event without an item: the archive's, not Personalize's."""


class _Anonymous(ValueError):
    """A row without a user: a guest's."""


def convert(
    mapping: Mapping, exports: Path, out: Path, on_rows: Callable[[int], object] = lambda n: None
) -> dict[DatasetKind, Made]:
    """Write the CSVs into `out`, and rows that can't be used to rejected.csv beside it. Raises RecoError.

    The files are put in place when all are whole, so that a conversion that fails leaves those of yesterday.
    """
    out.mkdir(parents=True, exist_ok=True)
    made: dict[DatasetKind, Made] = {}
    rejected = out.parent / "rejected.csv"
    with ExitStack() as open_files:
        refused = open_files.enter_context(rejected.open("w", encoding="utf-8", newline=""))
        refused.write("FILE,LINE,REASON\n")
        for kind, sources in mapping.sources().items():
            target = open_files.enter_context((out / f".{kind}.csv.part").open("w", encoding="utf-8", newline=""))
            made[kind] = _dataset(mapping, kind, _located(sources, exports), target, refused, on_rows)
    if not any(of.rejected for of in made.values()):
        rejected.unlink()
    for kind in made:
        (out / f".{kind}.csv.part").replace(out / f"{kind}.csv")
    return made


def _located(sources: list[Source], exports: Path) -> list[tuple[Source, Path]]:
    """Each source with each of its files."""
    there, _ = files_in(exports)
    found = []
    for source in sources:
        paths = [path for path in there if path.name == source.file or fnmatch.fnmatchcase(path.name, source.file)]
        if not paths:
            raise RecoError(f"{exports} holds no {source.file}, which the mapping names. Put it there, or correct the mapping.")
        found += [(source, path) for path in paths]
    return found


def _dataset(
    mapping: Mapping,
    kind: DatasetKind,
    located: list[tuple[Source, Path]],
    target: TextIO,
    refused: TextIO,
    on_rows: Callable[[int], object],
) -> Made:
    made, names, key = Made(), mapping.columns(kind), KEYS[kind]
    made.columns = {name: Seen() for name in names}
    target.write(",".join(names) + "\n")
    by_key: dict[str, list[str]] = {}
    for source, path in located:
        for cells in _rows(source, path, mapping.timezone, kind, made, refused, on_rows):
            row = [cells.get(name, "") for name in names]
            if key is None:
                _write(row, names, target, made)
            else:  # of repeated ids the last row counts
                made.repeated += cells[key] in by_key and not source.of_events
                by_key[cells[key]] = row
    for row in by_key.values():
        _write(row, names, target, made)
    return made


def _write(row: list[str], names: list[str], target: TextIO, made: Made) -> None:
    made.rows += 1
    for name, text in zip(names, row, strict=True):
        if text:
            made.columns[name].add(text)
    target.write(line_of(row) + "\n")


def _rows(
    source: Source, path: Path, timezone: str, kind: DatasetKind, made: Made, refused: TextIO, on_rows: Callable[[int], object]
) -> Iterator[dict[str, str]]:
    """The converted rows of a file."""
    read = {name: (column, converter(column, timezone)) for name, column in source.columns.items()}
    checked = False
    for line, row in rows_of(path, source.format):
        made.read += 1
        if made.read % 10_000 == 0:
            on_rows(10_000)
        place = f"{path.name}, line {line}"
        try:
            if isinstance(row, str):
                raise _Broken("", row)
            if not checked and source.format.kind == "csv":
                _require_columns(source, path, row)
            checked = True
            if source.keep and not _is_kept(source.keep, row):
                made.not_kept += 1
                continue
            yield _converted(row, read, kind, made, source.of_events)
        except _NoItem as event_type:
            made.without_item[str(event_type)] += 1
        except _Anonymous:
            made.anonymous += 1
        except _Broken as error:
            said = str(error).removeprefix("column : ")
            made.reject(place, said, error.column or said.split(":")[0][:60])
            refused.write(line_of([path.name, str(line), said]) + "\n")


def _require_columns(source: Source, path: Path, row: dict[str, str]) -> None:
    named = [column.source for column in source.columns.values() if column.source is not None]
    missing = [name for name in [*named, *([source.keep.column] if source.keep else [])] if name not in row]
    if missing:
        raise RecoError(
            f"{path}: the header lacks {', '.join(missing)}; it has {', '.join(row)}. Export them, or correct the mapping."
        )


def _is_kept(keep: Kept, row: dict[str, str]) -> bool:
    try:
        text = row.get(keep.column, "").strip()
        return float(text.replace(",", ".") if keep.decimal == "," else text.replace(",", "")) > keep.above
    except ValueError:
        return True  # what is no number says nothing against the row


def _converted(
    row: dict[str, str], read: dict[str, tuple[Column, Convert]], kind: DatasetKind, made: Made, of_events: bool
) -> dict[str, str]:
    cells: dict[str, str] = {}
    for name, (column, convert_cell) in read.items():
        if column.source is None:
            cells[name] = column.constant or ""
            continue
        text = row.get(column.source, "").strip()
        try:
            cells[name] = "" if is_empty(text) else convert_cell(text)
        except (ValueError, OverflowError) as error:
            raise _Broken(column.source, str(error)) from None
        made.short_ids += column.as_ == "id" and by_spreadsheet(text)
    if of_events and not cells[KEYS[kind] or ""]:
        raise _Anonymous
    _require_cells(cells, read, kind)
    return cells


def _require_cells(cells: dict[str, str], read: dict[str, tuple[Column, Convert]], kind: DatasetKind) -> None:
    if kind == "interactions" and not cells["ITEM_ID"]:
        raise _NoItem(cells.get("EVENT_TYPE", ""))
    if kind == "interactions" and not cells["USER_ID"]:
        raise _Anonymous
    for name in (*NEEDED[kind], "EVENT_TYPE"):
        if name in cells and not cells[name]:
            raise _Broken(read[name][0].source or name, f"is empty, and every row needs {name}")
