"""Waiting for what comes in its own time: tests wait for conditions, so that a busy machine only makes them slower."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
#: When a test gives up; no test that passes takes nearly as long.
_MOST_SECONDS = 300


def eventually(check: Callable[[], T]) -> T:
    """The first true value that `check` gives.

    To show that something does *not* happen, let something happen that would come after it, and wait for that.
    """
    deadline = time.monotonic() + _MOST_SECONDS
    began = time.monotonic()
    while not (found := check()):
        if time.monotonic() > deadline:
            raise AssertionError(f"It did not happen within {_MOST_SECONDS} seconds; the last answer was {found!r}.")
        time.sleep(max(0.05, time.monotonic() - began))  # no more than half of the time goes into looking
        began = time.monotonic()
    return found
