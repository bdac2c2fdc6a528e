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
class _Interval:
    """An estimate between its bounds."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """A variant beside the control.

    `more_users` are needed to detect a difference of this size in 80 of 100 experiments: of the two variants together, split by
    their weights. None when the difference is significant already, or when there is none to tell.
    """

    variant: str
    control: str
    difference: _Interval
    relative: float | None
    more_users: int | None

    @property
    def is_significant(self) -> bool:
        return self.difference.low > 0 or self.difference.high < 0


def critical(comparisons: int) -> float:
    """How many standard errors an interval reaches to each side."""
    return NormalDist().inv_cdf(1 - ALPHA / 2 / comparisons)


def rate(done: float, users: float, z: float | None = None) -> _Interval:
    """The share of the users who did it, with Wilson's interval."""
    if users == 0:
        return _Interval(0.0, 0.0, 1.0)
    z = critical(1) if z is None else z
    share, spread = done / users, z * z / users
    middle = (share + spread / 2) / (1 + spread)
    reach = z / (1 + spread) * math.sqrt(share * (1 - share) / users + spread / (4 * users))
    return _Interval(share, max(middle - reach, 0.0), min(middle + reach, 1.0))


def compare(control: tuple[float, float], variant: tuple[float, float], z: float) -> _Interval:
    """The variant's rate less the control's; each is given as done and users."""
    first, second = rate(*control, z=z), rate(*variant, z=z)
    below = math.hypot(second.value - second.low, first.high - first.value)
    above = math.hypot(second.high - second.value, first.value - first.low)
    difference = second.value - first.value
    return _Interval(difference, difference - below, difference + above)


def _power(first: tuple[float, float], second: tuple[float, float], z: float) -> float:
    """In what share of experiments a difference between two rates is detected; each is given as its rate and its users.

    By the delta method: the distance of the interval from zero is taken for normal, with the slopes of one standard error of each
    rate. The interval is wider to one side, so with unequal numbers of users the side counts on which the smaller number lies.
    """
    if second[0] < first[0]:
        first, second = second, first

    def distance(one: float, other: float) -> float:
        return compare((one * first[1], first[1]), (other * second[1], second[1]), z).low

    def around(share: float, users: float) -> tuple[float, float]:
        error = math.sqrt(share * (1 - share) / users)
        return max(share - error, 0.0), min(share + error, 1.0)

    ones, others = around(*first), around(*second)
    slopes = [distance(one, second[0]) for one in ones] + [distance(first[0], other) for other in others]
    error = math.hypot(slopes[1] - slopes[0], slopes[3] - slopes[2]) / 2
    middle = distance(first[0], second[0])
    return NormalDist().cdf(middle / error) if error else float(middle > 0)


def users_needed(
    rates: tuple[float, float], weights: tuple[float, float], z: float, already: tuple[int, int] = (0, 0)
) -> int | None:
    """How many users, beside those that there are already, tell a difference between two rates in 80 of 100 experiments.

    They are those of the two variants together, who split by the weights. None for equal rates.
    """
    if rates[0] == rates[1]:
        return None
    shares = [weight / sum(weights) for weight in weights]

    def suffices(users: int) -> bool:
        first, second = ((rates[n], max(already[n] + users * shares[n], 1.0)) for n in (0, 1))
        return _power(first, second, z) >= POWER

    too_few, enough = 0, 1
    while not suffices(enough):
        too_few, enough = enough, 2 * enough
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        too_few, enough = (too_few, middle) if suffices(middle) else (middle, enough)
    return enough


def comparisons(variants: Sequence[Counts], what: str) -> list[Comparison]:
    """Each variant against the first; `what` is `clicked` or `converted`."""
    control, *others = variants
    z, made = critical(len(others)), []
    for other in others:
        difference = compare((getattr(control, what), control.users), (getattr(other, what), other.users), z)
        base, mine = (rate(getattr(one, what), one.users).value for one in (control, other))
        unclear = difference.low <= 0 <= difference.high
        weights, already = (control.weight, other.weight), (control.users, other.users)
        missing = users_needed((base, mine), weights, z, already) if unclear else None
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
    if comparison.is_significant:
        return f"{one} has a {'better' if found.value > 0 else 'worse'} {outcome} than {control}: {points}."
    if comparison.more_users is None:
        return f"{one} has the same {outcome} as {control} so far: {points}."
    needed = f"About {comparison.more_users:,} more users are needed to detect a difference of this size (80 % power)."
    return f"The {outcome} of {one} and {control} does not differ significantly yet: {points}. {needed}"
