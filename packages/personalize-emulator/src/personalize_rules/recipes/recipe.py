"""What a recipe of Amazon Personalize is, as DescribeRecipe and its relatives give it, and what it takes, needs and gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from personalize_rules.schemas import Domain, Kind, Schema

_ARN_PREFIX = "arn:aws:personalize:::"
RecipeType = Literal[
    "USER_PERSONALIZATION",
    "PERSONALIZED_RANKING",
    "RELATED_ITEMS",
    "POPULAR_ITEMS",
    "PERSONALIZED_ACTIONS",
    "USER_SEGMENTATION",
]
Family = Literal["personalization", "related", "semantic", "popularity", "trending", "actions", "affinity", "attributes"]
"""Recipes that learn alike."""


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
    family: Family
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
    def campaign(self) -> bool:
        """Whether a campaign, or a recommender, answers calls in real time."""
        return self.type != "USER_SEGMENTATION"

    @property
    def same_for_all(self) -> bool:
        """Whether everybody gets the same list."""
        return self.family in ("popularity", "trending")

    @property
    def personal(self) -> bool:
        """Whether a list depends on the user for whom it is asked."""
        return self.type in ("USER_PERSONALIZATION", "PERSONALIZED_RANKING") and not self.same_for_all

    @property
    def arn(self) -> str:
        return f"{_ARN_PREFIX}recipe/{self.name}"

    @property
    def algorithm_arn(self) -> str:
        return f"{_ARN_PREFIX}algorithm/{self.algorithm}"

    @property
    def feature_transformation_arn(self) -> str:
        return f"{_ARN_PREFIX}feature-transformation/{self.feature_transformation}"

    @property
    def defaults(self) -> dict[str, str]:
        """Every hyperparameter, also those of the feature transformation, with its default."""
        return {p.name: p.default for p in self.hyperparameters + self.feature_parameters}

    def lacks(self, schemas: Mapping[Kind, Schema]) -> str | None:
        """What the recipe needs of the datasets of a group and does not find; None where nothing is missing.

        docs: personalize/latest/dg/native-recipe-semantic-similarity.html, item-attribute-affinity-recipe.html
        """
        items = schemas.get("ITEMS")
        fields = items.fields if items else ()
        if self.family == "semantic" and not (any(f.item_name for f in fields) and any(f.textual for f in fields)):
            return "an Items dataset with an itemName field and a textual field"
        if self.family == "attributes" and not any(f.categorical or f.is_number for f in (items.metadata if items else ())):
            return "an Items dataset with a categorical or numeric column"
        if self.family == "actions" and "ACTIONS" not in schemas:
            return "an Actions dataset"
        return None
