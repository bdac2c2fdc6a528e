"""SIMS and Similar-Items: which items go together with a given one?

SIMS counts what items share in the histories of users (item-to-item collaborative filtering: Linden, Smith and York, IEEE
Internet Computing 2003): the users, what stands near behind and before, and what goes with the same other items or stands near
them (`pairs`). Similar-Items adds the closeness of the items' implicit-feedback factors, and of those that metadata predict.
Which of these similarities count and how much, and how much they are weighed down by popularity, each training finds out for
itself (`blend`).
"""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from personalize_emulator.recipes import pairs
from personalize_emulator.recipes.blend import AGAIN, SUPPRESS, Blend, BlendedModel, Options, standardised
from personalize_emulator.recipes.events import Prepared
from personalize_emulator.recipes.factors import factorise, ridge_map
from personalize_emulator.recipes.features import Features
from personalize_emulator.recipes.model import Query, Scores
from personalize_emulator.recipes.options import TrainingOptions
from personalize_emulator.recipes.personalization import (
    COLD_ITEM,
    DEFAULT_FACTORS,
    ITERATIONS,
    WARM_ITERATIONS,
    item_features,
)
from personalize_emulator.recipes.popularity import popularity_scores
from personalize_rules.recipes import RECIPES

_COSINE = 0.5  # the discount of popularity that makes the users in common a cosine; the default of SIMS
_SETTINGS: Mapping[str, tuple[float | None, ...]] = {
    "together": (0.0, 0.25, _COSINE),
    "after": (0.0, 0.15, 0.3),
    "before": (0.0, 0.15, 0.3),
    "indirect": (32.0, 64.0, 128.0),
    "company": (32.0, 64.0, 128.0),
    "interest": (None,),
    "alike": (None,),
    "described": (None,),
}
"""What there is to choose from: discounts of popularity; of "indirect" and "company" the number of eigenvectors."""
_FACTORS = {"interest": ("factors", "factors"), "alike": ("unit_factors", "unit_factors"), "described": ("factors", "described")}
_OF_PAIRS = ("together", "after", "before")
_BY_OTHERS = {"indirect": "together", "company": "near"}  # what goes with the same items as another; made of these pairs
_OF_SIMS = (*_OF_PAIRS, *_BY_OTHERS)
FIRST: Mapping[str, tuple[float, float | None]] = {
    "together": (1.0, _COSINE),
    "after": (1.0, 0.3),
    "before": (0.5, 0.3),
    "indirect": (0.0, 64.0),
    "company": (0.0, 64.0),
    "interest": (0.5, None),
    "alike": (0.25, None),
    "described": (0.0, None),
}
"""Weights and settings that the search begins with, and that serve where there is nobody to choose on."""


class RelatedModel(BlendedModel):
    """Scores every item for the item of a query; an unknown item gets the popular ones."""

    @property
    def options(self) -> Options:
        return {name: tuple(settings) for name, settings in self.facts["options"].items()}

    def asked(self, query: Query) -> tuple[Callable[[str, float | None], Scores], NDArray[np.int64]]:
        row = self.index[query.item_id or ""]
        return partial(self._part, row=row), np.array([row])

    def _part(self, name: str, setting: float | None, row: int) -> Scores:
        """One part of the score of every item, in standard deviations; an item is not like itself."""
        scores = self._similar(name, setting, row)
        scores[row] = 0
        return standardised(scores)

    def _similar(self, name: str, setting: float | None, row: int) -> Scores:
        arrays = self.arrays
        if name in _OF_PAIRS:
            return pairs.scores_of(arrays, name, row, setting or 0.0)
        if name in _BY_OTHERS:
            size = int(setting or 0)
            left = arrays[f"{name}_left"][:, :size]
            scores = np.asarray(left @ (arrays[f"{name}_values"][:size] * left[row]))
            further = np.float32(_COSINE - self.facts["discount"])
            return np.asarray(scores * np.maximum(arrays["together_popularity"], 1) ** further) if further else scores
        all_of, own = _FACTORS[name]
        return np.asarray(arrays[all_of] @ arrays[own][row])

    def scores(self, query: Query) -> Scores:
        row = self.index.get(query.item_id or "", -1)
        popular = self.arrays["popularity"]
        rows = self.arrays["together_rows"]
        sims = self.recipe == "aws-sims"
        if row < 0 or (sims and rows[row] == rows[row + 1]):
            return np.array(popular)
        scores = self.blended(query)
        if sims:
            scores = np.where(np.isfinite(popular), scores + popular * np.float32(1e-9), popular)
        scores[row] = -np.inf
        return np.asarray(scores, np.float32)


def fit(prepared: Prepared, options: TrainingOptions, start: RelatedModel | None = None) -> RelatedModel:
    """Train on these events. start: a model of nearly the same data, whose factors and choices are taken over."""
    events = prepared.events
    parameters = {**RECIPES["aws-sims"].defaults, **options.hyperparameters}
    sims = options.recipe == "aws-sims"
    discount = float(parameters["popularity_discount_factor"]) if sims else _COSINE
    least = int(parameters["min_cointeraction_count"]) if sims else 1
    offered = _offered(prepared, sims, discount)
    if start:
        offered = {name: (setting,) for name, setting, _ in start.blend.parts()}
    blend = start.blend if start else _first_blend(offered)
    counted = {"together": offered.get("together", (discount,)), **{n: of for n, of in offered.items() if n in _OF_PAIRS}}
    if "company" in offered:
        counted["near"] = (_COSINE,)
    found = pairs.count(events, least, {n: [s or 0.0 for s in settings] for n, settings in counted.items()})
    arrays = {"popularity": popularity_scores(events)}
    for name in _OF_PAIRS:
        if name in found:
            arrays |= found[name].arrays()
    for name, direct in _BY_OTHERS.items():
        if name not in offered:
            continue
        rank = int(max(s or 0.0 for s in offered[name]))
        before = start.arrays.get(f"{name}_left") if start else None
        values, left = pairs.smoothed(found[direct], rank, options.seed, before)
        arrays |= {f"{name}_values": values, f"{name}_left": left}
    if not sims:
        first = np.asarray(start.arrays["factors"]) if start else None
        iterations = WARM_ITERATIONS if start else ITERATIONS
        factors, described = _described(prepared, factorise(events.matrix(), DEFAULT_FACTORS, iterations, options.seed, first))
        arrays |= {"factors": factors, "unit_factors": _unit(factors), "described": described}
    facts = {"blend": blend.to_json(), "options": offered, "discount": discount}
    return RelatedModel(options.recipe, prepared.item_ids, arrays, facts)


def _offered(prepared: Prepared, sims: bool, discount: float) -> dict[str, tuple[float | None, ...]]:
    """The parts and settings to choose from. A discount that somebody has set is the one of all pairs."""
    names = _OF_SIMS if sims else tuple(_SETTINGS)
    described = prepared.items is not None and len(prepared.items.columns) > 0
    return {
        name: (discount,) if name in _OF_PAIRS and discount != _COSINE else _SETTINGS[name]
        for name in names
        if described or name != "described"
    }


def _first_blend(offered: Options) -> Blend:
    """What FIRST says of what is offered; of a part whose setting is not offered the one that is."""
    weights = {name: FIRST[name][0] for name in offered}
    settings = {name: FIRST[name][1] if FIRST[name][1] in some else some[0] for name, some in offered.items()}
    return Blend({**weights, AGAIN: SUPPRESS}, {**settings, AGAIN: None})


def _described(prepared: Prepared, factors: Scores) -> tuple[Scores, Scores]:
    """Factors in which those of cold items (fewer than 5 interactions) are by metadata; and those that metadata predict."""
    counts = np.bincount(prepared.events.items, minlength=prepared.events.n_items)
    columns = prepared.items.columns if prepared.items is not None else {}
    described = item_features(Features.of(columns), prepared.items, prepared.item_ids)
    warm = counts >= COLD_ITEM
    predicted = described @ ridge_map(described[warm], factors[warm], counts[warm])
    return np.where(warm[:, None], factors, predicted), np.asarray(predicted, np.float32)


def _unit(factors: Scores) -> Scores:
    lengths = np.linalg.norm(factors, axis=1, keepdims=True)
    return np.asarray(factors / np.maximum(lengths, 1e-9), np.float32)
