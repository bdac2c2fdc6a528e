"""The recipes: their catalogue, their training and the models that come out of it."""

from localaws.personalize.recipes.catalogue import RECIPES, recipe_of
from localaws.personalize.recipes.model import Model, Query
from localaws.personalize.recipes.options import TrainingFailed, TrainingOptions
from localaws.personalize.recipes.recipe import HyperParameter, Recipe
from localaws.personalize.recipes.training import TrainingResult, train

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
