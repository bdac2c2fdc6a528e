"""The words of items: TF-IDF vectors (Salton and Buckley, 1988)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from personalize_emulator.datasets.tables import Entities
from personalize_emulator.recipes.events import Matrix

_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class _Words:
    """weights: items x words, rows of length 1. vocabulary: the words, by column."""

    weights: Matrix
    vocabulary: list[str]


def textual_columns(items: Entities) -> list[str]:
    return [name for name, column in items.columns.items() if column.kind == "textual"]


def tf_idf(items: Entities, columns: Iterable[str]) -> _Words:
    """How much each word of these columns says about each item."""
    vocabulary: dict[str, int] = {}
    pointers, words = [0], []
    texts = [items.columns[name].values for name in columns]
    for row in range(len(items.ids)):
        text = " ".join(values[row] for values in texts if values[row] is not None)
        words += [vocabulary.setdefault(word, len(vocabulary)) for word in _WORD.findall(text.lower())]
        pointers.append(len(words))
    ones = np.ones(len(words), np.float32)
    shape = (len(items.ids), max(1, len(vocabulary)))
    counts = sparse.csr_array((ones, np.array(words, np.int32), pointers), shape=shape)
    counts.sum_duplicates()
    documents = np.bincount(counts.indices, minlength=shape[1])
    rarity = np.log((1 + shape[0]) / (1 + documents)) + 1
    counts.data = ((1 + np.log(counts.data)) * rarity[counts.indices]).astype(np.float32)
    return _Words(_unit_rows(counts), list(vocabulary))


def _unit_rows(matrix: Matrix) -> Matrix:
    squares: NDArray[Any] = np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel()
    lengths = np.sqrt(np.maximum(squares, 1e-12))
    matrix.data = (matrix.data / np.repeat(lengths, np.diff(matrix.indptr))).astype(np.float32)
    return matrix
