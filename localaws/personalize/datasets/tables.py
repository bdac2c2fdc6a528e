"""The tables that training, scoring and filtering read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from localaws.personalize.schemas import Kind

ColumnKind = Literal["number", "categorical", "textual", "string", "boolean"]


class Column:
    """One column of a table, a value per row.

    `values` is float64 with nan for null (number, boolean), or an object array of `str | None` in which several
    categories of one cell stay joined by "|". Text columns are also to be had as `codes` into a `vocabulary`
    (-1 is null), which is how they are stored: work on the vocabulary, then index with the codes.
    """

    def __init__(
        self,
        kind: ColumnKind,
        values: NDArray[Any] | None = None,
        *,
        codes: NDArray[np.int32] | None = None,
        vocabulary: Sequence[str] = (),
    ) -> None:
        if (values is None) == (codes is None):
            raise ValueError("a column is given either by its values or by its codes")
        self.kind = kind
        if values is not None:
            self.__dict__["values"] = values
        else:
            self.__dict__["_coded"] = (codes, list(vocabulary))

    @property
    def is_text(self) -> bool:
        return self.kind not in ("number", "boolean")

    @cached_property
    def values(self) -> NDArray[Any]:
        codes, vocabulary = self._coded
        return np.array([*vocabulary, None], dtype=object)[codes]

    @cached_property
    def _coded(self) -> tuple[NDArray[np.int32], list[str]]:
        if not self.is_text:
            raise TypeError(f"a {self.kind} column has no vocabulary")
        positions: dict[str | None, int] = {None: -1}
        codes = np.empty(len(self.values), dtype=np.int32)
        for row, value in enumerate(self.values):
            codes[row] = positions.setdefault(value, len(positions) - 1)
        return codes, [text for text in positions if text is not None]

    @property
    def codes(self) -> NDArray[np.int32]:
        return self._coded[0]

    @property
    def vocabulary(self) -> list[str]:
        return self._coded[1]

    def __len__(self) -> int:
        return len(self.__dict__["values"]) if "values" in self.__dict__ else len(self.codes)

    def take(self, rows: NDArray[Any]) -> Column:
        """The column at these rows, in this order (positions or a boolean mask)."""
        if self.is_text:
            return Column(self.kind, codes=self.codes[rows], vocabulary=self.vocabulary)
        return Column(self.kind, self.values[rows])


@dataclass
class Entities:
    """The current Items, Users or Actions: the newest record of each id, without the id column."""

    kind: Kind
    ids: NDArray[Any]
    columns: dict[str, Column]
    version: int = 0

    @cached_property
    def index(self) -> Mapping[str, int]:
        """The row of each id."""
        return {identifier: row for row, identifier in enumerate(self.ids)}

    def __len__(self) -> int:
        return len(self.ids)


@dataclass
class Interactions:
    """Interactions (or action interactions, whose item is an action), sorted by user, then time; stable.

    `users` and `items` are positions in `user_ids` and `item_ids`. `event_types` are positions in
    `event_type_names`, -1 where the schema has no EVENT_TYPE. `timestamps` are seconds. `columns` holds all other
    columns of the schema: contextual metadata, IMPRESSION, RECOMMENDATION_ID, EVENT_ATTRIBUTION_SOURCE.
    """

    user_ids: NDArray[Any]
    item_ids: NDArray[Any]
    users: NDArray[np.int32]
    items: NDArray[np.int32]
    timestamps: NDArray[np.int64]
    event_types: NDArray[np.int16]
    event_type_names: list[str]
    event_values: NDArray[np.float32]
    columns: dict[str, Column] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.timestamps)


@dataclass
class TrainingData:
    """Everything that a solution version is trained on; None for a dataset that does not exist."""

    interactions: Interactions
    items: Entities | None = None
    users: Entities | None = None
    actions: Entities | None = None
    action_interactions: Interactions | None = None


@dataclass
class History:
    """The newest events of one user, oldest first."""

    item_ids: list[str]
    timestamps: list[int]
    event_types: list[str | None]
    event_values: list[float | None]

    def __len__(self) -> int:
        return len(self.item_ids)


@dataclass(frozen=True)
class ImportCounts:
    """What an import did: rows read, rows now in the dataset's bulk data."""

    read: int
    stored: int
