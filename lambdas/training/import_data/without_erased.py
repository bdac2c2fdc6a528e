"""Leaves the rows of erased users out of what an import takes in: where CSVs have such rows, it reads a copy without them.

Everything is a stream: memory does not grow with the files.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Set
from dataclasses import asdict, dataclass
from typing import BinaryIO, cast

from boto3.s3.transfer import TransferConfig

from lambdas.aws import clients
from lambdas.config import environment
from lambdas.config.names import fingerprint
from lambdas.config.schemas import DatasetKind
from lambdas.stores import prefixes
from lambdas.stores.erasures import all_erased
from lambdas.training.csv_files import CsvFile, csv_files, rows
from personalize_rules.imports import normal

_ONE_PART_AT_A_TIME = TransferConfig(use_threads=False)


@dataclass(frozen=True)
class Source:
    """What an import of this run takes in: the fingerprint of the files and of who is left out, and how many rows that is."""

    files: str
    rows_left_out: int = 0


def source_of(kind: DatasetKind, files: str, run_id: str) -> Source:
    """Decided at the first look of a run, and the same at all others: who is erased meanwhile is left out by the next run."""
    bucket, key = environment.current().data_bucket, f"{prefixes.REPORTS}{run_id}/left-out-{kind}.json"
    if clients.s3().list_objects_v2(Bucket=bucket, Prefix=key)["KeyCount"]:
        return Source(**json.load(clients.s3().get_object(Bucket=bucket, Key=key)["Body"]))
    source = _look_for_erased(kind, files) if kind != "items" else Source(files)
    clients.s3().put_object(Bucket=bucket, Key=key, Body=json.dumps(asdict(source)).encode())
    return source


def _look_for_erased(kind: DatasetKind, files: str) -> Source:
    """Count the rows of erased users; the files are read only if somebody was erased at all."""
    gone = set(all_erased())
    found, count = set[str](), 0
    for file in csv_files(kind) if gone else []:
        for user_id, _ in _user_rows(file):
            if user_id in gone:
                found.add(user_id)
                count += 1
    if not count:
        return Source(files)
    return Source(fingerprint("\n".join([files, *sorted(found)])), count)


def copy_without_erased(kind: DatasetKind, run_id: str) -> str:
    """Copy the CSVs of a dataset without the rows of erased users, once in a run; returns the copy's folder."""
    gone = set(all_erased())
    bucket, folder = environment.current().data_bucket, f"{prefixes.without_erased(kind)}{run_id}/"
    there = {
        entry["Key"]
        for page in clients.s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder)
        for entry in page.get("Contents", [])
    }
    for number, file in enumerate(csv_files(kind)):
        key = f"{folder}{number:05}.csv"
        if key not in there:
            copy = io.BufferedReader(cast(io.RawIOBase, _Bytes(_kept_text(file, gone))), 1 << 18)
            clients.s3().upload_fileobj(cast(BinaryIO, copy), bucket, key, Config=_ONE_PART_AT_A_TIME)
    return prefixes.address(bucket, folder)


def _kept_text(file: CsvFile, gone: Set[str]) -> Iterator[bytes]:
    """The file as it is, header included, less the rows of the users."""
    return (text.encode() for user_id, text in _user_rows(file) if user_id not in gone)


def _user_rows(file: CsvFile) -> Iterator[tuple[str | None, str]]:
    """Each row's user and its text as it stands in the file; the header first, with no user."""
    lines = rows(file)
    head, columns = next(lines)
    column = [normal(name) for name in columns].index("USER_ID")
    yield None, f"{head}\n"
    for line, cells in lines:
        yield cells[column] if len(cells) > column else None, f"{line}\n"


class _Bytes(io.RawIOBase):
    """Pieces of bytes as a file that is read once."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = piece
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count
