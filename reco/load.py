"""Puts CSVs where a train run looks for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from boto3.s3.transfer import TransferConfig

from lambdas.shared.schemas import DATASET_TYPES
from reco.errors import RecoError
from reco.target import Target

#: How many parts of a large file are on their way at once.
PARALLEL = TransferConfig(max_concurrency=4)


def find_csvs(folder: Path) -> dict[str, list[Path]]:
    """The files of each dataset in a folder: `<dataset>.csv`, or all CSVs of a folder `<dataset>/`. Raises RecoError if none."""
    if not folder.is_dir():
        raise RecoError(
            f"{folder} is not a folder: give one that holds interactions.csv and, if you have them, items.csv and users.csv."
        )
    found: dict[str, list[Path]] = {}
    for kind in DATASET_TYPES:
        single, several = folder / f"{kind}.csv", sorted((folder / kind).glob("*.csv"))
        if single.exists() or several:
            found[kind] = [single] if single.exists() else several
    if not found:
        raise RecoError(f"{folder} holds none of {', '.join(f'{kind}.csv' for kind in DATASET_TYPES)}.")
    return found


def upload(target: Target, files: dict[str, list[Path]], on_bytes: Any = None) -> dict[str, int]:
    """Make these files the CSVs of their datasets; others of the same dataset are removed. Returns bytes by dataset."""
    s3, bucket = target.client("s3"), target.output("storage", "DataBucket")
    sizes = {}
    for kind, paths in files.items():
        prefix = f"datasets/{kind}/"
        keys = {f"{prefix}{path.name}": path for path in paths}
        for key, path in keys.items():
            s3.upload_file(str(path), bucket, key, Callback=on_bytes, Config=PARALLEL)
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for entry in page.get("Contents", []):
                if entry["Key"] not in keys:
                    s3.delete_object(Bucket=bucket, Key=entry["Key"])
        sizes[kind] = sum(path.stat().st_size for path in paths)
    return sizes


def download(target: Target, folder: Path) -> dict[str, list[Path]]:
    """Copy the CSVs of all datasets from S3 into `folder`; the files by dataset."""
    s3, bucket = target.client("s3"), target.output("storage", "DataBucket")
    found: dict[str, list[Path]] = {}
    for kind in DATASET_TYPES:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"datasets/{kind}/", Delimiter="/")
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", []) if entry["Key"].lower().endswith(".csv")]
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for key in keys:
            s3.download_file(bucket, key, str(folder / kind / key.rsplit("/", 1)[-1]), Config=PARALLEL)
            found.setdefault(kind, []).append(folder / kind / key.rsplit("/", 1)[-1])
    return found
