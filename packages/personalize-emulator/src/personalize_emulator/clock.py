"""Time in the emulator: how long a resource stays in each state, and things that happen later."""

import heapq
import itertools
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

# Simulated seconds in (pending, in progress) by kind of work. Far shorter than the service's, in the same
# proportions: a training outlasts a campaign, which outlasts an import. Divided by the clock's speed.
DURATIONS: dict[str, tuple[float, float]] = {
    "dataset-group": (10, 20),
    "dataset": (5, 15),
    "dataset-import-job": (20, 100),
    "dataset-export-job": (20, 100),
    "data-deletion-job": (20, 100),
    "event-tracker": (5, 15),
    "filter": (5, 25),
    "solution-version": (20, 280),
    "campaign": (20, 180),
    "recommender": (20, 380),
    "metric-attribution": (5, 15),
    "batch-inference-job": (20, 280),
    "batch-segment-job": (20, 280),
    "scaling": (0, 30),
    "update": (5, 55),
    "delete": (5, 15),
    "stop": (5, 25),
    "start": (5, 55),
}

HOUR = 3600.0
DAY = 24 * HOUR


class Clock:
    """Real time for dates, and simulated durations that pass `speed` times as fast."""

    def __init__(self, speed: float = 1.0, durations: Mapping[str, Sequence[float]] | None = None) -> None:
        """Raises ValueError; see `checked_speed` and `checked_durations`."""
        self.durations = dict(DURATIONS)
        self.durations = self.checked_durations(durations or {})
        self.speed = self.checked_speed(speed)

    @staticmethod
    def checked_speed(value: Any) -> float:
        """Raises ValueError for anything but a finite number above 0."""
        if not _is_number(value) or not 0 < value < math.inf:
            raise ValueError(f"speed must be a number greater than 0, not {value!r}")
        return float(value)

    def checked_durations(self, changes: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
        """The present durations with some set anew: simulated seconds (pending, in progress) by kind of work.

        Raises ValueError for an unknown kind or anything but two finite numbers from 0.
        """
        for work, pair in changes.items():
            if work not in self.durations:
                raise ValueError(f"unknown duration '{work}'; there are: {', '.join(self.durations)}")
            two = isinstance(pair, list | tuple) and len(pair) == 2
            if not two or not all(_is_number(seconds) and 0 <= seconds < math.inf for seconds in pair):
                raise ValueError(f"duration '{work}' must be two numbers of seconds, pending and in progress")
        return self.durations | {work: (pair[0], pair[1]) for work, pair in changes.items()}

    def now(self) -> float:
        """Epoch seconds."""
        return time.time()

    def after(self, simulated_seconds: float) -> float:
        """The epoch second at which this much simulated time from now has passed."""
        return self.now() + simulated_seconds / self.speed

    def due(self, work: str, step: int) -> float:
        """When step 0 (pending) or 1 (in progress) of this kind of work, begun now, is over."""
        return self.after(self.durations[work][step])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class Timers:
    """One thread that calls functions at their time, in order."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = itertools.count()
        self._changed = threading.Condition()
        self._open = True
        self._thread = threading.Thread(target=self._run, name="personalize-timers", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def at(self, when: float, call: Callable[[], None]) -> None:
        """Call `call` at epoch second `when`, or at once if that is past."""
        with self._changed:
            heapq.heappush(self._heap, (when, next(self._sequence), call))
            self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._open = False
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                while self._open and (not self._heap or self._heap[0][0] > time.time()):
                    self._changed.wait(self._heap[0][0] - time.time() if self._heap else None)
                if not self._open:
                    return
                call = heapq.heappop(self._heap)[2]
            try:
                call()
            except Exception:
                logging.getLogger(__name__).exception("a timer failed")
