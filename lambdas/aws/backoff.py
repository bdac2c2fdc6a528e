"""How long to wait before a call is made again: each pause is at most twice the one before, up to a longest."""

from __future__ import annotations

import random

#: So many doublings pass every longest pause; more would pass the largest float.
_MOST_DOUBLINGS = 30


def doubled(attempt: int, first: float, longest: float) -> float:
    """Seconds after attempt number `attempt`, counted from 0: `doubled(2, 0.5, 10)` is 2.0."""
    return min(first * 2.0 ** min(attempt, _MOST_DOUBLINGS), longest)


def pause(attempt: int, first: float, longest: float) -> float:
    """A random part, from a half to all, of the doubled pause, so that callers that failed together don't come back together.

    docs: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
    """
    return random.uniform(0.5, 1) * doubled(attempt, first, longest)  # noqa: S311  no secret depends on it
