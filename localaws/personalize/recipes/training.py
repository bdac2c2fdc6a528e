"""Training a solution version: from the data of a dataset group to a model and its metrics."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from localaws.personalize.datasets.tables import TrainingData
from localaws.personalize.recipes.model import Model
from localaws.personalize.schemas import Kind

Progress = Callable[[str, float], None]


class TrainingFailed(Exception):
    """The data do not allow this training; the text is the failureReason of the solution version."""


@dataclass(frozen=True)
class TrainingOptions:
    """What a solution asks of its training (docs: personalize/latest/dg/API_SolutionConfig.html).

    recipe: a name of RECIPES. events_config: the eventParametersList of eventsConfig, as sent.
    optimization_objective: as sent, {"itemAttribute", "objectiveSensitivity"}.
    excluded_columns: per dataset type, upper-case dataset and column names as in the schema.
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


@dataclass(frozen=True)
class TrainingResult:
    """metrics: what GetSolutionMetrics answers, four decimals. training_hours: real hours of work."""

    model: Model
    metrics: dict[str, float]
    training_hours: float
    warnings: list[str]


def train(data: TrainingData, options: TrainingOptions, progress: Progress | None = None) -> TrainingResult:
    """Measure on a hold-out, then train on everything. Raises TrainingFailed for too little data.

    progress(stage, fraction) is called with stages "preparing", "evaluating", "training" and 0..1 over all.
    """
    raise NotImplementedError
