"""The environment of each function: written by its stack, read once by its handler, from the same class.

A field `catalogue_table` is the variable `CATALOGUE_TABLE`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Self


@dataclass(frozen=True)
class Environment:
    """The variables that a function has of its own, beside those that all have."""

    @classmethod
    def read(cls, variables: Mapping[str, str] = os.environ) -> Self:
        """The environment of this process. Raises KeyError with the name of a variable that is not there."""
        return cls(**{field.name: variables[field.name.upper()] for field in fields(cls)})

    def variables(self) -> dict[str, str]:
        return {name.upper(): value for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Recommend(Environment):
    batch_lists_table: str
    catalogue_table: str
    data_bucket: str
    deployment_parameter: str
    erasures_table: str
    event_stream: str
    recent_items_table: str
    rules_parameter: str
