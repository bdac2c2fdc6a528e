"""The recipes: their training and the models that come out of it."""

from personalize_emulator.recipes.model import Model, Query
from personalize_emulator.recipes.options import TrainingFailed, TrainingOptions
from personalize_emulator.recipes.training import TrainingResult, train

__all__ = ["Model", "Query", "TrainingFailed", "TrainingOptions", "TrainingResult", "train"]
