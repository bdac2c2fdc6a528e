"""Bulk data of a dataset on disk: one file per column, memory-mapped, replaced as a whole.

The directory of a dataset holds one directory per import that it was given and a symbolic link, `current`, to
the one that counts. An import writes a new directory and then replaces the link, so that a reader sees the old
data or the new and a process that dies half-way leaves nothing but a directory to clean up.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from personalize_emulator.datasets.columns import Column, Table, Vocabulary

_CURRENT = "current"
_DESCRIPTION = "table.json"


class BulkDirectory:
    """Where the bulk data of one dataset lies."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._link = str(directory / _CURRENT)

    @property
    def current(self) -> str | None:
        """The name of the import that counts; None before the first."""
        try:
            return os.readlink(self._link)
        except FileNotFoundError:
            return None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One writer at a time, over all processes. What dead writers left is removed."""
        self._directory.mkdir(parents=True, exist_ok=True)
        with (self._directory / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._remove_all_but(self.current)
            yield

    def load(self) -> Table | None:
        """The current columns, memory-mapped."""
        while (current := self.current) is not None:
            try:
                return _load(self._directory / current)
            except FileNotFoundError:
                if current == self.current:
                    raise
        return None

    def replace(self, table: Table) -> None:
        """Makes `table` the current data. To be called inside `locked`."""
        name = uuid.uuid4().hex
        _save(table, self._directory / name)
        link = self._directory / f"{_CURRENT}.{name}"
        link.symlink_to(name)
        link.replace(self._link)
        self._remove_all_but(name)

    def clear(self) -> None:
        """Removes all data. To be called inside `locked`."""
        Path(self._link).unlink(missing_ok=True)
        self._remove_all_but(None)

    def _remove_all_but(self, current: str | None) -> None:
        for entry in self._directory.iterdir():
            if entry.is_symlink() and entry.name != _CURRENT:
                entry.unlink()
            elif entry.is_dir() and not entry.is_symlink() and entry.name != current:
                shutil.rmtree(entry)


def _save(table: Table, directory: Path) -> None:
    directory.mkdir()
    for name, column in table.items():
        if column.is_text:
            np.save(directory / f"{name}.codes.npy", column.codes)
            _save_texts(column.vocabulary, directory, name)
        else:
            np.save(directory / f"{name}.npy", column.values)
    kinds = {name: column.kind for name, column in table.items()}
    (directory / _DESCRIPTION).write_text(json.dumps(kinds), encoding="utf-8")


def _load(directory: Path) -> Table:
    kinds = json.loads((directory / _DESCRIPTION).read_text(encoding="utf-8"))
    table: Table = {}
    for name, kind in kinds.items():
        if kind in ("number", "boolean"):
            table[name] = Column(kind, _mapped(directory / f"{name}.npy"))
        else:
            codes = _mapped(directory / f"{name}.codes.npy")
            table[name] = Column(kind, codes=codes, vocabulary=Vocabulary(_load_texts(directory, name)))
    return table


def _mapped(path: Path) -> NDArray[Any]:
    return np.asarray(np.load(path, mmap_mode="r"))


def _save_texts(texts: list[str], directory: Path, name: str) -> None:
    encoded = [text.encode() for text in texts]
    (directory / f"{name}.texts").write_bytes(b"".join(encoded))
    np.save(directory / f"{name}.ends.npy", np.cumsum([len(text) for text in encoded], dtype=np.int64))


def _load_texts(directory: Path, name: str) -> list[str]:
    blob = (directory / f"{name}.texts").read_bytes()
    ends = np.load(directory / f"{name}.ends.npy").tolist()
    return [blob[start:end].decode() for start, end in zip([0, *ends], ends, strict=False)]
