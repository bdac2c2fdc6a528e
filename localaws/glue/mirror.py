"""S3 as folders: what a job reads is copied here before it runs, what it has written, changed or deleted is copied back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from localaws.errors import LocalAwsError

_SCHEME = "s3://"


class Mirror:
    """A folder with a subfolder for each bucket. Only objects below the prefixes that were asked for are in it."""

    def __init__(self, s3: Any, folder: Path) -> None:
        self._s3 = s3
        self._folder = folder.resolve()
        self._before: dict[Path, tuple[int, int]] = {}

    def localize(self, argument: str) -> str:
        """An argument of a job: an S3 address becomes that of the local copy, anything else stays.

        `s3://bucket/key` stands for the object of that key and for all below `key/`, as it does for Spark.
        """
        if not argument.startswith(_SCHEME):
            return argument
        bucket, _, key = argument.removeprefix(_SCHEME).partition("/")
        for found in self._keys(bucket, key):
            self._download(bucket, found)
        (self._folder / bucket).mkdir(parents=True, exist_ok=True)
        return f"file://{self._path(bucket, key)}" + ("/" if key.endswith("/") else "")

    def fetch(self, address: str) -> Path:
        """The local copy of one object. Raises LocalAwsError if there is none."""
        self.localize(address)
        bucket, _, key = address.removeprefix(_SCHEME).partition("/")
        path = self._path(bucket, key)
        if not path.is_file():
            raise LocalAwsError(f"There is no object {address}.")
        return path

    def copy_back(self) -> None:
        """Put new and changed files, then delete the objects whose files are gone."""
        after = {path: _state(path) for path in self._folder.rglob("*") if path.is_file() and not _is_checksum(path)}
        for path, state in after.items():
            if self._before.get(path) != state:
                self._s3.upload_file(str(path), *self._address(path))
        for path in self._before.keys() - after.keys():
            bucket, key = self._address(path)
            self._s3.delete_object(Bucket=bucket, Key=key)

    def _keys(self, bucket: str, key: str) -> list[str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        whole = not key or key.endswith("/")
        return [found for found in keys if not found.endswith("/") and (whole or found == key or found.startswith(f"{key}/"))]

    def _download(self, bucket: str, key: str) -> None:
        path = self._path(bucket, key)
        if path in self._before:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        self._s3.download_file(bucket, key, str(path))
        self._before[path] = _state(path)

    def _path(self, bucket: str, key: str) -> Path:
        if any(part in (".", "..") for part in key.split("/")):
            raise LocalAwsError(f"s3://{bucket}/{key} can't be copied into a folder.")
        return self._folder / bucket / key

    def _address(self, path: Path) -> tuple[str, str]:
        bucket, *key = path.relative_to(self._folder).parts
        return bucket, "/".join(key)


def _state(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_ino


def _is_checksum(path: Path) -> bool:
    """What Hadoop puts beside its files on a local disk, and only there."""
    return path.name.startswith(".") and path.name.endswith(".crc")
