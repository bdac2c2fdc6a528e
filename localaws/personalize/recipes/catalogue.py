"""The recipes and domain use cases of Amazon Personalize, as DescribeRecipe and its relatives give them.

docs: personalize/latest/dg/working-with-predefined-recipes.html and the native-recipe-* pages;
for domains: personalize/latest/dg/domain-use-cases.html.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from localaws.personalize.schemas import Kind

ARN_PREFIX = "arn:aws:personalize:::"
Domain = Literal["ECOMMERCE", "VIDEO_ON_DEMAND"]
RecipeType = Literal[
    "USER_PERSONALIZATION",
    "PERSONALIZED_RANKING",
    "RELATED_ITEMS",
    "POPULAR_ITEMS",
    "PERSONALIZED_ACTIONS",
    "USER_SEGMENTATION",
]
Engine = Literal["personalization", "related", "semantic", "popularity", "trending", "actions", "affinity", "attributes"]


@dataclass(frozen=True)
class HyperParameter:
    """One hyperparameter: `minimum`/`maximum` for a number, `values` for a choice; all strings on the wire."""

    name: str
    default: str
    kind: Literal["integer", "continuous", "categorical"]
    minimum: float = 0.0
    maximum: float = 0.0
    values: tuple[str, ...] = ()
    tunable: bool = False


@dataclass(frozen=True)
class Recipe:
    """A recipe (or, with `domain` set, a use case that a recommender names as its recipe)."""

    name: str
    type: RecipeType
    engine: Engine
    description: str
    algorithm: str
    feature_transformation: str
    hyperparameters: tuple[HyperParameter, ...] = ()
    feature_parameters: tuple[HyperParameter, ...] = ()
    needs: frozenset[Kind] = frozenset({"INTERACTIONS"})
    realtime: bool = False
    """Recorded events change the next answer."""
    batch: bool = True
    auto_update: bool = False
    """The service itself keeps the newest version up to date with new items (every two hours)."""
    update_mode: bool = False
    """CreateSolutionVersion takes trainingMode UPDATE."""
    hpo: bool = False
    promotions: bool = False
    context: bool = False
    exploration: bool = False
    """`itemExplorationConfig` of a campaign applies."""
    scores: bool = False
    """The answers of GetRecommendations carry scores."""
    reasons: bool = False
    metadata: Literal["default", "offered"] = "offered"
    """Whether `enableMetadataWithRecommendations` is on unless switched off."""
    events_config: bool = False
    objective: bool = False
    """`optimizationObjective` applies."""
    required_inputs: tuple[Literal["userId", "itemId"], ...] = ()
    domain: Domain | None = None
    event_types: tuple[str, ...] = ()
    """A use case trains on these event types alone."""
    drops: tuple[str, ...] = ()
    """A use case never recommends items that the user has such an event with."""

    @property
    def arn(self) -> str:
        return f"{ARN_PREFIX}recipe/{self.name}"

    @property
    def algorithm_arn(self) -> str:
        return f"{ARN_PREFIX}algorithm/{self.algorithm}"

    @property
    def feature_transformation_arn(self) -> str:
        return f"{ARN_PREFIX}feature-transformation/{self.feature_transformation}"

    @property
    def defaults(self) -> dict[str, str]:
        """Every hyperparameter, also those of the feature transformation, with its default."""
        return {p.name: p.default for p in self.hyperparameters + self.feature_parameters}


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
_TREND = (
    HyperParameter(
        "trend_discovery_frequency",
        "2 hours",
        "categorical",
        values=("30 minutes", "1 hour", "2 hours", "3 hours", "1 day"),
    ),
)
_ACTION_PERIOD = (HyperParameter("action_optimization_period", "14", "integer", 7, 28),)
_PERCENTILES = "JSON-percentile-filtering"

_CUSTOM = (
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
        context=True,
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
        context=True,
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
        context=True,
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
        context=True,
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
        needs=frozenset({"ITEMS"}),
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
        feature_parameters=_TREND,
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
        needs=frozenset({"INTERACTIONS", "ACTIONS"}),
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
        needs=frozenset({"INTERACTIONS", "ITEMS"}),
    ),
)


def _use_case(
    name: str,
    domain: Domain,
    type_: RecipeType,
    engine: Engine,
    description: str,
    required_inputs: tuple[Literal["userId", "itemId"], ...],
    event_types: tuple[str, ...] = (),
    drops: tuple[str, ...] = (),
) -> Recipe:
    personal = engine == "personalization"
    return Recipe(
        name,
        type_,
        engine,
        description,
        name,
        name,
        _TREND if engine == "trending" else (),
        realtime=personal,
        batch=False,
        auto_update=personal or engine == "trending",
        promotions=True,
        context=personal,
        exploration=personal,
        required_inputs=required_inputs,
        domain=domain,
        event_types=event_types,
        drops=drops,
    )


_USE_CASES = (
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

RECIPES: Mapping[str, Recipe] = {recipe.name: recipe for recipe in _CUSTOM + _USE_CASES}


def recipe_of(arn_or_name: str) -> Recipe | None:
    """The recipe of an ARN (any partition) or of a bare name; None if there is no such recipe."""
    return RECIPES.get(arn_or_name.rsplit("/", 1)[-1])
