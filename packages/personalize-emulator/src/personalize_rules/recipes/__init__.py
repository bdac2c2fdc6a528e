"""All recipes and use cases by name: what each takes, needs and gives."""

from __future__ import annotations

from collections.abc import Mapping

from personalize_rules.recipes.custom import CUSTOM_RECIPES
from personalize_rules.recipes.recipe import HyperParameter, Recipe
from personalize_rules.recipes.use_cases import USE_CASES

__all__ = ["RECIPES", "HyperParameter", "Recipe", "recipe_of"]

RECIPES: Mapping[str, Recipe] = {recipe.name: recipe for recipe in CUSTOM_RECIPES + USE_CASES}


def recipe_of(arn_or_name: str) -> Recipe | None:
    """The recipe of an ARN (any partition) or of a bare name; None if there is no such recipe."""
    return RECIPES.get(arn_or_name.rsplit("/", 1)[-1])
