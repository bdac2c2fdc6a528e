"""The CSVs of a deployment in S3: which there are, and streams over all or parts of them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

from lambdas.aws import clients
from lambdas.config import environment
from lambdas.config.names import fingerprint
from lambdas.config.schemas import DatasetKind
from lambdas.stores import prefixes
from personalize_rules.csv import blocks, cells_of


@dataclass(frozen=True)
class CsvFile:
    """`modified` is the time of the upload, in milliseconds since 1970."""

    key: str
    size: int
    etag: str
    modified: int

    @property
    def name(self) -> str:
        """The key below `datasets/`: what the operator uploaded."""
        return self.key.removeprefix(prefixes.DATASETS)

    def open(self) -> BinaryIO:
        """The file from its start, as a stream: only what is read is fetched."""
        body = clients.s3().get_object(Bucket=environment.current().data_bucket, Key=self.key)["Body"]
        return io.BufferedReader(cast(io.RawIOBase, body), 1 << 18)

    def part(self, start: int, length: int) -> bytes:
        window = f"bytes={start}-{start + length - 1}"
        answer = clients.s3().get_object(Bucket=environment.current().data_bucket, Key=self.key, Range=window)
        return cast(BinaryIO, answer["Body"]).read()


def location(kind: DatasetKind) -> str:
    """The folder that an import job reads: its first level, not the folders below (bulk-data-import-step.html)."""
    return prefixes.address(environment.current().data_bucket, prefixes.dataset(kind))


def csv_files(kind: DatasetKind) -> list[CsvFile]:
    """The files that an import of this dataset would take in, by key: all that stand in its folder, whatever their names."""
    pages = clients.s3().get_paginator("list_objects_v2").paginate(
        Bucket=environment.current().data_bucket, Prefix=prefixes.dataset(kind), Delimiter="/"
    )  # fmt: skip
    found = [
        CsvFile(entry["Key"], entry["Size"], entry["ETag"].strip('"'), int(entry["LastModified"].timestamp() * 1000))
        for page in pages
        for entry in page.get("Contents", [])
        if not entry["Key"].endswith("/")
    ]
    return sorted(found, key=lambda file: file.key)


def files_fingerprint(files: list[CsvFile]) -> str:
    """Changes when any file is added, removed or rewritten."""
    return fingerprint("\n".join(f"{file.key} {file.size} {file.etag}" for file in files))


def rows(file: CsvFile) -> Iterator[tuple[str, list[str]]]:
    """Each line of a file that the plan has checked, and its cells; the header first."""
    with file.open() as source:
        for _, lines in blocks(source):
            yield from ((line, cells_of(line)) for line in lines if line)
