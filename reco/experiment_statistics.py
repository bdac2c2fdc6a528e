"""What the counts of an experiment say: rates with confidence intervals, differences, whether users were split as planned.

Wilson's interval for a rate, Newcombe's hybrid of two of them for a difference (Newcombe, Statistics in Medicine 17, 1998);
with more than two variants, each comparison with the control gets its share of the five percent (Bonferroni). A sample ratio
mismatch (Fabijan et al., KDD 2019) says that something else than chance decided who is in which variant.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

ALPHA, POWER = 0.05, 0.8
#: Below this probability a split is no accident.
MISMATCH = 0.001


@dataclass(frozen=True)
class Counts:
    """The users of a variant, and how many of them did something."""

    variant: str
    weight: float
    users: int
    clicked: int
    converted: int


@dataclass(frozen=True)
class Interval:
    """An estimate between its bounds."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """A variant beside the control.

    `more_users` would tell a difference of this size in 80 of 100 experiments, the two variants together; None when it is told
    already, or when there is none to tell.
    """

    variant: str
    control: str
    difference: Interval
    relative: float | None
    more_users: int | None

    @property
    def told(self) -> bool:
        return self.difference.low > 0 or self.difference.high < 0


def critical(comparisons: int) -> float:
    """How many standard errors an interval reaches to each side."""
    return NormalDist().inv_cdf(1 - ALPHA / 2 / comparisons)


def rate(done: int, users: int, z: float | None = None) -> Interval:
    """The share of the users who did it, with Wilson's interval."""
    if users == 0:
        return Interval(0.0, 0.0, 1.0)
    z = critical(1) if z is None else z
    share, spread = done / users, z * z / users
    middle = (share + spread / 2) / (1 + spread)
    reach = z / (1 + spread) * math.sqrt(share * (1 - share) / users + spread / (4 * users))
    return Interval(share, max(middle - reach, 0.0), min(middle + reach, 1.0))


def compare(control: tuple[int, int], variant: tuple[int, int], z: float) -> Interval:
    """The variant's rate less the control's; each is given as done and users."""
    first, second = rate(*control, z=z), rate(*variant, z=z)
    below = math.hypot(second.value - second.low, first.high - first.value)
    above = math.hypot(second.high - second.value, first.value - first.low)
    difference = second.value - first.value
    return Interval(difference, difference - below, difference + above)


def users_needed(first: float, second: float, z: float) -> int | None:
    """The users of each of two variants with which a difference between these rates is found in 80 of 100 experiments."""
    if first == second:
        return None
    spread = first * (1 - first) + second * (1 - second)
    return math.ceil((z + NormalDist().inv_cdf(POWER)) ** 2 * spread / (first - second) ** 2)


def comparisons(variants: Sequence[Counts], what: str) -> list[Comparison]:
    """Each variant against the first; `what` is `clicked` or `converted`."""
    control, *others = variants
    z, made = critical(len(others)), []
    for other in others:
        difference = compare((getattr(control, what), control.users), (getattr(other, what), other.users), z)
        base, mine = (rate(getattr(one, what), one.users).value for one in (control, other))
        needed = users_needed(base, mine, z) if difference.low <= 0 <= difference.high else None
        missing = None if needed is None else 2 * max(needed - min(control.users, other.users), 1)
        made.append(Comparison(other.variant, control.variant, difference, (mine - base) / base if base else None, missing))
    return made


def split_probability(variants: Sequence[Counts]) -> float:
    """How probable it is that chance alone splits the users so far from the weights."""
    from scipy.stats import chisquare

    users, weights = sum(one.users for one in variants), sum(one.weight for one in variants)
    if not users:
        return 1.0
    return float(chisquare([one.users for one in variants], [users * one.weight / weights for one in variants]).pvalue)


def verdict(comparison: Comparison, outcome: str) -> str:
    """A sentence for people; `outcome` is `click-through` or `conversion`."""
    found, one, control = comparison.difference, comparison.variant, comparison.control
    points = f"{100 * found.value:+.2f} points [{100 * found.low:+.2f}, {100 * found.high:+.2f}]"
    if comparison.relative is not None:
        points += f", {100 * comparison.relative:+.1f} %"
    if comparison.told:
        return f"{one} has a {'better' if found.value > 0 else 'worse'} {outcome} than {control}: {points}."
    if comparison.more_users is None:
        return f"{one} has the same {outcome} as {control} so far: {points}."
    more = f"about {comparison.more_users:,} more users would tell a difference of this size"
    return f"Not enough yet to tell the {outcome} of {one} from that of {control}: {points}; {more}."
