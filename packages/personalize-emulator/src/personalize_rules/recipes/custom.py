"""The recipes of custom dataset groups.

docs: personalize/latest/dg/working-with-predefined-recipes.html, use-case-recipe-features.html and the native-recipe-* pages.
"""

from __future__ import annotations

from personalize_rules.recipes.recipe import HyperParameter, Recipe

_RECENCY_BIAS = (HyperParameter("apply_recency_bias", "true", "categorical", values=("true", "false")),)
_HRNN = (
    HyperParameter("hidden_dimension", "149", "integer", 32, 256, tunable=True),
    HyperParameter("bptt", "32", "integer", 2, 32, tunable=True),
    HyperParameter("recency_mask", "true", "categorical", values=("true", "false"), tunable=True),
)
_HISTORY_LENGTH = (
    HyperParameter("min_user_history_length_percentile", "0.0", "continuous", 0.0, 1.0),
    HyperParameter("max_user_history_length_percentile", "0.99", "continuous", 0.0, 1.0),
)
_SIMS = (
    HyperParameter("popularity_discount_factor", "0.5", "continuous", 0.0, 1.0, tunable=True),
    HyperParameter("min_cointeraction_count", "3", "integer", 0, 10, tunable=True),
)
_SIMS_FEATURES = (
    HyperParameter("min_user_history_length_percentile", "0.005", "continuous", 0.0, 1.0),
    HyperParameter("max_user_history_length_percentile", "0.995", "continuous", 0.0, 1.0),
    HyperParameter("min_item_interaction_count_percentile", "0.01", "continuous", 0.0, 1.0),
    HyperParameter("max_item_interaction_count_percentile", "0.9", "continuous", 0.0, 1.0),
)
_SIMILAR_ITEMS = (
    HyperParameter("item_id_hidden_dim", "100", "integer", 30, 200, tunable=True),
    HyperParameter("item_metadata_hidden_dim", "100", "integer", 30, 200, tunable=True),
)
_AFFINITY = (HyperParameter("hidden_dimension", "149", "integer", 32, 256),)
TREND = (
    HyperParameter(
        "trend_discovery_frequency",
        "2 hours",
        "categorical",
        values=("30 minutes", "1 hour", "2 hours", "3 hours", "1 day"),
    ),
)
_ACTION_PERIOD = (HyperParameter("action_optimization_period", "14", "integer", 7, 28),)
_PERCENTILES = "JSON-percentile-filtering"

CUSTOM_RECIPES = (
    Recipe(
        "aws-user-personalization-v2",
        "USER_PERSONALIZATION",
        "personalization",
        "Predicts the items a user will interact with, from the user's recent behaviour and metadata.",
        "aws-user-personalization-v2",
        "aws-user-personalization-v2",
        _RECENCY_BIAS,
        realtime=True,
        auto_update=True,
        promotions=True,
        scores=True,
        reasons=True,
        metadata="default",
        events_config=True,
        objective=True,
        required_inputs=("userId",),
    ),
    Recipe(
        "aws-user-personalization",
        "USER_PERSONALIZATION",
        "personalization",
        "Predicts the items a user will interact with and explores new items for every user.",
        "aws-user-personalization",
        "aws-user-personalization",
        _HRNN,
        _HISTORY_LENGTH,
        realtime=True,
        auto_update=True,
        update_mode=True,
        hpo=True,
        promotions=True,
        exploration=True,
        scores=True,
        objective=True,
        required_inputs=("userId",),
    ),
    Recipe(
        "aws-personalized-ranking-v2",
        "PERSONALIZED_RANKING",
        "personalization",
        "Ranks a given list of items for a user, from the user's recent behaviour and metadata.",
        "aws-personalized-ranking-v2",
        "aws-personalized-ranking-v2",
        _RECENCY_BIAS,
        realtime=True,
        scores=True,
        metadata="default",
        events_config=True,
        objective=True,
        required_inputs=("userId",),
    ),
    Recipe(
        "aws-personalized-ranking",
        "PERSONALIZED_RANKING",
        "personalization",
        "Ranks a given list of items for a user.",
        "aws-personalized-ranking",
        _PERCENTILES,
        _HRNN,
        _HISTORY_LENGTH,
        realtime=True,
        hpo=True,
        scores=True,
        objective=True,
        required_inputs=("userId",),
    ),
    Recipe(
        "aws-similar-items",
        "RELATED_ITEMS",
        "related",
        "Finds items that are similar to a given item, by interactions and by item metadata.",
        "aws-similar-items",
        "aws-similar-items",
        _SIMILAR_ITEMS,
        hpo=True,
        promotions=True,
        required_inputs=("itemId",),
    ),
    Recipe(
        "aws-sims",
        "RELATED_ITEMS",
        "related",
        "Finds items that users interact with together with a given item (item-to-item collaborative filtering).",
        "aws-sims",
        "sims",
        _SIMS,
        _SIMS_FEATURES,
        hpo=True,
        promotions=True,
        required_inputs=("itemId",),
    ),
    Recipe(
        "aws-semantic-similarity",
        "RELATED_ITEMS",
        "semantic",
        "Finds items whose text is close to that of a given item.",
        "aws-semantic-similarity",
        "aws-semantic-similarity",
        auto_update=True,
        required_inputs=("itemId",),
    ),
    Recipe(
        "aws-popularity-count",
        "USER_PERSONALIZATION",
        "popularity",
        "Gives the items that most distinct users interacted with; the same list for all users.",
        "aws-popularity-count",
        "sims",
        promotions=True,
    ),
    Recipe(
        "aws-trending-now",
        "POPULAR_ITEMS",
        "trending",
        "Gives the items whose interactions rise fastest.",
        "aws-trending-now-custom",
        "aws-trending-now",
        feature_parameters=TREND,
        batch=False,
        auto_update=True,
        promotions=True,
    ),
    Recipe(
        "aws-next-best-action",
        "PERSONALIZED_ACTIONS",
        "actions",
        "Predicts how likely a user is to take each action.",
        "aws-next-best-action",
        "aws-next-best-action",
        feature_parameters=_ACTION_PERIOD,
        realtime=True,
        batch=False,
        auto_update=True,
        scores=True,
        required_inputs=("userId",),
    ),
    Recipe(
        "aws-item-affinity",
        "USER_SEGMENTATION",
        "affinity",
        "Gives the users with most interest in a given item.",
        "aws-item-affinity",
        "aws-item-affinity",
        _AFFINITY,
        required_inputs=("itemId",),
    ),
    Recipe(
        "aws-item-attribute-affinity",
        "USER_SEGMENTATION",
        "attributes",
        "Gives the users with most interest in items of given attributes.",
        "aws-item-attribute-affinity",
        "aws-item-attribute-affinity",
        _AFFINITY,
    ),
)
