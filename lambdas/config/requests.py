"""The settings of a solution and of its campaign as CreateSolution and CreateCampaign take them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lambdas.config.recipes import RECIPES
from lambdas.config.solutions import Campaign, Solution

if TYPE_CHECKING:
    from types_boto3_personalize.type_defs import SolutionConfigUnionTypeDef


def solution_config(wanted: Solution) -> SolutionConfigUnionTypeDef:
    """The threshold is a string here and a number in the event weights: so does the API want it."""
    settings: dict[str, Any] = {}
    if wanted.event_value_threshold is not None:
        settings["eventValueThreshold"] = f"{wanted.event_value_threshold:g}"
    features = {parameter.name for parameter in RECIPES[wanted.recipe].feature_parameters}
    for member, of_features in (("algorithmHyperParameters", False), ("featureTransformationParameters", True)):
        chosen = {name: value for name, value in wanted.hyperparameters.items() if (name in features) is of_features}
        if chosen:
            settings[member] = chosen
    if wanted.event_weights:
        settings["eventsConfig"] = {"eventParametersList": [
            {"eventType": w.event_type, "weight": w.weight}
            | ({} if w.value_threshold is None else {"eventValueThreshold": w.value_threshold})
            for w in wanted.event_weights
        ]}  # fmt: skip
    return settings  # type: ignore[return-value]


def campaign_config(wanted: Campaign) -> dict[str, Any]:
    """Only what the config says; the rest is the service's to choose."""
    settings: dict[str, Any] = {}
    exploration = {
        "explorationWeight": wanted.exploration_weight,
        "explorationItemAgeCutOff": wanted.exploration_item_age_cut_off,
    }
    if given := {key: str(value) for key, value in exploration.items() if value is not None}:
        settings["itemExplorationConfig"] = given
    if wanted.metadata is not None:
        settings["enableMetadataWithRecommendations"] = wanted.metadata
    return settings
