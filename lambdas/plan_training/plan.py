"""What a train run is going to do, and whether the data allows it."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator
from typing import Any

from lambdas.plan_training.csv_checks import CsvCheck, Finding, Findings, Minimums, TrainingFilter
from lambdas.shared.config import Config
from lambdas.shared.csv_files import CsvFile, csv_files, files_fingerprint, lines, lines_near, location
from lambdas.shared.schemas import DatasetKind

#: Bytes of every file that are read row by row from its start.
PREFIX_BYTES = 8 * 1024 * 1024
#: Beyond the prefix, this many samples of this many bytes are read.
SAMPLES, SAMPLE_BYTES = 16, 64 * 1024


class InvalidData(Exception):
    """The CSVs can't be imported or trained on; the message lists the findings."""


def make_plan(config: Config, selected: list[str] | None) -> dict[str, Any]:
    """The plan of a run: what to import, to prepare, to train. Raises InvalidData and ValueError (an unknown solution)."""
    unknown = [name for name in selected or [] if name not in config.solutions]
    if unknown:
        raise ValueError(f"input.solutions: there is no solution '{unknown[0]}' (there are: {', '.join(config.solutions)})")
    kinds = list(config.datasets.present())
    return {
        "datasets": [dataset_plan(kind, csv_files(kind)) for kind in kinds],
        "resources": [
            {"kind": "event_tracker"},
            *({"kind": "filter", "name": name} for name in config.filters),
        ],
        "solutions": selected or list(config.solutions),
    }


def dataset_plan(kind: DatasetKind, files: list[CsvFile]) -> dict[str, Any]:
    return {
        "kind": kind,
        "location": location(kind),
        "files": files_fingerprint(files),
        "bytes": sum(f.size for f in files),
    }


def check_data(config: Config) -> Findings:
    """Everything wrong with the CSVs of a config that the prefix, the samples and the service's minimums show."""
    findings = Findings()
    for kind, dataset in config.datasets.present().items():
        files = csv_files(kind)
        if not files:
            findings.add(Finding(location(kind), "", "", f"there is no CSV file for the dataset {kind}"), "no file")
        minimums = training_minimums(config) if kind == "interactions" else []
        for file in files:
            check_file(CsvCheck(file.name, kind, dataset.avro, findings), file, minimums)
        if files and not findings.by_rule:
            for sentence in itertools.chain.from_iterable(m.shortfall() for m in minimums):
                findings.add(Finding(location(kind), "", "", sentence), "minimum")
    return findings


def training_minimums(config: Config) -> list[Minimums]:
    """One count for each way in which a solution of the config picks its interactions."""
    wanted = {TrainingFilter(s.event_type, s.event_value_threshold) for s in config.solutions.values()}
    return [Minimums(training_filter) for training_filter in sorted(wanted, key=str)]


def check_file(check: CsvCheck, file: CsvFile, minimums: list[Minimums]) -> None:
    """Read the prefix, and on until the minimums are proven; then samples from the rest."""
    counted = Counted(lines(file))
    try:
        header = next(csv.reader(counted), [])
        if not check.header(header):
            return
        for row in check.rows(counted):
            for minimum in minimums:
                minimum.count(row)
            if counted.characters > PREFIX_BYTES and all(m.proven for m in minimums):
                break
    except UnicodeDecodeError:
        check.findings.add(Finding(file.name, f"after line {counted.lines}", "", "is not UTF-8 text"), "encoding")
        return
    for start in sample_starts(counted.characters, file.size):
        rows = lines_near(file, start, SAMPLE_BYTES)
        for _ in check.rows(rows, place=f"near byte {start:,}"):
            pass


def sample_starts(read: int, size: int) -> list[int]:
    """Where the samples of a file of `size` bytes begin, evenly over what has not been read."""
    if size - read < SAMPLE_BYTES:
        return []
    step = max((size - read) // SAMPLES, SAMPLE_BYTES)
    return list(range(read, size - SAMPLE_BYTES + 1, step))


class Counted:
    """Lines, and how many of them and of their characters have been read."""

    def __init__(self, source: Iterator[str]) -> None:
        self.source, self.lines, self.characters = source, 0, 0

    def __iter__(self) -> Counted:
        return self

    def __next__(self) -> str:
        line = next(self.source)
        self.lines += 1
        self.characters += len(line)
        return line
