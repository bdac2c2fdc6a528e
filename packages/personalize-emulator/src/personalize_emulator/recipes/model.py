"""What every trained model is: something that scores the ids it ranks, and that lives in a directory."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from personalize_emulator.datasets.tables import History, TrainingData
from personalize_emulator.errors import OutdatedModel

Scores = NDArray[np.float32]
#: Of the saved files: another one whenever a recipe keeps other arrays or facts.
_FORMAT = 2


@dataclass(frozen=True)
class Query:
    """One question to a model.

    history: the user's events now, oldest first. attributes: the user's row of the Users dataset.
    context: contextual metadata of the request, by Interactions column. now: epoch seconds.
    """

    user_id: str | None = None
    item_id: str | None = None
    history: History | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    context: Mapping[str, str] = field(default_factory=dict)
    now: float = 0.0


class Model(ABC):
    """A trained recommender.

    Arrays are kept as .npy files and mapped into memory on load, so that processes share them and loading
    takes milliseconds; everything else is in `model.json`.
    """

    _registry: ClassVar[dict[str, type["Model"]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        Model._registry[cls.__name__] = cls

    def __init__(
        self,
        recipe: str,
        item_ids: NDArray[np.object_],
        arrays: Mapping[str, NDArray[Any]],
        facts: dict[str, Any],
    ) -> None:
        self.recipe = recipe
        self.item_ids = item_ids
        self.arrays = arrays
        self.facts = facts
        self.index: dict[str, int] = {item: position for position, item in enumerate(item_ids)}

    @property
    def ranked_ids(self) -> NDArray[np.object_]:
        """The ids that `scores` ranks, in its order: items, or users (segments), or actions."""
        return self.item_ids

    @property
    def temperature(self) -> float:
        """By what scores are divided before they become shares of 1."""
        return 1.0

    @abstractmethod
    def scores(self, query: Query) -> Scores:
        """One score per ranked id, higher is better; -inf marks what is never recommended."""

    def update(self, data: TrainingData) -> "Model":
        """The model after an automatic update: knows the items of `data`. Only for recipes with auto_update."""
        return self

    def save(self, directory: Path) -> None:
        """Write the model to a directory that is created; an existing file of the same name is replaced."""
        directory.mkdir(parents=True, exist_ok=True)
        for name, array in self.arrays.items():
            np.save(directory / f"{name}.npy", array)
        document = {
            "format": _FORMAT,
            "kind": type(self).__name__,
            "recipe": self.recipe,
            "facts": self.facts,
            "arrays": list(self.arrays),
            "item_ids": self.item_ids.tolist(),
        }
        (directory / "model.json").write_text(json.dumps(document))

    @staticmethod
    def load(directory: Path) -> "Model":
        """The model that `save` wrote there. Raises OutdatedModel if that was another release."""
        document = json.loads((directory / "model.json").read_text())
        if document.get("format") != _FORMAT:
            raise OutdatedModel(
                "This solution version was trained by another release of the emulator: create a new one of the same solution."
            )
        arrays = {name: np.asarray(np.load(directory / f"{name}.npy", mmap_mode="r")) for name in document["arrays"]}
        kind = Model._registry[document["kind"]]
        return kind(document["recipe"], object_array(document["item_ids"]), arrays, document["facts"])


def object_array(values: list[str]) -> NDArray[np.object_]:
    """A one-dimensional array of Python strings."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def best(scores: NDArray[np.floating], length: int) -> NDArray[np.int64]:
    """Positions of the greatest scores, best first; those at -inf are left out. Ties keep their order."""
    if length <= 0:
        return np.empty(0, np.int64)
    chosen = np.flatnonzero(scores > -np.inf)
    values = scores[chosen]
    if length < len(values):
        least = np.partition(values, len(values) - length)[len(values) - length]
        kept = np.flatnonzero(values >= least)
        chosen, values = chosen[kept], values[kept]
    return chosen[np.argsort(-values, kind="stable")][:length]
