"""A folder of CSVs on this machine: which file belongs to which dataset, and what is wrong with them before any upload."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from lambdas.config import Config
from lambdas.config.schemas import DATASET_TYPES, DatasetKind
from lambdas.training.data_checks import DataCheck
from lambdas.training.findings import Findings
from personalize_rules.csv import Unreadable, blocks, cells_of
from personalize_rules.imports import Finding, Severity, normal
from reco.errors import RecoError

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class LocalCsv:
    """A file as the import will get it: without the byte order mark that spreadsheets write."""

    path: Path

    @property
    def name(self) -> str:
        return str(self.path)

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    @property
    def has_bom(self) -> bool:
        with self.path.open("rb") as file:
            return file.read(len(_BOM)) == _BOM

    def open(self) -> BinaryIO:
        file = self.path.open("rb")
        if file.read(len(_BOM)) != _BOM:
            file.seek(0)
        return file

    def part(self, start: int, length: int) -> bytes:
        with self.path.open("rb") as file:
            file.seek(start)
            return file.read(length)


@dataclass
class _Folder:
    """What a folder holds for a deployment; `findings` names what it leaves out, and what can't be used."""

    path: Path
    files: dict[DatasetKind, list[Path]] = field(default_factory=dict)
    findings: Findings = field(default_factory=Findings)

    def note(self, path: Path, rule: str, severity: Severity) -> None:
        self.findings.add(Finding(str(path), 0, "", rule, severity))


def look_into(path: Path, config: Config | None = None) -> _Folder:
    """`<dataset>.csv`, or the CSVs of a folder `<dataset>/`; case does not count. What can't be used is among the findings."""
    folder, strangers = _Folder(path), list[Path]()
    try:
        entries = sorted(path.iterdir())
    except OSError as error:
        rule = "is not a folder: give one that holds interactions.csv and, if you have them, items.csv and users.csv"
        folder.note(path, f"can't be read: {error.strerror}" if path.is_dir() else rule, "error")
        return folder
    for entry in entries:
        kind = _dataset_of(entry)
        if kind is None:
            strangers.append(entry)
        elif config is not None and kind not in config.datasets.present():
            folder.note(entry, f"is left out: the config has no dataset {kind}", "warning")
        elif entry.is_dir():
            _take(folder, kind, _csvs_in(folder, entry), entry)
        elif entry.suffix.lower() == ".csv":
            _take(folder, kind, [entry], entry)
        else:
            folder.note(entry, f"is no CSV: save the {kind} as CSV, or take the file away", "error")
    _leave_out(folder, strangers, config)
    if not folder.files and not folder.findings.errors:
        folder.note(path, f"holds none of {', '.join(f'{kind}.csv' for kind in DATASET_TYPES)}", "error")
    return folder


def _leave_out(folder: _Folder, strangers: Sequence[Path], config: Config | None) -> None:
    """Files of no dataset. A CSV among them may be the newer one of a dataset, which would be trained on older data."""
    wanted = config.datasets.present() if config else DATASET_TYPES
    missing = [kind for kind in wanted if kind not in folder.files] if config and folder.files else []
    for entry in strangers:
        close = next((kind for kind in wanted if kind in entry.name.lower()), None)
        if not _may_be_a_dataset(entry):
            folder.note(entry, "is left out: its name is that of no dataset", "warning")
        elif close is not None and close in folder.files:
            rule = (
                f"its name is almost that of the {close}, for which {folder.files[close][0]} is taken: keep the one you mean, "
                f"as {close}.csv, or both in a folder {close}/"
            )
            folder.note(entry, rule, "error")
        elif close or missing:
            rule = f"its name is that of no dataset, and there is no {close or missing[0]}.csv: rename it, or take it away"
            folder.note(entry, rule, "error")
        else:
            folder.note(entry, "is left out: its name is that of no dataset", "warning")


def _may_be_a_dataset(entry: Path) -> bool:
    """A CSV, a packed one or a folder with CSVs, and no hidden file such as the lock of an open spreadsheet."""
    if entry.name.startswith("."):
        return False
    if entry.is_dir():
        return any(below.suffix.lower() == ".csv" for below in entry.iterdir())
    return ".csv" in [suffix.lower() for suffix in entry.suffixes]


def _dataset_of(entry: Path) -> DatasetKind | None:
    """The dataset that a file or folder is named for."""
    name = (entry.name if entry.is_dir() else entry.name.partition(".")[0]).lower()
    return next((kind for kind in DATASET_TYPES if kind == name), None)


def _csvs_in(folder: _Folder, below: Path) -> list[Path]:
    found = []
    for entry in sorted(below.iterdir()):
        if entry.is_file() and entry.suffix.lower() == ".csv":
            found.append(entry)
        else:
            folder.note(entry, "is left out: it is no CSV", "warning")
    return found


def _take(folder: _Folder, kind: DatasetKind, files: list[Path], named: Path) -> None:
    for path in files:
        try:
            path.open("rb").close()
        except OSError as error:
            folder.note(path, f"can't be read: {error.strerror}", "error")
            return
    if kind in folder.files and files:
        rule = f"is for the {kind} too, as {folder.files[kind][0]} is: take one of the two away"
        folder.note(named, rule, "error")
    elif files:
        folder.files[kind] = files
    else:
        folder.note(named, f"holds no CSV of the {kind}", "error")


def check(
    folder: _Folder,
    config: Config,
    *,
    whole: bool,
    solutions: Sequence[str] | None = None,
    kinds: Sequence[DatasetKind] | None = None,
    on_bytes: Callable[[int], object] = lambda count: None,
) -> Findings:
    """What the plan of a train run would say of the files, and warnings; `kinds` are those that must be there."""
    incremental = config.datasets.interactions.import_mode == "INCREMENTAL"
    look = DataCheck(
        config,
        list(config.solutions) if solutions is None else solutions,
        whole=whole,
        earlier=[None] if incremental else (),
        on_bytes=on_bytes,
        findings=folder.findings,
    )
    for kind in config.datasets.present():
        sources = [LocalCsv(path) for path in folder.files.get(kind, [])]
        for source in sources:
            if source.has_bom:
                rule = "starts with a byte order mark, which an import refuses: reco load leaves it out"
                look.findings.add(Finding(source.name, 1, "", rule, "warning"))
        if sources or kinds is None or kind in kinds:
            look.check(kind, _together(folder, kind), sources)
    return look.findings


def _together(folder: _Folder, kind: DatasetKind) -> str:
    """What all files of a dataset are called: the one there is, their folder, or the one that should be there."""
    files = folder.files.get(kind) or [folder.path / f"{kind}.csv"]
    return str(files[0] if len(files) == 1 else files[0].parent)


def columns_of(files: Sequence[Path], columns: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """The place (file and line) and these columns of every row. Raises RecoError for what is missing or can't be read."""
    for file in files:
        rows = rows_of(file)
        _, header = next(rows, ("", []))
        places = {normal(column): position for position, column in enumerate(header)}
        missing = [column for column in columns if normal(column) not in places]
        if missing:
            raise RecoError(f"{file.name}: there is no column {', '.join(missing)} in the header")
        positions = [places[normal(column)] for column in columns]
        for place, row in rows:
            if len(row) != len(header):
                raise RecoError(f"{place}: has {len(row)} cells, the header {len(header)}")
            yield place, [row[position] for position in positions]


def rows_of(file: Path) -> Iterator[tuple[str, list[str]]]:
    """Each line of a CSV with its place; the header first. Raises RecoError."""
    number = 0
    with LocalCsv(file).open() as source:
        try:
            for first, lines in blocks(source):
                for number, line in enumerate(lines, first):
                    if line:
                        yield f"{file.name}, line {number}", cells_of(line)
        except Unreadable as error:
            raise RecoError(f"{file.name}, line {error.line}: {error}") from None
        except ValueError as error:
            raise RecoError(f"{file.name}, line {number}: {error}") from None
