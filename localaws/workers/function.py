"""What a worker has to know of a function, and how its code gets onto the disk."""

from __future__ import annotations

import io
import os
import shutil
import threading
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from localaws.workers.layers import prefer


@dataclass(frozen=True)
class Archive:
    """A zip file known by its hash; two archives with one hash are the same."""

    sha256: str
    read: Callable[[], bytes] = field(compare=False, repr=False)


@dataclass(frozen=True)
class Function:
    """A deployed function. Equal functions can share warm workers. `timeout` is in seconds, `memory` in MB.

    With `snap_start` it is a version that is restored from a snapshot.
    """

    name: str
    arn: str
    version: str
    handler: str
    runtime: str
    code: Archive
    layers: tuple[Archive, ...]
    environ: tuple[tuple[str, str], ...]
    timeout: int
    memory: int
    log_group: str
    region: str
    role: str
    snap_start: bool = False
    reserved_concurrency: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Layer:
    """A layer on the disk: what Lambda puts into /opt, and a folder of its packages that come before this environment's."""

    root: Path
    first: Path


class CodeStore:
    """Unpacks archives once, under their hash."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def unpack(self, archive: Archive) -> Path:
        """The folder with the archive's content."""
        target = self._folder / archive.sha256.replace("/", "_").replace("+", "-").rstrip("=")
        with self._lock:
            if not target.exists():
                partial = target.with_name(f".{target.name}-{os.getpid()}")
                shutil.rmtree(partial, ignore_errors=True)
                with zipfile.ZipFile(io.BytesIO(archive.read())) as content:
                    content.extractall(partial)
                partial.rename(target)
        return target

    def layer(self, archive: Archive) -> Layer:
        """An archive unpacked as a layer."""
        root = self.unpack(archive)
        first = root.with_name(f"{root.name}-first")
        with self._lock:
            if not first.exists():
                prefer(root / "python", first)
        return Layer(root, first)
