"""Themes of lists of similar items: the words that the items have in common.

The service has a language model write a theme; here it is the words with the greatest mean TF-IDF over the list.
docs: personalize/latest/dg/themed-batch-recommendations.html
"""

from collections.abc import Sequence

import numpy as np

from personalize_emulator.datasets.tables import Entities
from personalize_emulator.recipes.events import rows_of
from personalize_emulator.recipes.model import best, object_array
from personalize_emulator.recipes.text import textual_columns, tf_idf

_WORDS = 3
_SHORTEST_WORD = 3


class Themes:
    """Reads the items' names, from the column that the job names, and their textual column."""

    def __init__(self, items: Entities, name_column: str) -> None:
        self._items = items
        words = tf_idf(items, [name_column, *textual_columns(items)])
        self._weights, self._vocabulary = words.weights, object_array(words.vocabulary)
        self._telling = np.array([len(word) >= _SHORTEST_WORD and not word.isdigit() for word in words.vocabulary], bool)

    def of(self, item_ids: Sequence[str]) -> tuple[str, list[float]]:
        """The theme of some items, and by how much each item belongs to it: 0 to 1."""
        rows = rows_of(self._items, object_array(list(item_ids)))
        weights = self._weights[rows[rows >= 0]]
        mean = np.asarray(weights.sum(axis=0)).ravel() / max(1, len(rows))
        chosen = best(np.where(self._telling & (mean > 0), mean, -np.inf), _WORDS)
        towards = np.zeros(len(mean))
        towards[chosen] = mean[chosen] / max(float(np.linalg.norm(mean[chosen])), 1e-9)
        relevance = np.zeros(len(rows))
        relevance[rows >= 0] = weights @ towards
        return ", ".join(self._vocabulary[chosen]).capitalize(), [round(float(value), 4) for value in relevance]
