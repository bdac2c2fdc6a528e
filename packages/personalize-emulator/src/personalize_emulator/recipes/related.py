"""SIMS and Similar-Items: which items go together with a given one?

SIMS counts the users that two items share (item-to-item collaborative filtering: Linden, Smith and York, IEEE
Internet Computing 2003). Similar-Items adds what is near in the histories, and the closeness of the items' implicit-feedback
factors, which metadata predict for items that hardly anybody interacted with; how much each counts, each training finds out.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from personalize_emulator.recipes.blend import AGAIN, SUPPRESS, Blend, BlendedModel, Options, standardised
from personalize_emulator.recipes.events import Events, Matrix, Prepared
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
from personalize_emulator.recipes.transitions import follows, top_per_row, weighed_down, without_diagonal
from personalize_rules.recipes import RECIPES

_NEIGHBOURS = 200
LONGEST_HISTORY = 200
_SHRINKAGE = 20.0
_ITEMS_PER_BLOCK = 512
_PARTS = ("together", "around", "interest", "alike")
FIRST = {"together": 1.0, "around": 1.0, "interest": 0.5, "alike": 0.25}


class RelatedModel(BlendedModel):
    """Scores every item for the item of a query; an unknown item gets the popular ones."""

    @property
    def options(self) -> Options:
        return dict.fromkeys(("together",) if "factors" not in self.arrays else _PARTS, (None,))

    def asked(self, query: Query) -> tuple[Callable[[str, float | None], Scores], NDArray[np.int64]]:
        row = self.index[query.item_id or ""]
        return partial(self._part, row=row), np.array([row])

    def _part(self, name: str, fading: float | None, row: int) -> Scores:
        factors = self.arrays.get("factors")
        if name == "alike":
            return standardised(np.asarray(self.arrays["unit_factors"] @ self.arrays["unit_factors"][row]))
        if name == "interest" and factors is not None:
            return standardised(np.asarray(factors @ factors[row]))
        rows, items, values = (self.arrays[f"{name}_{part}"] for part in ("rows", "items", "values"))
        scores = np.zeros(len(self.item_ids), np.float32)
        span = slice(rows[row], rows[row + 1])
        scores[items[span]] = values[span]
        return standardised(scores)

    def scores(self, query: Query) -> Scores:
        row = self.index.get(query.item_id or "", -1)
        popular = self.arrays["popularity"]
        rows = self.arrays["together_rows"]
        if row < 0 or ("factors" not in self.arrays and rows[row] == rows[row + 1]):
            return np.array(popular)
        scores = self.blended(query)
        if "factors" not in self.arrays:
            scores = np.where(np.isfinite(popular), scores + popular * np.float32(1e-9), popular)
        scores[row] = -np.inf
        return np.asarray(scores, np.float32)


def fit(prepared: Prepared, options: TrainingOptions, start: RelatedModel | None = None) -> RelatedModel:
    events = prepared.events
    parameters = {**RECIPES["aws-sims"].defaults, **options.hyperparameters}
    sims = options.recipe == "aws-sims"
    discount = float(parameters["popularity_discount_factor"]) if sims else 0.5
    least = int(parameters["min_cointeraction_count"]) if sims else 1
    arrays = {
        **_arrays("together", _together(events, discount, least, 0.0 if sims else _SHRINKAGE)),
        "popularity": popularity_scores(events),
    }
    if not sims:
        first = np.asarray(start.arrays["factors"]) if start else None
        iterations = WARM_ITERATIONS if start else ITERATIONS
        factors = _described(prepared, factorise(events.matrix(), DEFAULT_FACTORS, iterations, options.seed, first))
        arrays |= {"factors": factors, "unit_factors": _unit(factors), **_arrays("around", _around(events))}
    names = ("together",) if sims else _PARTS
    first_blend = Blend({**{name: FIRST[name] for name in names}, AGAIN: SUPPRESS}, dict.fromkeys((*names, AGAIN)))
    facts = {"blend": (start.blend if start else first_blend).to_json()}
    return RelatedModel(options.recipe, prepared.item_ids, arrays, facts)


def _around(events: Events) -> Matrix:
    """Items x items: how much more than by its popularity an item is near another in the histories, before or after it."""
    counts = without_diagonal(follows(events).counts)
    return weighed_down(sparse.csr_array(counts + counts.T), _NEIGHBOURS)


def _arrays(name: str, matrix: Matrix) -> dict[str, NDArray[Any]]:
    return {f"{name}_values": matrix.data, f"{name}_items": matrix.indices, f"{name}_rows": matrix.indptr}


def _together(events: Events, discount: float, least: int, shrinkage: float) -> Matrix:
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
    for begin in range(0, events.n_items, _ITEMS_PER_BLOCK):
        block = sparse.csr_array(by_item[begin : begin + _ITEMS_PER_BLOCK] @ matrix)
        rows = np.repeat(np.arange(begin, begin + block.shape[0]), np.diff(block.indptr))
        enough = (block.data >= max(1, least)) & (rows != block.indices)
        divisor = np.sqrt(users[rows]) * users[block.indices] ** discount + shrinkage
        block.data = np.where(enough, block.data / divisor, 0).astype(np.float32)
        block.eliminate_zeros()
        blocks.append(top_per_row(block, _NEIGHBOURS))
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
