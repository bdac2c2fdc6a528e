"""What a call has changed, written in one transaction before the call is answered."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from localaws.persistence.database import Database, Key

_Read = Callable[[], str | None]


class Journal:
    """Each thread notes what it changes, and saves that when its call is done.

    journal.note(("item", "users", "u1"), lambda: the item as it is by then, or None if it has gone)
    journal.save()
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._of_thread = threading.local()

    def note(self, key: Key, read: _Read) -> None:
        """`read` is called by `save`, so that what a call takes back is not kept, and what it adds later is."""
        self._pending().reads[key] = read

    def add(self, sql: str, row: Sequence[Any]) -> None:
        """Let `save` carry this statement out, too."""
        self._pending().statements.append((sql, row))

    def save(self) -> None:
        """Write what this thread has noted. Raises sqlite3.Error, and then it is noted still."""
        pending = self._pending()
        if pending.reads or pending.statements:
            self.database.write({key: read() for key, read in pending.reads.items()}, pending.statements)
            pending.reads, pending.statements = {}, []

    def forget(self) -> None:
        """Drop what this thread has noted and not written."""
        self._of_thread.pending = None

    @contextlib.contextmanager
    def apart(self) -> Iterator[None]:
        """What is noted within belongs to a call of its own, which the thread may make while it answers another."""
        outer, self._of_thread.pending = getattr(self._of_thread, "pending", None), None
        try:
            yield
        finally:
            self._of_thread.pending = outer

    def _pending(self) -> _Pending:
        found: _Pending | None = getattr(self._of_thread, "pending", None)
        if found is None:
            found = self._of_thread.pending = _Pending()
        return found


@dataclass
class _Pending:
    """What a thread has changed and not written."""

    reads: dict[Key, _Read] = field(default_factory=dict)
    statements: list[tuple[str, Sequence[Any]]] = field(default_factory=list)
