"""The tables that training, scoring and filtering read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from personalize_emulator.datasets.columns import Column
from personalize_rules.schemas import Kind

__all__ = ["Column", "Entities", "History", "ImportCounts", "Interactions", "TrainingData"]


LONGEST_HISTORY = 1000
"""The newest events of a user that models are told of."""


@dataclass
class Entities:
    """The current Items, Users or Actions: the newest record of each id, without the id column.

    `item_name` is the column that holds the items' names, if the schema says which.
    """

    kind: Kind
    ids: NDArray[Any]
    columns: dict[str, Column]
    version: int = 0
    item_name: str | None = None

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
    `event_type_names`, -1 where the schema has no EVENT_TYPE. `timestamps` are seconds. `columns` holds
    all other columns of the schema: contextual metadata, IMPRESSION, RECOMMENDATION_ID, EVENT_ATTRIBUTION_SOURCE.
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
