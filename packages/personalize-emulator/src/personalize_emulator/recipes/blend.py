"""How the parts of a score are weighed: chosen for each training, on users that it has not seen.

Which part tells most, how fast the past fades, and whether people come back to what they had, differ from one set of data to the
next: films are rarely watched twice, groceries are bought every week. Nothing of that is fixed here.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from personalize_emulator.metrics import DISCOUNTS
from personalize_emulator.recipes.model import Model, Query, best

Floats = NDArray[np.float32]
Part = tuple[str, float | None]
"""A part of the score and its setting, mostly how fast the past fades: events until one counts 1/e; None: never."""

SUPPRESS = -20.0
AGAIN = "again"
Options = Mapping[str, tuple[float | None, ...]]
"""What there is to choose from: the parts, and the settings of each."""
FADING: Mapping[str, tuple[float, ...]] = {
    "taste": (2.0, 4.0, 16.0),
    "next": (1.5, 9.5, 50.0),
    "peers": (3.0, 5.0, 10.0, 30.0),
    "chain": (2.0, 5.0, 10.0, 30.0),
    "trend": (0.02, 0.1, 1.0),
    AGAIN: (5.0, 30.0, 200.0),
}
_WEIGHTS: Mapping[str, tuple[float, ...]] = {
    "taste": (0.0, 0.5, 1.0, 2.0),
    "next": (0.0, 0.25, 0.5, 1.0),
    "peers": (0.0, 0.25, 0.5, 1.0, 2.0),
    "chain": (0.0, 0.25, 0.5, 1.0, 2.0),
    "trend": (0.0, 0.1, 0.3),
    "interest": (0.25, 0.5, 1.0, 2.0),  # never left out: by it metadata reach items without interactions
    AGAIN: (SUPPRESS, 0.0, 0.5, 1.0, 2.0, 4.0),
}
_OTHER_WEIGHTS = (0.0, 0.25, 0.5, 1.0, 2.0)

_ROUNDS = 3
_CANDIDATES = 100
_SURE = 1.5
"""A change must be better by so many standard errors: the users to choose on are few."""
_FEW = 5
_SAME = 1.0
"""A blend that is worse by so many standard errors at most is as good."""
_LEAST_VARIANCE = 1e-18
_TEMPERATURES = tuple(2.0**power for power in range(-2, 8))


@dataclass(frozen=True)
class Blend:
    """Weight and setting of each part; AGAIN is about the items that the user had already.

    temperature: by what scores are divided before they become shares, so that the shares are probabilities.
    """

    weights: Mapping[str, float]
    settings: Mapping[str, float | None]
    temperature: float = 1.0

    def parts(self) -> list[tuple[str, float | None, float]]:
        """Name, setting and weight of the parts that count, without AGAIN."""
        return [(n, self.settings[n], weight) for n, weight in self.weights.items() if weight and n != AGAIN]

    def changed(self, name: str, weight: float, setting: float | None) -> Blend:
        return replace(self, weights={**self.weights, name: weight}, settings={**self.settings, name: setting})

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> Blend:
        return Blend(**document)


class BlendedModel(Model):
    """A model whose scores are a blend."""

    @cached_property
    def blend(self) -> Blend:
        return Blend.from_json(self.facts["blend"])

    def with_blend(self, blend: Blend) -> Self:
        """The same model with another blend."""
        changed = copy(self)
        changed.__dict__.pop("blend", None)
        changed.facts = {**self.facts, "blend": blend.to_json()}
        return changed

    @property
    def temperature(self) -> float:
        return self.blend.temperature

    @property
    @abstractmethod
    def options(self) -> Options:
        """What the blend may be made of."""

    @abstractmethod
    def asked(self, query: Query) -> tuple[Callable[[str, float | None], Floats], NDArray[np.int64]]:
        """For a query: the function that gives the scores of a part, and the items that AGAIN is about."""

    def blended(self, query: Query) -> Floats:
        """The score of every item; there must be something known of the query."""
        score, seen = self.asked(query)
        total = np.zeros(len(self.item_ids), np.float32)
        for name, setting, weight in self.blend.parts():
            total += np.float32(weight) * score(name, setting)
        again = self.blend.weights[AGAIN]
        if again == SUPPRESS:
            total[seen] += np.float32(SUPPRESS)
        elif again:
            total += np.float32(again) * score(AGAIN, self.blend.settings[AGAIN])
        return total


def standardised(scores: Floats) -> Floats:
    """In standard deviations; the mean is of no interest, because all scores may be shifted together."""
    mean = scores.mean()
    return np.asarray(scores / np.float32(np.sqrt(max(scores @ scores / len(scores) - mean * mean, _LEAST_VARIANCE))))


@dataclass(frozen=True)
class Case:
    """One user to choose on. score: a part's scores of all items. seen: the items that the user had; relevant: those to come.

    listed: the items to rank beside them, for a model that ranks lists; None: all.
    """

    score: Callable[[str, float | None], Floats]
    seen: NDArray[np.int64]
    relevant: NDArray[np.int64]
    listed: NDArray[np.int64] | None = None


class Trials:
    """What all parts say of some items for each user, so that blends can be compared without asking the model again.

    Only the best items of each part are kept, and those that the user had or was to have: others do not come first in a blend.
    """

    def __init__(self, cases: Iterable[Case], options: Options) -> None:
        self.options = options
        self._parts: list[Part] = [(name, setting) for name, settings in options.items() for setting in settings]
        rows = [self._row(case) for case in cases]
        width = max((len(row[1]) for row in rows), default=0)
        self._scores = np.zeros((len(self._parts), len(rows), width), np.float32)
        self._seen = np.zeros((len(rows), width), bool)
        self._absent = np.ones((len(rows), width), bool)
        self._relevant = np.zeros((len(rows), width), bool)
        self._items = np.zeros((len(rows), width), np.int64)
        self._ideal = np.ones(len(rows))
        for number, (scores, items, case) in enumerate(rows):
            size = len(items)
            self._scores[:, number, :size] = scores
            self._seen[number, :size] = np.isin(items, case.seen)
            self._relevant[number, :size] = np.isin(items, case.relevant)
            self._absent[number, :size] = False
            self._items[number, :size] = items
            self._ideal[number] = DISCOUNTS[: len(case.relevant)].sum()

    def __len__(self) -> int:
        return len(self._ideal)

    def _row(self, case: Case) -> tuple[Floats, NDArray[np.int64], Case]:
        scores = [case.score(name, setting) for name, setting in self._parts]
        if case.listed is not None:
            items = np.unique(np.concatenate([case.listed, case.relevant]))
        else:
            first = [best(s, _CANDIDATES) for s, (name, _) in zip(scores, self._parts, strict=True) if name != AGAIN]
            items = np.unique(np.concatenate([*first, case.seen, case.relevant]))
        return np.stack([s[items] for s in scores]), items, case

    def totals(self, blend: Blend) -> Floats:
        """Cases x kept items: the score of a blend."""
        total = np.where(self._absent, np.float32(-np.inf), np.float32(0))
        for name, setting, weight in blend.parts():
            total += np.float32(weight) * self._scores[self._parts.index((name, setting))]
        again = blend.weights[AGAIN]
        if again == SUPPRESS:
            total[self._seen] += np.float32(SUPPRESS)
        elif again:
            total += np.float32(again) * self._scores[self._parts.index((AGAIN, blend.settings[AGAIN]))]
        return total

    def gains(self, blend: Blend) -> NDArray[np.float64]:
        """NDCG@25 of each case."""
        return self._gains(self._first(blend))

    def gains_and_coverage(self, blend: Blend) -> tuple[NDArray[np.float64], int]:
        """NDCG@25 of each case, and the number of different items among the first 25 of all cases."""
        first = self._first(blend)
        return self._gains(first), len(np.unique(np.take_along_axis(self._items, first, axis=1)))

    def _gains(self, first: NDArray[np.int64]) -> NDArray[np.float64]:
        hits = np.take_along_axis(self._relevant, first, axis=1)
        return np.asarray((hits * DISCOUNTS[: first.shape[1]]).sum(axis=1) / self._ideal)

    def _first(self, blend: Blend) -> NDArray[np.int64]:
        """Cases x 25: the places of the kept items that a blend puts first."""
        total = -self.totals(blend)
        size = min(len(DISCOUNTS), total.shape[1])
        if size < total.shape[1]:
            first = np.sort(np.argpartition(total, size, axis=1)[:, :size], axis=1)
        else:
            first = np.broadcast_to(np.arange(size), total.shape)
        order = np.argsort(np.take_along_axis(total, first, axis=1), axis=1, kind="stable")
        return np.take_along_axis(first, order, axis=1)

    def likelihood(self, blend: Blend, others: int) -> float:
        """The mean log share of what the users took, `others` more items counted as the least likely of the kept ones."""
        total = self.totals(blend) / np.float32(blend.temperature)
        kept = np.where(self._absent, np.inf, total)
        least = kept.min(axis=1, keepdims=True)
        greatest = total.max(axis=1, keepdims=True)
        mass = np.exp(total - greatest).sum(axis=1, keepdims=True) + others * np.exp(least - greatest)
        shares = total - greatest - np.log(mass)
        return float(shares[self._relevant].mean()) if self._relevant.any() else 0.0


def choose(trials: Trials, start: Blend) -> Blend:
    """The blend with the best NDCG@25, changing one part at a time, as long as a change surely helps.

    Whether people come back to what they had is no refinement of a first guess: the best is taken before all else.
    """
    if not len(trials):
        return start
    again = _changes(start, AGAIN, trials.options[AGAIN]) if AGAIN in trials.options else []
    chosen = max([start, *again], key=lambda blend: float(trials.gains(blend).mean()))
    quality = trials.gains(chosen)
    for _ in range(_ROUNDS):
        before = chosen
        for name, settings in trials.options.items():
            tried = [(blend, trials.gains(blend)) for blend in _changes(chosen, name, settings)]
            blend, gains = max(tried, key=lambda one: float(one[1].mean()))
            better = gains - quality
            if better.mean() > _SURE * better.std() / np.sqrt(len(better)) * (1 + _FEW / len(better)) and better.mean() > 0:
                chosen, quality = blend, gains
        if chosen == before:
            break
    return chosen


def widened(trials: Trials, start: Blend) -> Blend:
    """The blend that recommends the most different items, changing one part at a time, while NDCG@25 stays as good."""
    if not len(trials):
        return start
    quality, most = trials.gains_and_coverage(start)
    widest = start
    for _ in range(_ROUNDS):
        before = widest
        for name, settings in trials.options.items():
            for blend in _changes(before, name, settings):
                gains, coverage = trials.gains_and_coverage(blend)
                worse = quality - gains
                if coverage > most and worse.mean() <= _SAME * worse.std() / np.sqrt(len(worse)):
                    widest, most = blend, coverage
        if widest == before:
            break
    return widest


def _changes(blend: Blend, name: str, settings: Iterable[float | None]) -> list[Blend]:
    """The blend with every other weight and setting of one part; the setting of what does not count is left alone."""
    of_weight = {w: (blend.settings[name],) if w in (0.0, SUPPRESS) else settings for w in _WEIGHTS.get(name, _OTHER_WEIGHTS)}
    return [blend.changed(name, weight, setting) for weight, some in of_weight.items() for setting in some]


def calibrated(trials: Trials, blend: Blend, items: int) -> Blend:
    """The blend with the temperature at which its shares are most likely to be those of what the users took."""
    others = max(0, items - (trials.totals(blend).shape[1] if len(trials) else 0))
    tried = [replace(blend, temperature=temperature) for temperature in _TEMPERATURES]
    return max(tried, key=lambda one: trials.likelihood(one, others)) if len(trials) else blend
