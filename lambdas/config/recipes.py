"""The recipes of Amazon Personalize that placements, batches and segments can be made with."""

from __future__ import annotations

from personalize_rules import recipes
from personalize_rules.recipes import Recipe

__all__ = ["RECIPES", "Recipe", "recipe_arn"]

#: Actions have no dataset here, and use cases belong to another kind of dataset group.
RECIPES: dict[str, Recipe] = {
    name: recipe for name, recipe in recipes.RECIPES.items() if recipe.domain is None and recipe.type != "PERSONALIZED_ACTIONS"
}


def recipe_arn(recipe: str) -> str:
    """Recipes are the service's own: their ARNs have neither region nor account."""
    return RECIPES[recipe].arn
