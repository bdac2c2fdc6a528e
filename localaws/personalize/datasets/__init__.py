"""Datasets of a dataset group: bulk imports, individual records, and the tables made of both."""

from localaws.personalize.datasets.csv_files import ImportFailed
from localaws.personalize.datasets.store import DatasetStore
from localaws.personalize.datasets.tables import (
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
]
