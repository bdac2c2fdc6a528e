"""Puts CSVs where a train run looks for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from lambdas.config.schemas import DATASET_TYPES, DatasetKind
from lambdas.stores import prefixes
from personalize_rules.csv import cells_of
from personalize_rules.imports import normal
from reco.data.csv_folder import LocalCsv, look_into
from reco.errors import RecoError
from reco.target import Target

#: How many parts of a large file are on their way at once.
_PARALLEL = TransferConfig(max_concurrency=4)
#: Bytes of the loaded interactions in which a user and two items are looked for.
_BEGINNING = 65_536


def find_csvs(folder: Path) -> dict[DatasetKind, list[Path]]:
    """The files of each dataset in a folder. Raises RecoError where there are none, or ones that can't be used."""
    found = look_into(folder)
    if found.findings.errors:
        raise RecoError("\n".join(found.findings.sentences("error")))
    return found.files


def upload(target: Target, files: Mapping[DatasetKind, Sequence[Path]], on_bytes: Any = None) -> dict[str, int]:
    """Make these files the CSVs of their datasets; others of the same dataset are removed. Returns bytes by dataset."""
    s3, bucket = target.client("s3"), target.output("storage", "DataBucket")
    sizes: dict[str, int] = {}
    for kind, paths in files.items():
        keys = {prefixes.dataset(kind) + path.name: path for path in paths}
        for key, path in keys.items():
            with LocalCsv(path).open() as content:
                s3.upload_fileobj(content, bucket, key, Callback=on_bytes, Config=_PARALLEL)
        for key in keys_of(target, kind, delimiter=""):
            if key not in keys:
                s3.delete_object(Bucket=bucket, Key=key)
        sizes[kind] = sum(path.stat().st_size for path in paths)
    return sizes


def download(target: Target, folder: Path) -> dict[DatasetKind, list[Path]]:
    """Copy the CSVs of all datasets from S3 into `folder`; the files by dataset."""
    s3, bucket = target.client("s3"), target.output("storage", "DataBucket")
    found: dict[DatasetKind, list[Path]] = {}
    for kind in DATASET_TYPES:
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for key in keys_of(target, kind):
            path = folder / kind / key.rsplit("/", 1)[-1]
            s3.download_file(bucket, key, str(path), Config=_PARALLEL)
            found.setdefault(kind, []).append(path)
    return found


def keys_of(target: Target, kind: DatasetKind, delimiter: str = "/") -> list[str]:
    """The keys of what an import of the dataset reads; with an empty delimiter, of all below its folder."""
    pages = (
        target.client("s3")
        .get_paginator("list_objects_v2")
        .paginate(Bucket=target.output("storage", "DataBucket"), Prefix=prefixes.dataset(kind), Delimiter=delimiter)
    )
    return [entry["Key"] for page in pages for entry in page.get("Contents", []) if not entry["Key"].endswith("/")]


@dataclass(frozen=True)
class Example:
    """A user of the shop, and items (one or two)."""

    user_id: str
    item_ids: list[str]


def example_of(target: Target) -> Example | None:
    """Ids of the first interactions that are loaded; None where there are none, or where they may not be read."""
    try:
        s3, bucket = target.client("s3"), target.output("storage", "DataBucket")
        for key in keys_of(target, "interactions"):
            beginning = s3.get_object(Bucket=bucket, Key=key, Range=f"bytes=0-{_BEGINNING - 1}")["Body"].read()
            if found := _example_in(beginning.decode("utf-8-sig", "ignore")):
                return found
    except ClientError:
        pass
    return None


def _example_in(text: str) -> Example | None:
    """Of the beginning of a CSV; its last line may be cut off."""
    lines = [line.removesuffix("\r") for line in text.rsplit("\n", 1)[0].split("\n") if line.strip()]
    try:
        header = [normal(name) for name in cells_of(lines[0])] if lines else []
        rows = [dict(zip(header, cells_of(line), strict=True)) for line in lines[1:]]
    except ValueError:
        return None
    users, items = ([row[name] for row in rows if row.get(name)] for name in (normal("USER_ID"), normal("ITEM_ID")))
    return Example(users[0], list(dict.fromkeys(items))[:2]) if users and items else None
