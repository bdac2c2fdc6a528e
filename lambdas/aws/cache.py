"""Values that are kept for a while."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable
from typing import Generic, NamedTuple, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Kept(NamedTuple, Generic[Value]):
    """A value, and until when (by time.monotonic) it is fresh."""

    value: Value
    until: float

    @property
    def fresh(self) -> bool:
        return time.monotonic() < self.until


class TimedCache(Generic[Key, Value]):
    """Values by key, each fresh for `seconds`, at most `most` of them: the one that was put longest ago goes first.

    versions = TimedCache[str, str](seconds=60, most=100)
    versions.put("daily", "v7")
    versions.fresh("daily")  # Kept("v7", until=...); None after a minute
    versions.get("daily")  # the same, however old it is
    """

    def __init__(self, seconds: float, most: int = 1000) -> None:
        self.seconds, self.most = seconds, most
        self._kept: OrderedDict[Key, Kept[Value]] = OrderedDict()

    def get(self, key: Key) -> Kept[Value] | None:
        """What was put last, fresh or not."""
        return self._kept.get(key)

    def get_all(self, keys: Iterable[Key]) -> dict[Key, Kept[Value]]:
        """What was put last under those of the keys that are known."""
        kept = self._kept
        return {key: entry for key in keys if (entry := kept.get(key)) is not None}

    def fresh(self, key: Key) -> Kept[Value] | None:
        """What was put last, if it is fresh."""
        kept = self.get(key)
        return kept if kept is not None and kept.fresh else None

    def put(self, key: Key, value: Value, seconds: float | None = None) -> Value:
        """Keep the value, for other than the usual seconds if they are given; returns it."""
        self._kept.pop(key, None)
        self._kept[key] = Kept(value, time.monotonic() + (self.seconds if seconds is None else seconds))
        while len(self._kept) > self.most:
            self._kept.popitem(last=False)
        return value

    def drop(self, key: Key) -> None:
        self._kept.pop(key, None)
