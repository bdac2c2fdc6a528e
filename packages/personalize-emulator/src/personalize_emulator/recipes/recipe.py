"""What a recipe of Amazon Personalize is, as DescribeRecipe and its relatives give it."""

from dataclasses import dataclass
from typing import Literal

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
    realtime: bool = False
    """Recorded events change the next answer."""
    batch: bool = True
    auto_update: bool = False
    """The service itself keeps the newest version up to date with new items (every two hours)."""
    update_mode: bool = False
    """CreateSolutionVersion takes trainingMode UPDATE."""
    hpo: bool = False
    promotions: bool = False
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
