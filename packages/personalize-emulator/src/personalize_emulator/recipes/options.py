"""What a solution asks of its training."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from personalize_rules.schemas import Kind


class TrainingFailed(Exception):
    """The data do not allow this training; the text is the failureReason of the solution version."""


@dataclass(frozen=True)
class TrainingOptions:
    """The part of a solution that its training depends on (docs: personalize/latest/dg/API_SolutionConfig.html).

    recipe: a name of RECIPES. events_config: the eventParametersList of eventsConfig, as sent.
    optimization_objective: as sent, {"itemAttribute", "objectiveSensitivity"}.
    excluded_columns: per dataset type, column names as in the schema.
    seed: decides the hold-out users and every random start; the same data and seed give the same model.
    """

    recipe: str
    event_type: str | None = None
    event_value_threshold: float | None = None
    events_config: list[Mapping[str, Any]] | None = None
    hyperparameters: Mapping[str, str] = field(default_factory=dict)
    excluded_columns: Mapping[Kind, frozenset[str]] = field(default_factory=dict)
    optimization_objective: Mapping[str, Any] | None = None
    seed: int = 0
