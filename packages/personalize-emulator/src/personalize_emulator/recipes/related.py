"""SIMS and Similar-Items: which items go together with a given one?

SIMS counts the users that two items share (item-to-item collaborative filtering: Linden, Smith and York, IEEE
Internet Computing 2003). Similar-Items adds the closeness of the items' implicit-feedback factors, which
metadata predict for items that hardly anybody interacted with.
"""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from personalize_emulator.recipes.events import Events, Matrix, Prepared
from personalize_emulator.recipes.factors import factorise, ridge_map
from personalize_emulator.recipes.features import Features
from personalize_emulator.recipes.model import Model, Query, Scores
from personalize_emulator.recipes.options import TrainingOptions
from personalize_emulator.recipes.personalization import (
    COLD_ITEM,
    DEFAULT_FACTORS,
    ITERATIONS,
    WARM_ITERATIONS,
    item_features,
)
from personalize_emulator.recipes.popularity import popularity_scores
from personalize_emulator.recipes.transitions import top_per_row
from personalize_rules.recipes import RECIPES

NEIGHBOURS = 200
LONGEST_HISTORY = 200
SHRINKAGE = 20.0
ITEMS_PER_BLOCK = 512


class RelatedModel(Model):
    """Scores every item for the item of a query; an unknown item gets the popular ones."""

    @cached_property
    def _neighbours(self) -> Matrix:
        parts = (self.arrays["near_values"], self.arrays["near_items"], self.arrays["near_rows"])
        size = len(self.item_ids)
        return sparse.csr_array(parts, shape=(size, size), copy=False)

    def scores(self, query: Query) -> Scores:
        row = self.index.get(query.item_id or "", -1)
        near = self._neighbours
        begin, end = (near.indptr[row], near.indptr[row + 1]) if row >= 0 else (0, 0)
        popular = self.arrays["popularity"]
        factors = self.arrays.get("unit_factors")
        if row < 0 or (begin == end and factors is None):
            return np.array(popular)
        if factors is None:
            scores = np.where(np.isfinite(popular), popular * np.float32(1e-9), popular)
        else:
            scores = np.asarray(factors @ factors[row])
        scores[near.indices[begin:end]] += near.data[begin:end]
        scores[row] = -np.inf
        return np.asarray(scores, np.float32)


def fit(prepared: Prepared, options: TrainingOptions, start: RelatedModel | None = None) -> RelatedModel:
    events = prepared.events
    parameters = {**RECIPES["aws-sims"].defaults, **options.hyperparameters}
    sims = options.recipe == "aws-sims"
    discount = float(parameters["popularity_discount_factor"]) if sims else 0.5
    least = int(parameters["min_cointeraction_count"]) if sims else 1
    near = together(events, discount, least, 0.0 if sims else SHRINKAGE)
    arrays = {
        "near_values": near.data,
        "near_items": near.indices,
        "near_rows": near.indptr,
        "popularity": popularity_scores(events),
    }
    if not sims:
        first = np.asarray(start.arrays["factors"]) if start else None
        iterations = WARM_ITERATIONS if start else ITERATIONS
        factors = factorise(events.matrix(), DEFAULT_FACTORS, iterations, options.seed, first)
        arrays["factors"] = factors
        arrays["unit_factors"] = _unit(_described(prepared, factors))
    return RelatedModel(options.recipe, prepared.item_ids, arrays, {})


def together(events: Events, discount: float, least: int, shrinkage: float) -> Matrix:
    """Items x items: users in common over sqrt(users of the one) and users of the other to the `discount`.

    Pairs with fewer than `least` common users are dropped; the best 200 of each row are kept. Only the newest
    200 events of a user count: very long histories say little and cost the square of their length.
    """
    ends = np.cumsum(events.lengths())
    recent = events.where(np.arange(len(events)) >= (ends - LONGEST_HISTORY)[events.users])
    matrix = recent.matrix()
    matrix.data = np.ones_like(matrix.data)
    users = np.asarray(matrix.sum(axis=0)).ravel()
    by_item = sparse.csr_array(matrix.T)
    blocks = []
    for begin in range(0, events.n_items, ITEMS_PER_BLOCK):
        block = sparse.csr_array(by_item[begin : begin + ITEMS_PER_BLOCK] @ matrix)
        rows = np.repeat(np.arange(begin, begin + block.shape[0]), np.diff(block.indptr))
        enough = (block.data >= max(1, least)) & (rows != block.indices)
        divisor = np.sqrt(users[rows]) * users[block.indices] ** discount + shrinkage
        block.data = np.where(enough, block.data / divisor, 0).astype(np.float32)
        block.eliminate_zeros()
        blocks.append(top_per_row(block, NEIGHBOURS))
    return sparse.csr_array(sparse.vstack(blocks, format="csr"))


def _described(prepared: Prepared, factors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Factors in which those of cold items (fewer than 5 interactions) come from the metadata."""
    counts = np.bincount(prepared.events.items, minlength=prepared.events.n_items)
    columns = prepared.items.columns if prepared.items is not None else {}
    described = item_features(Features.of(columns), prepared.items, prepared.item_ids)
    warm = counts >= COLD_ITEM
    predicted = described @ ridge_map(described[warm], factors[warm], counts[warm])
    return np.where(warm[:, None], factors, predicted)


def _unit(factors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(factors, axis=1, keepdims=True)
    return np.asarray(factors / np.maximum(lengths, 1e-9), np.float32)
