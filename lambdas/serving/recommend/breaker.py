"""A circuit breaker: a campaign that fails again and again is not called for a while (Nygard, Release It!, 2007)."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

#: Failures in a row that open the circuit.
THRESHOLD = 5
#: Seconds without a call; doubled each time that the call after them fails too.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0


@dataclass
class Breaker:
    """The state of one campaign in this worker."""

    failures: int = 0
    pause: float = field(default_factory=lambda: FIRST_PAUSE)
    quiet_until: float = 0.0

    def allows(self) -> bool:
        """Whether a call may be made; after a pause it is one call that decides."""
        return time.monotonic() >= self.quiet_until

    def succeeded(self) -> None:
        self.failures, self.pause = 0, FIRST_PAUSE

    def failed(self) -> None:
        self.failures += 1
        if self.failures >= THRESHOLD:
            self.quiet_until = time.monotonic() + self.pause
            self.pause = min(self.pause * 2, LONGEST_PAUSE)
