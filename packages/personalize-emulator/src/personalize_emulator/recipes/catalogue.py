"""All recipes and use cases by name."""

from collections.abc import Mapping

from personalize_emulator.recipes.custom_recipes import CUSTOM_RECIPES
from personalize_emulator.recipes.recipe import Recipe
from personalize_emulator.recipes.use_cases import USE_CASES

RECIPES: Mapping[str, Recipe] = {recipe.name: recipe for recipe in CUSTOM_RECIPES + USE_CASES}


def recipe_of(arn_or_name: str) -> Recipe | None:
    """The recipe of an ARN (any partition) or of a bare name; None if there is no such recipe."""
    return RECIPES.get(arn_or_name.rsplit("/", 1)[-1])
