"""The time that an answer may take: calls run beside the answer, which waits for them only as long as it can afford."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Result = TypeVar("Result")

#: A call that stalls keeps its thread until its own time-out; the others must find one nevertheless.
_pool = ThreadPoolExecutor(max_workers=16)


def start(call: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs) -> Future[Result]:
    """Begin a call; `Budget.wait` takes its result."""
    return _pool.submit(call, *args, **kwargs)


class Budget:
    """Seconds for a whole answer, from now on."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.deadline = time.monotonic() + seconds

    def wait(self, running: Future[Result], share: float = 1.0) -> Result:
        """The result of a call. Raises TimeoutError once this share of the whole time is over, or what the call raises."""
        until = self.deadline - (1 - share) * self.seconds
        return running.result(timeout=max(until - time.monotonic(), 0))
