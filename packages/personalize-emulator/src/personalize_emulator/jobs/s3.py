"""Reading and writing the S3 objects of jobs."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Protocol, cast

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError


class S3Failed(Exception):
    """S3 refuses; the text is the failureReason of the job."""


class S3(Protocol):
    """Where the objects of jobs are. Every call may raise S3Failed."""

    def sizes(self, location: str, *, subfolders: bool = False) -> dict[str, int]:
        """The bytes of the objects at a location by key: one object, or those of a folder without the marks of folders."""

    def files(self, location: str, *, subfolders: bool = False) -> Iterator[tuple[str, BinaryIO]]:
        """Each object at a location with its key, as a file on disk that can be read more than once. There must be one."""

    def write(self, location: str, file: BinaryIO) -> None:
        """Make a file an object, or replace one."""


def open_s3(root: str | None = None, role: str | None = None) -> S3:
    """The folder `root`, or else an S3; see `_Folder` and `Buckets`."""
    return _Folder(Path(root)) if root else Buckets(role)


class _Folder:
    """A folder of this machine in the place of S3: s3://bucket/key is the file bucket/key in it."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def sizes(self, location: str, *, subfolders: bool = False) -> dict[str, int]:
        bucket, key = split(location)
        path = self._path(bucket, key)
        if path.is_file() and not key.endswith("/"):
            return {key: path.stat().st_size}
        found = sorted(p for p in (path.rglob("*") if subfolders else path.glob("*")) if p.is_file())
        return {p.relative_to(self._root / bucket).as_posix(): p.stat().st_size for p in found}

    def files(self, location: str, *, subfolders: bool = False) -> Iterator[tuple[str, BinaryIO]]:
        bucket, _ = split(location)
        keys = self.sizes(location, subfolders=subfolders)
        if not keys:
            raise _nothing_at(location)
        for key in keys:
            with self._path(bucket, key).open("rb") as file:
                yield key, file

    def write(self, location: str, file: BinaryIO) -> None:
        path = self._path(*split(location))
        path.parent.mkdir(parents=True, exist_ok=True)
        file.seek(0)
        with path.open("wb") as copy:
            shutil.copyfileobj(file, copy)

    def _path(self, bucket: str, key: str) -> Path:
        if not bucket or ".." in PurePosixPath(bucket, key).parts or key.startswith("/"):
            raise S3Failed(f"Invalid Data location. s3://{bucket}/{key} is no file of a folder")
        return self._root / bucket / key


class Buckets:
    """A client of the S3 of AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL; without them, of AWS itself."""

    def __init__(self, role: str | None = None) -> None:
        """`role` is assumed where the environment names a place for it: AWS_ENDPOINT_URL_STS. Raises S3Failed."""
        local = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        key = "test" if local and "AWS_ACCESS_KEY_ID" not in os.environ else None  # any will do there
        settings: dict[str, Any] = {
            "region_name": os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1",
            "aws_access_key_id": key,
            "aws_secret_access_key": key,
        }
        if role and os.environ.get("AWS_ENDPOINT_URL_STS"):
            settings |= _assumed(role, settings)
        # An endpoint on this machine has no name per bucket.
        self._client = boto3.client("s3", config=Config(s3={"addressing_style": "path"} if local else {}), **settings)

    def sizes(self, location: str, *, subfolders: bool = False) -> dict[str, int]:
        bucket, key = split(location)
        try:
            if key and not key.endswith("/"):
                found = self._client.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents", [])
                if same := {entry["Key"]: entry["Size"] for entry in found if entry["Key"] == key}:
                    return same
                key += "/"
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=bucket, Prefix=key, Delimiter="" if subfolders else "/"
            )
            entries = (entry for page in pages for entry in page.get("Contents", []))
            return {entry["Key"]: entry["Size"] for entry in entries if not entry["Key"].endswith("/")}
        except (ClientError, BotoCoreError) as error:
            raise S3Failed(_reason(error)) from error

    def files(self, location: str, *, subfolders: bool = False) -> Iterator[tuple[str, BinaryIO]]:
        bucket, _ = split(location)
        keys = self.sizes(location, subfolders=subfolders)
        if not keys:
            raise _nothing_at(location)
        for key in keys:
            with tempfile.TemporaryFile() as file:
                try:
                    self._client.download_fileobj(bucket, key, file)
                except (ClientError, BotoCoreError) as error:
                    raise S3Failed(_reason(error)) from error
                file.seek(0)
                yield key, cast(BinaryIO, file)

    def write(self, location: str, file: BinaryIO) -> None:
        bucket, key = split(location)
        file.seek(0)
        try:
            self._client.upload_fileobj(file, bucket, key)
        except (ClientError, BotoCoreError, boto3.exceptions.Boto3Error) as error:
            raise S3Failed(_reason(error)) from error


def split(location: str) -> tuple[str, str]:
    """Bucket and key of s3://bucket/key."""
    bucket, _, key = location.removeprefix("s3://").partition("/")
    return bucket, key


def _assumed(role: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Credentials of a role, in the form of arguments of a boto3 client."""
    try:
        answer = boto3.client("sts", **settings).assume_role(RoleArn=role, RoleSessionName="personalize")["Credentials"]
    except (ClientError, BotoCoreError) as error:
        # Guess: the words of the failure of a job whose role Personalize may not assume.
        raise S3Failed(f"Amazon Personalize can't assume the role {role}: {error}") from error
    return {
        "aws_access_key_id": answer["AccessKeyId"],
        "aws_secret_access_key": answer["SecretAccessKey"],
        "aws_session_token": answer["SessionToken"],
    }


def _nothing_at(location: str) -> S3Failed:
    return S3Failed(f"Invalid Data location. There is no object at {location}")


def _reason(error: Exception) -> str:
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
    if code in ("AccessDenied", "403"):
        return "Insufficient privileges for accessing data in Amazon S3."
    return f"Invalid Data location. {error}"
