"""Datasets of a dataset group: bulk imports, individual records, and the tables made of both."""

from personalize_emulator.datasets.csv_files import ImportFailed
from personalize_emulator.datasets.store import DatasetStore, fail_if
from personalize_emulator.datasets.tables import (
    Column,
    Entities,
    History,
    ImportCounts,
    Interactions,
    TrainingData,
)

__all__ = [
    "Column",
    "DatasetStore",
    "Entities",
    "History",
    "ImportCounts",
    "ImportFailed",
    "Interactions",
    "TrainingData",
    "fail_if",
]
