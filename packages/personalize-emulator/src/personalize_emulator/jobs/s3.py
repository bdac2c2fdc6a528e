"""Reading and writing the S3 objects of jobs."""

import os
import tempfile
from collections.abc import Iterator
from typing import BinaryIO, cast

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError


class S3Failed(Exception):
    """S3 refuses; the text is the failureReason of the job."""


class S3:
    """A client of the S3 of AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL; without them, of AWS itself."""

    def __init__(self) -> None:
        local = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        key = "test" if local and "AWS_ACCESS_KEY_ID" not in os.environ else None  # any will do there
        # An endpoint on this machine has no name per bucket.
        self._client = boto3.client(
            "s3",
            region_name=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1",
            aws_access_key_id=key,
            aws_secret_access_key=key,
            config=Config(s3={"addressing_style": "path"} if local else {}),
        )

    def keys(self, location: str, *, subfolders: bool = False) -> list[str]:
        """The keys of the objects at a location: see `sizes`."""
        return list(self.sizes(location, subfolders=subfolders))

    def sizes(self, location: str, *, subfolders: bool = False) -> dict[str, int]:
        """The bytes of the objects at a location by key: one object, or those of a folder without the marks of folders.

        Raises S3Failed.
        """
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
        """Each object at a location with its key, as a file on disk that can be read more than once.

        Raises S3Failed, also if there is none.
        """
        bucket, _ = split(location)
        keys = self.keys(location, subfolders=subfolders)
        if not keys:
            raise S3Failed(f"Invalid Data location. There is no object at {location}")
        for key in keys:
            with tempfile.TemporaryFile() as file:
                try:
                    self._client.download_fileobj(bucket, key, file)
                except (ClientError, BotoCoreError) as error:
                    raise S3Failed(_reason(error)) from error
                file.seek(0)
                yield key, cast(BinaryIO, file)

    def write(self, location: str, file: BinaryIO) -> None:
        """Raises S3Failed."""
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


def _reason(error: Exception) -> str:
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
    if code in ("AccessDenied", "403"):
        return "Insufficient privileges for accessing data in Amazon S3."
    return f"Invalid Data location. {error}"
