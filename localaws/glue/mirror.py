"""S3 as folders: what a job reads is copied here before it runs, what it has written, changed or deleted is copied back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from localaws.errors import LocalAwsError
from localaws.iam.policies import Access

_SCHEME = "s3://"


class Mirror:
    """A folder with a subfolder for each bucket. Only objects below the prefixes that were asked for are in it."""

    def __init__(self, s3: Any, folder: Path, check: Callable[[Access], None] = lambda access: None) -> None:
        """`s3` is a client of the job's role; `check` raises for an access that the role is not allowed."""
        self._s3 = s3
        self._check = check
        self._named: set[tuple[str, str]] = set()
        self._folder = folder.resolve()
        self._before: dict[Path, tuple[int, int]] = {}
        self._empty: dict[tuple[str, str], Path] = {}  # folders of the arguments in which there was nothing
        self._written: set[tuple[str, str]] = set()  # those of them that have held a file since

    def localize(self, argument: str) -> str:
        """An argument of a job: an S3 address becomes that of the local copy, anything else stays.

        `s3://bucket/key` stands for the object of that key and for all below `key/`, as it does for Spark.
        """
        if not argument.startswith(_SCHEME):
            return argument
        bucket, _, key = argument.removeprefix(_SCHEME).partition("/")
        self._named.add((bucket, key.strip("/")))
        self._look_at(bucket, key.strip("/"))
        keys = self._keys(bucket, key)
        for found in keys:
            self._download(bucket, found)
        if not keys:
            self._empty[bucket, key.strip("/")] = self._path(bucket, key)
        (self._folder / bucket).mkdir(parents=True, exist_ok=True)
        return f"file://{self._path(bucket, key)}" + ("/" if key.endswith("/") else "")

    def fetch(self, address: str) -> Path:
        """The local copy of one object. Raises LocalAwsError if there is none, ClientError if it may not be read."""
        bucket, _, key = address.removeprefix(_SCHEME).partition("/")
        try:
            self._download(bucket, key)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("404", "NoSuchKey"):
                raise
            raise LocalAwsError(f"There is no object {address}.") from None
        return self._path(bucket, key)

    def watch(self) -> None:
        """To be called again and again while the job runs: what it writes may be gone at its end, as a staging folder is."""
        for named, folder in self._empty.items():
            if named not in self._written and any(path.is_file() for path in folder.rglob("*")):
                self._written.add(named)

    def copy_back(self) -> None:
        """Put new and changed files, and delete the objects whose files are gone."""
        self._check_folders()
        for path in self._changed():
            bucket, key = self._address(path)
            if path.exists():
                self._s3.upload_file(str(path), bucket, key)
            else:
                self._s3.delete_object(Bucket=bucket, Key=key)

    def _look_at(self, bucket: str, name: str) -> None:
        """What Hadoop asks S3 for when it looks at a path: HEAD without the last slash, then a listing.

        A HEAD of what is not there needs s3:ListBucket, and may or may not carry s3:prefix.
        docs: hadoop.apache.org, hadoop-aws, S3AFileSystem.getFileStatus; AmazonS3/latest/API/API_HeadObject.html
        """
        if name:
            self._check(Access("s3:GetObject", f"arn:aws:s3:::{bucket}/{name}"))
        for context in ({}, {"s3:prefix": f"{name}/" if name else ""}):
            self._check(Access("s3:ListBucket", f"arn:aws:s3:::{bucket}", context))

    def _check_folders(self) -> None:
        """What Hadoop and Glue's EMRFS do around the files that they write: temporary files, and a marker for each folder.

        A folder `a/b` has the marker `a/b_$folder$`. docs: emr/latest/ManagementGuide/emr-fs.html
        """
        changed = [self._address(path) for path in self._changed()]
        for bucket, name in sorted(self._named):
            left = any(at == bucket and key.startswith(f"{name}/") for at, key in changed)
            if not left and (bucket, name) not in self._written:
                continue
            for folder in _with_parents(name):
                self._look_at(bucket, folder)
                for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject"):
                    self._check(Access(action, f"arn:aws:s3:::{bucket}/{folder}_$folder$"))
            for action in ("s3:PutObject", "s3:DeleteObject"):
                self._check(Access(action, f"arn:aws:s3:::{bucket}/{name}/_temporary/0/part-0"))

    def _changed(self) -> Iterable[Path]:
        """Files that are new, other than before, or gone."""
        after = {path: _state(path) for path in self._folder.rglob("*") if path.is_file() and not _is_checksum(path)}
        return [path for path in {**self._before, **after} if self._before.get(path) != after.get(path)]

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


def _with_parents(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[: number + 1]) for number in range(len(parts))]


def _state(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_ino


def _is_checksum(path: Path) -> bool:
    """What Hadoop puts beside its files on a local disk, and only there."""
    return path.name.startswith(".") and path.name.endswith(".crc")
