"""The recipes: their catalogue, their training and the models that come out of it."""

from personalize_emulator.recipes.catalogue import RECIPES, recipe_of
from personalize_emulator.recipes.model import Model, Query
from personalize_emulator.recipes.options import TrainingFailed, TrainingOptions
from personalize_emulator.recipes.recipe import HyperParameter, Recipe
from personalize_emulator.recipes.training import TrainingResult, train

__all__ = [
    "RECIPES",
    "HyperParameter",
    "Model",
    "Query",
    "Recipe",
    "TrainingFailed",
    "TrainingOptions",
    "TrainingResult",
    "recipe_of",
    "train",
]
