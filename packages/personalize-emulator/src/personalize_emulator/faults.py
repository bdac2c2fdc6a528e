"""Faults on request: operations that throttle, fail, slow down, or whose resource ends as CREATE FAILED."""

import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from personalize_emulator.errors import InternalFailure, Throttling

Action = Literal["throttle", "error", "slow", "create-failed"]


@dataclass
class Fault:
    """One rule. `operation` is an API name or "*"; of its calls the share `rate` meets the fault.

    `seconds` is how long a slow call waits, `reason` the text of the error or the failureReason. The same
    seed gives the same sequence of decisions.
    """

    operation: str
    action: Action
    rate: float = 1.0
    seed: int = 0
    seconds: float = 1.0
    reason: str = "Injected fault"
    _random: random.Random = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.action not in get_args(Action):
            raise ValueError(f"action must be one of {', '.join(get_args(Action))}, not {self.action!r}")
        for name, most in (("rate", 1), ("seconds", 60)):
            value = getattr(self, name)
            if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= most:
                raise ValueError(f"{name} must be from 0 to {most}, not {value!r}")
        for name, kind, word in (("operation", str, "text"), ("seed", int, "a whole number"), ("reason", str, "text")):
            if not isinstance(getattr(self, name), kind):
                raise ValueError(f"{name} must be {word}, not {getattr(self, name)!r}")
        self._random = random.Random(self.seed)  # noqa: S311 (repeatable on purpose)

    def strikes(self, operation: str) -> bool:
        return self.operation in ("*", operation) and self._random.random() < self.rate

    def shown(self) -> dict[str, Any]:
        return {k: v for k, v in vars(self).items() if not k.startswith("_")}


class Faults:
    """The rules in force."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Fault] = []

    def replace(self, rules: list[Mapping[str, Any]]) -> None:
        """Put these rules into force instead of the present ones.

        Raises ValueError for a rule that is not understood.
        """
        try:
            parsed = [Fault(**rule) for rule in rules]  # a TypeError: other members than a fault has, or no members
        except TypeError as error:
            raise ValueError(f"a fault has operation, action, rate, seed, seconds, reason: {error}") from error
        with self._lock:
            self._rules = parsed

    def shown(self) -> list[dict[str, Any]]:
        return [rule.shown() for rule in self._rules]

    def meet(self, operation: str) -> None:
        """Called before an operation: waits or raises as the rules say."""
        if not self._rules:
            return
        with self._lock:
            struck = [r for r in self._rules if r.action != "create-failed" and r.strikes(operation)]
        for rule in struck:
            if rule.action == "slow":
                time.sleep(rule.seconds)
            elif rule.action == "throttle":
                raise Throttling(rule.reason)
            else:
                raise InternalFailure(rule.reason)

    def creation_failure(self, operation: str) -> str | None:
        """The failureReason with which the resource that this operation creates shall end, if any."""
        if not self._rules:
            return None
        with self._lock:
            return next((r.reason for r in self._rules if r.action == "create-failed" and r.strikes(operation)), None)
