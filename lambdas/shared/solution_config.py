"""A solution's settings as CreateSolution takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lambdas.shared.config import Solution

if TYPE_CHECKING:
    from types_boto3_personalize.type_defs import SolutionConfigUnionTypeDef


def solution_config(wanted: Solution) -> SolutionConfigUnionTypeDef:
    """The threshold is a string here and a number in the event weights: so does the API want it."""
    settings: dict[str, Any] = {}
    if wanted.event_value_threshold is not None:
        settings["eventValueThreshold"] = f"{wanted.event_value_threshold:g}"
    if wanted.hyperparameters:
        settings["algorithmHyperParameters"] = wanted.hyperparameters
    if wanted.event_weights:
        settings["eventsConfig"] = {"eventParametersList": [
            {"eventType": w.event_type, "weight": w.weight}
            | ({} if w.value_threshold is None else {"eventValueThreshold": w.value_threshold})
            for w in wanted.event_weights
        ]}  # fmt: skip
    return settings  # type: ignore[return-value]
