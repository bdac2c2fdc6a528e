"""What the service measured of a solution version, on held-out users.

docs: personalize/latest/dg/working-with-training-metrics.html
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from lambdas.aws import clients


def version_metrics(version_arn: str) -> dict[str, float]:
    """The metrics of a version."""
    return numbers(clients.personalize().get_solution_metrics(solutionVersionArn=version_arn)["metrics"])


def numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The metrics that have a number: NaN compares with nothing, and JSON can't hold it."""
    return {name: float(value) for name, value in metrics.items() if is_number(value)}


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
