"""The use cases of domain dataset groups, which a recommender names as its recipe.

docs: personalize/latest/dg/domain-use-cases.html.
"""

from __future__ import annotations

from typing import Literal

from personalize_rules.recipes.custom import TREND
from personalize_rules.recipes.recipe import Family, Recipe, RecipeType
from personalize_rules.schemas import Domain


def _use_case(
    name: str,
    domain: Domain,
    type_: RecipeType,
    family: Family,
    description: str,
    required_inputs: tuple[Literal["userId", "itemId"], ...],
    event_types: tuple[str, ...] = (),
    drops: tuple[str, ...] = (),
) -> Recipe:
    personal = family == "personalization"
    return Recipe(
        name,
        type_,
        family,
        description,
        name,
        name,
        TREND if family == "trending" else (),
        realtime=personal,
        batch=False,
        auto_update=personal or family == "trending",
        promotions=True,
        exploration=personal,
        required_inputs=required_inputs,
        domain=domain,
        event_types=event_types,
        drops=drops,
    )


USE_CASES = (
    _use_case(
        "aws-ecomm-popular-items-by-views",
        "ECOMMERCE",
        "POPULAR_ITEMS",
        "popularity",
        "The most viewed items.",
        ("userId",),
        ("View",),
    ),
    _use_case(
        "aws-ecomm-popular-items-by-purchases",
        "ECOMMERCE",
        "POPULAR_ITEMS",
        "popularity",
        "The most purchased items.",
        ("userId",),
        ("Purchase",),
    ),
    _use_case(
        "aws-ecomm-frequently-bought-together",
        "ECOMMERCE",
        "RELATED_ITEMS",
        "related",
        "Items that are bought together with a given item.",
        ("itemId",),
        ("Purchase",),
    ),
    _use_case(
        "aws-ecomm-customers-who-viewed-x-also-viewed",
        "ECOMMERCE",
        "RELATED_ITEMS",
        "related",
        "Items that customers viewed who viewed a given item.",
        ("userId", "itemId"),
        ("View",),
        ("Purchase",),
    ),
    _use_case(
        "aws-ecomm-recommended-for-you",
        "ECOMMERCE",
        "USER_PERSONALIZATION",
        "personalization",
        "Items for a user, without those already purchased.",
        ("userId",),
        (),
        ("Purchase",),
    ),
    _use_case(
        "aws-vod-because-you-watched-x",
        "VIDEO_ON_DEMAND",
        "RELATED_ITEMS",
        "related",
        "Videos that other users watched who watched a given video.",
        ("userId", "itemId"),
        (),
        ("Watch",),
    ),
    _use_case(
        "aws-vod-more-like-x",
        "VIDEO_ON_DEMAND",
        "RELATED_ITEMS",
        "related",
        "Videos similar to a given video.",
        ("userId", "itemId"),
        (),
        ("Watch",),
    ),
    _use_case(
        "aws-vod-most-popular",
        "VIDEO_ON_DEMAND",
        "POPULAR_ITEMS",
        "popularity",
        "The most watched videos.",
        ("userId",),
        ("Watch",),
    ),
    _use_case(
        "aws-vod-trending-now",
        "VIDEO_ON_DEMAND",
        "POPULAR_ITEMS",
        "trending",
        "Videos that are becoming popular faster than others.",
        (),
        ("Watch",),
    ),
    _use_case(
        "aws-vod-top-picks",
        "VIDEO_ON_DEMAND",
        "USER_PERSONALIZATION",
        "personalization",
        "Videos for a user, without those already watched.",
        ("userId",),
        (),
        ("Watch",),
    ),
)
