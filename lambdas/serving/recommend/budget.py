"""The time that an answer may take: it waits for its calls only as long as it can afford."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

_Given = ParamSpec("_Given")
Result = TypeVar("Result")

#: The share of the whole time that is left to an answer that has just begun.
_JUST_BEGUN = 0.95
#: A call that stalls keeps its thread until its own time-out; the others must find one nevertheless.
_pool = ThreadPoolExecutor(max_workers=16)


def start(call: Callable[_Given, Result], *args: _Given.args, **kwargs: _Given.kwargs) -> Future[Result]:
    """Begin a call beside the answer; `Budget.wait` takes its result."""
    return _pool.submit(call, *args, **kwargs)


class Budget:
    """Seconds for a whole answer, from now on."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.deadline = time.monotonic() + seconds

    def wait(self, running: Future[Result], share: float = 1.0, grace: float = 0.0) -> Result:
        """The result of a call. Raises TimeoutError once this share of the whole time is over, or what the call raises.

        `grace` are seconds that this call may take beyond it.
        """
        until = self.deadline - (1 - share) * self.seconds + grace
        return running.result(timeout=max(until - time.monotonic(), 0))

    def call(self, call: Callable[..., Result], share: float, **kwargs: Any) -> Result:
        """The result of a call that gives up by itself after this share of the whole time.

        Of an answer that has just begun, it is made here: to hand it to a thread and take it back costs as much as all the rules
        do. A later one would end too late, and runs beside the answer. Raises TimeoutError, or what the call raises.
        """
        left = self.deadline - time.monotonic()
        if left > _JUST_BEGUN * self.seconds:
            return call(**kwargs)
        return self.wait(start(call, **kwargs), share)
