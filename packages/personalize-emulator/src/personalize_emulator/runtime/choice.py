"""Choosing the items of an answer: the best ones, explored ones, promoted ones, and popular ones to fill up."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from personalize_emulator.recipes.model import Query, Scores, best
from personalize_emulator.recipes.personalization import PersonalizationModel
from personalize_emulator.runtime.serving import Mask, Promotion, Serving

# Guess: the texts of the reasons why a v2 recipe gave an item.
_PROMOTED = "Promoted item"
_EXPLORATION = "Exploration"
_POPULAR = "Popular item"

_SCORED_SUBSET = 2000
"""How many candidates the v2 recipe scores; popular items fill up when a filter leaves too few of them."""
_OWN_EXPLORATION = 0.1
"""The v2 recipe explores by itself, and says so in `reason`."""
_DEFAULT_WEIGHT = 0.3
_DEFAULT_CUT_OFF = 30.0
_BONUS = 2.0


@dataclass(frozen=True)
class _Chosen:
    """One item of an answer, by its position in the model; `scored` is False for a placeholder.

    `place_of` is the item whose place an explored item takes.
    """

    item: int
    scored: bool = True
    reason: str | None = None
    promotion: str | None = None
    place_of: int | None = None

    @property
    def stands_for(self) -> int:
        """The item whose score it shows.

        docs: personalize/latest/APIReference/API_RS_GetRecommendations.html: the answer is sorted by score, explored or not.
        """
        # Guess: an explored item has the score of the item that stands behind it.
        return self.item if self.place_of is None else self.place_of


@dataclass(frozen=True)
class Candidates:
    """What an answer may be made of. Scores and masks are over the model's ranked ids.

    known: the scores that the recipe gives, -inf for items outside the scored subset. allowed: what the filter of
    the request and the use case leave.
    """

    serving: Serving
    query: Query
    scores: Scores
    known: Scores
    allowed: Mask


def choose(candidates: Candidates, size: int, promoted: list[_Chosen]) -> list[_Chosen]:
    """`size` items: promoted ones at random places, in their order; the best allowed ones around them."""
    candidates.allowed[[chosen.item for chosen in promoted]] = False
    rest = _organic(candidates, size - len(promoted))
    if not promoted:
        return rest
    total = len(promoted) + len(rest)
    places = set(_random(candidates.query).choice(total, len(promoted), replace=False).tolist())
    first, second = iter(promoted), iter(rest)
    return [next(first) if place in places else next(second) for place in range(total)]


def promote(serving: Serving, query: Query, scores: Scores, promotion: Promotion, size: int) -> list[_Chosen]:
    """The best items that the promotion's own filter lets through; fewer if fewer match.

    docs: personalize/latest/dg/promoting-items.html
    """
    mask = serving.allowed(query, promotion.filter, promotion.values)
    finite = np.isfinite(scores)
    floor = scores[finite].min() - 1 if finite.any() else np.float32(0)
    ranked = np.where(finite, scores, floor)
    if mask is not None:
        ranked = np.where(mask, ranked, -np.inf)
    number = round(size * promotion.percent / 100)
    return [_Chosen(int(i), reason=_PROMOTED, promotion=promotion.name) for i in best(ranked, number)]


def _organic(candidates: Candidates, size: int) -> list[_Chosen]:
    model, allowed = candidates.serving.model, candidates.allowed
    chosen = [_Chosen(int(item)) for item in best(np.where(allowed, candidates.known, -np.inf), size)]
    if isinstance(model, PersonalizationModel):
        chosen = _explore(candidates, model, chosen)
        if candidates.serving.recipe.reasons and len(chosen) < size:
            chosen += _placeholders(model, allowed, chosen, size - len(chosen))
    return chosen


def _explore(candidates: Candidates, model: PersonalizationModel, chosen: list[_Chosen]) -> list[_Chosen]:
    """Gives some places to young items: few interactions and chance help them, relevance orders them.

    explorationWeight is the probability of a place to be explored. The choice stays the same for a user and hour.
    docs: personalize/latest/dg/native-recipe-new-item-USER_PERSONALIZATION.html, "campaign configuration".
    """
    serving, scores, allowed = candidates.serving, candidates.scores, candidates.allowed
    weight, days = exploration(serving)
    if weight <= 0 or not chosen:
        return chosen
    young = model.explorable(days, sparse_only=serving.recipe.reasons)
    young = young[allowed[young]]
    young = young[~np.isin(young, [c.item for c in chosen])]
    if not len(young):
        return chosen
    random = _random(candidates.query)
    places = np.flatnonzero(random.random(len(chosen)) < weight)
    luck = random.gumbel(size=len(young)) + _BONUS / np.sqrt(1 + model.arrays["counts"][young])
    explored = young[best(scores[young] + luck, len(places))]
    taken = set(places[: len(explored)].tolist())
    fresh, kept, answer = iter(explored.tolist()), 0, list[_Chosen]()
    for place in range(len(chosen)):
        if place not in taken:
            answer.append(chosen[kept])
            kept += 1
            continue
        item = next(fresh)
        answer.append(_Chosen(item, bool(candidates.known[item] > -np.inf), _EXPLORATION, place_of=chosen[kept].item))
    return answer


def exploration(serving: Serving) -> tuple[float, float]:
    """explorationWeight and explorationItemAgeCutOff (days) that apply."""
    if serving.recipe.reasons:
        return _OWN_EXPLORATION, _DEFAULT_CUT_OFF
    if not serving.recipe.exploration:
        return 0.0, _DEFAULT_CUT_OFF
    config: dict[str, Any] = serving.config.get("itemExplorationConfig") or {}
    weight = float(config.get("explorationWeight", _DEFAULT_WEIGHT))
    return weight, float(config.get("explorationItemAgeCutOff", _DEFAULT_CUT_OFF))


def _placeholders(model: PersonalizationModel, allowed: Mask, chosen: list[_Chosen], size: int) -> list[_Chosen]:
    """Popular items that satisfy the filter; they carry no score."""
    popular = np.where(allowed, model.arrays["counts"].astype(np.float64), -np.inf)
    popular[[c.item for c in chosen]] = -np.inf
    return [_Chosen(int(item), scored=False, reason=_POPULAR) for item in best(popular, size)]


def scored_subset(serving: Serving, scores: Scores) -> Scores:
    """The v2 recipe scores a subset of the items; the others get -inf."""
    if not serving.recipe.reasons or len(scores) <= _SCORED_SUBSET:
        return scores
    least = np.partition(scores, -_SCORED_SUBSET)[-_SCORED_SUBSET]
    return np.where(scores >= least, scores, np.float32(-np.inf))


def softmax(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Shares that sum to 1; -inf has none."""
    greatest = scores.max(initial=-np.inf)
    if greatest == -np.inf:
        return np.zeros_like(scores)
    powers = np.exp(scores - greatest)
    return np.asarray(powers / powers.sum())


def _random(query: Query) -> np.random.Generator:
    hour = int(query.now // 3600)
    return np.random.default_rng(zlib.crc32(f"{query.user_id}/{query.item_id}/{hour}".encode()))
