"""What the product must know of each recipe of Amazon Personalize before it calls the service.

docs: personalize/latest/dg/working-with-predefined-recipes.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RecipeType = Literal["USER_PERSONALIZATION", "PERSONALIZED_RANKING", "RELATED_ITEMS", "POPULAR_ITEMS", "USER_SEGMENTATION"]


@dataclass(frozen=True)
class Recipe:
    """`type` decides what a call needs: a user, a user and a list of items, an item, or nothing."""

    type: RecipeType
    campaign: bool = True
    event_weights: bool = False
    exploration_weight: bool = False
    update_training: bool = False
    batch: bool = True


RECIPES: dict[str, Recipe] = {
    "aws-user-personalization-v2": Recipe("USER_PERSONALIZATION", event_weights=True),
    "aws-user-personalization": Recipe("USER_PERSONALIZATION", exploration_weight=True, update_training=True),
    "aws-personalized-ranking-v2": Recipe("PERSONALIZED_RANKING", event_weights=True),
    "aws-personalized-ranking": Recipe("PERSONALIZED_RANKING"),
    "aws-similar-items": Recipe("RELATED_ITEMS"),
    "aws-sims": Recipe("RELATED_ITEMS"),
    "aws-semantic-similarity": Recipe("RELATED_ITEMS"),
    "aws-popularity-count": Recipe("POPULAR_ITEMS"),
    "aws-trending-now": Recipe("POPULAR_ITEMS", batch=False),
    "aws-item-affinity": Recipe("USER_SEGMENTATION", campaign=False),
    "aws-item-attribute-affinity": Recipe("USER_SEGMENTATION", campaign=False),
}


def recipe_arn(recipe: str) -> str:
    """Recipes are the service's own: their ARNs have neither region nor account."""
    return f"arn:aws:personalize:::recipe/{recipe}"
