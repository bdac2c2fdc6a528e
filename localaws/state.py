"""The file by which other programs find a running environment, and the lock on a data directory."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from localaws.clients import Aws
from localaws.errors import LocalAwsError, sentence

_FILE_NAME = "environment.json"
_LOCK = "environment.lock"
_IN_USE = (
    "The data directory {folder} is in use by a running environment (process {holder}): stop it, or choose another with --data."
)


def describe(aws: Aws, front_endpoint: str) -> dict[str, Any]:
    """What is deployed: the stacks' outputs, and the URLs of the REST APIs' stages."""
    pages = aws.client("cloudformation").get_paginator("describe_stacks").paginate()
    outputs = {
        stack["StackName"]: {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs") or []}
        for page in pages
        for stack in page["Stacks"]
    }
    gateway = aws.client("apigateway")
    urls: dict[str, str] = {}
    for api in gateway.get_rest_apis(limit=500)["items"]:
        for stage in gateway.get_stages(restApiId=api["id"])["item"]:
            urls.setdefault(api["name"], f"{front_endpoint}/restapis/{api['id']}/{stage['stageName']}")
    return {"api_url": next(iter(urls.values()), None), "apis": urls, "stacks": outputs}


def write(data: Path, state: dict[str, Any]) -> None:
    partial = data / f".{_FILE_NAME}"
    partial.write_text(json.dumps(state, indent=2))
    partial.replace(data / _FILE_NAME)


def read(data: Path) -> dict[str, Any] | None:
    """The state of the environment that runs on `data`; None if none does."""
    try:
        state: dict[str, Any] = json.loads((data / _FILE_NAME).read_text())
    except (FileNotFoundError, ValueError):
        return None
    return state if _runs_here(int(state["pid"]), data) else None


@contextlib.contextmanager
def exclusive(data: Path) -> Iterator[None]:
    """Holds the data directory for this process. Raises LocalAwsError if a running environment has it."""
    with locked(data, _LOCK, _IN_USE):
        try:
            yield
        finally:
            (data / _FILE_NAME).unlink(missing_ok=True)


@contextlib.contextmanager
def locked(folder: Path, name: str, in_use: str) -> Iterator[None]:
    """Holds a lock in a folder, which is made if it is not there. The lock ends with the process, however that ends.

    Raises LocalAwsError: `in_use`, with {folder} and {holder} filled in, or what keeps the folder from being written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise LocalAwsError(f"The local AWS environment can't keep its files in {folder}: {sentence(error)}") from None
    try:
        if not _try_lock(descriptor):
            holder = os.read(descriptor, 32).decode().strip() or "unknown"
            raise LocalAwsError(in_use.format(folder=folder, holder=holder))
        os.truncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
        os.truncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    """An advisory lock that ends with the process, so that a killed one leaves nothing to clean up."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _runs_here(pid: int, data: Path) -> bool:
    """Whether process `pid` is alive and is the one that holds the data directory."""
    try:
        os.kill(pid, 0)
        descriptor = os.open(data / _LOCK, os.O_RDWR)
    except OSError:
        return False
    try:
        return not _try_lock(descriptor)
    finally:
        os.close(descriptor)
