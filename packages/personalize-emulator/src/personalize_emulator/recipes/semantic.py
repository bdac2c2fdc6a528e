"""Semantic-Similarity: items whose text is close, by the cosine of TF-IDF vectors (Salton and Buckley, 1988).

The service compares embeddings of a language model; the words in common are what can be had without one.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from personalize_emulator.datasets.tables import Entities, TrainingData
from personalize_emulator.metrics import coverage
from personalize_emulator.recipes.events import Events, Matrix, created_at, first_interactions
from personalize_emulator.recipes.model import Model, Query, Scores, best, object_array
from personalize_emulator.recipes.options import TrainingFailed, TrainingOptions
from personalize_emulator.recipes.text import textual_columns, tf_idf

_SAMPLE = 500
_LONGEST = 25


class SemanticModel(Model):
    """Scores by closeness of text; an unknown item gets the popular ones."""

    @cached_property
    def _by_word(self) -> Matrix:
        parts = (self.arrays["word_values"], self.arrays["word_items"], self.arrays["word_rows"])
        return sparse.csr_array(parts, shape=(len(parts[2]) - 1, len(self.item_ids)), copy=False)

    def scores(self, query: Query) -> Scores:
        return self.influenced(query, {})

    def influenced(self, query: Query, influence: Mapping[str, Any]) -> Scores:
        """influence: the campaign's rankingInfluence, {"POPULARITY": 0..1, "FRESHNESS": 0..1}."""
        row = self.index.get(query.item_id or "", -1)
        scores = np.array(self.arrays["popularity"]) if row < 0 else self.similarity(row)
        for name in ("popularity", "freshness"):
            weight = float(influence.get(name.upper(), 0.0))
            if weight:
                scores += np.float32(weight) * self.arrays[name]
        if row >= 0:
            scores[row] = -np.inf
        return scores

    def similarity(self, row: int) -> Scores:
        """Cosine of the text of one item with all."""
        begin, end = self.arrays["text_rows"][row : row + 2]
        words, weights = self.arrays["text_words"][begin:end], self.arrays["text_values"][begin:end]
        table = self._by_word
        scores = np.zeros(len(self.item_ids), np.float32)
        for word, weight in zip(words, weights, strict=True):
            span = slice(table.indptr[word], table.indptr[word + 1])
            scores[table.indices[span]] += weight * table.data[span]
        return scores

    def update(self, data: TrainingData) -> "SemanticModel":
        return _fit(data, self.recipe)


def train(data: TrainingData, options: TrainingOptions) -> tuple[SemanticModel, dict[str, float]]:
    """The model, and how popular, new and similar its first 25 are on the mean."""
    model = _fit(data, options.recipe)
    size = len(model.item_ids)
    sample = np.random.default_rng(options.seed).permutation(size)[:_SAMPLE]
    lists = [best(model.scores(Query(item_id=model.item_ids[row])), _LONGEST) for row in sample]
    # Guess: the names of the metrics of Semantic-Similarity: `item_popularity`, `item_freshness`, `item_similarity`.
    similar = [model.similarity(row)[chosen].mean() for row, chosen in zip(sample, lists, strict=True)]
    return model, {
        "coverage": coverage(lists, size),
        "item_popularity": float(np.mean([model.arrays["popularity"][chosen].mean() for chosen in lists])),
        "item_freshness": float(np.mean([model.arrays["freshness"][chosen].mean() for chosen in lists])),
        "item_similarity": float(np.mean(similar)),
    }


def _fit(data: TrainingData, recipe: str) -> SemanticModel:
    items = data.items
    if items is None or items.item_name is None or not textual_columns(items):
        raise TrainingFailed("The recipe needs an Items dataset with an itemName field and a textual field")
    if len(items.ids) < 2:
        raise TrainingFailed("The Items dataset has fewer than 2 items")
    ids = object_array([str(i) for i in items.ids])
    text = tf_idf(items, [items.item_name, *textual_columns(items)]).weights
    words = sparse.csr_array(text.T)
    events = _events(data, items)
    counts = np.log1p(np.bincount(events.items, minlength=len(ids)))
    created = created_at(first_interactions(events), ids, items)
    arrays = {
        "text_values": text.data,
        "text_words": text.indices,
        "text_rows": text.indptr,
        "word_values": words.data,
        "word_items": words.indices,
        "word_rows": words.indptr,
        "popularity": (counts / max(float(counts.max()), 1.0)).astype(np.float32),
        "freshness": (np.searchsorted(np.sort(created), created, side="right") / len(ids)).astype(np.float32),
    }
    return SemanticModel(recipe, ids, arrays, {})


def _events(data: TrainingData, items: Entities) -> Events:
    """The interactions with items of the dataset."""
    table = data.interactions
    positions = np.fromiter((items.index.get(i, -1) for i in table.item_ids), np.int32, len(table.item_ids))
    chosen = positions[table.items] if len(table.items) else np.empty(0, np.int32)
    keep = np.flatnonzero(chosen >= 0)
    ones = np.ones(len(keep), np.float32)
    users = len(table.user_ids)
    return Events(table.users[keep], chosen[keep], table.timestamps[keep], ones, keep, users, len(items.ids))
