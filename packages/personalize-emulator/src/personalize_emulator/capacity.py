"""How many calls a second a campaign or recommender takes.

docs: personalize/latest/dg/campaigns.html, "Minimum provisioned transactions per second and auto-scaling": what is provisioned is
scaled up when more calls come, with a delay in which calls may be lost, and never below the minimum.
"""

import threading
import time
from dataclasses import dataclass

from personalize_emulator.errors import Throttling

# Guess: what is provisioned is meant on the average of five minutes, so that as many calls may come at once.
_WINDOW = 300.0
# Guess: scaling provides half as much again as was asked for.
_HEADROOM = 1.5


@dataclass
class _State:
    rate: float  # calls a second
    tokens: float
    when: float  # of the last call; seconds of time.monotonic()
    scaling_since: float | None = None
    asked: int = 0  # calls since then


class Capacity:
    """Of all campaigns and recommenders, by ARN. A reset or a restart forgets what was scaled."""

    def __init__(self) -> None:
        self._states: dict[str, _State] = {}
        self._lock = threading.Lock()

    def take(self, arn: str, provisioned: int, most: int, scaling: float) -> None:
        """One call now. `scaling`: real seconds that scaling takes. Raises Throttling above what is provisioned by now."""
        now = time.monotonic()
        with self._lock:
            state = self._states.get(arn)
            if state is None or now - state.when > _WINDOW or provisioned > state.rate:
                state = self._states[arn] = _State(provisioned, provisioned * _WINDOW, now)
            state.tokens = min(state.rate * _WINDOW, state.tokens + (now - state.when) * state.rate)
            state.when = now
            self._scale(state, provisioned, most, scaling)
            state.asked += 1
            if state.tokens < 1:
                raise Throttling(f"Rate exceeded: {state.rate:g} requests per second are provisioned; more are on the way")
            state.tokens -= 1

    @staticmethod
    def _scale(state: _State, provisioned: int, most: int, scaling: float) -> None:
        """Begin to scale as soon as a tenth of the window's calls are taken; end when the time for it is over."""
        if state.scaling_since is None:
            if state.tokens < 0.9 * state.rate * _WINDOW and state.rate < most:
                state.scaling_since, state.asked = state.when, 0
        elif state.when - state.scaling_since >= scaling:
            asked = state.asked / max(scaling, state.when - state.scaling_since, 1.0)
            state.rate = min(most, max(provisioned, state.rate, asked * _HEADROOM))
            state.tokens, state.scaling_since = state.rate * _WINDOW, None
