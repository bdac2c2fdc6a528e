"""What an evaluation will be billed for, before it begins.

Prices are of us-east-1, from notes of third parties of 2026, and may have changed: aws.amazon.com/personalize/pricing decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lambdas.shared.config import Config
from lambdas.shared.names import solution_name
from reco.evaluate import Plan
from reco.target import Target

DOLLARS_PER_GB = 0.05
DOLLARS_PER_TRAINING_HOUR = 0.24
DOLLARS_PER_TPS_HOUR = 0.20
#: A campaign of one transaction per second, from ACTIVE to its deletion.
CAMPAIGN_HOURS = 0.25


@dataclass(frozen=True)
class Item:
    """One billed item; `dollars` is None where no figure is known."""

    what: str
    quantity: str
    dollars: float | None


def estimate(target: Target, config: Config, planned: Plan) -> list[Item]:
    """The billed items in the order in which they arise."""
    size = sum(path.stat().st_size for paths in planned.files.values() for path in paths)
    items = [Item("import", f"{size / 1e6:.1f} MB", size / 1e9 * DOLLARS_PER_GB)]
    items += trainings(target, config, planned)
    calls = len(planned.holdout.cases)
    tps_hours = max(CAMPAIGN_HOURS, calls / 3600)
    quantity = f"{calls} calls, some {60 * CAMPAIGN_HOURS:.0f} minutes"
    return items + [Item(f"campaign {name}", quantity, tps_hours * DOLLARS_PER_TPS_HOUR) for name in planned.solutions]


def trainings(target: Target, config: Config, planned: Plan) -> Iterator[Item]:
    """Recipes of the second version are billed by interactions, the others by hours: as many as the last training took."""
    client = target.client("personalize")
    pages = client.get_paginator("list_solutions").paginate()
    arns = {solution["name"]: solution["solutionArn"] for page in pages for solution in page["solutions"]}
    for name in planned.solutions:
        if config.solutions[name].recipe.endswith("-v2"):
            yield Item(f"training {name}", f"{planned.holdout.training_events} interactions", None)
            continue
        solution = arns.get(solution_name(config, name))
        hours = last_hours(client, solution) if solution else None
        if hours is None:
            yield Item(f"training {name}", "hours not known before its first training", None)
        else:
            yield Item(f"training {name}", f"{hours:.2f} training hours, as the last time", hours * DOLLARS_PER_TRAINING_HOUR)


def last_hours(client: Any, solution: str) -> float | None:
    """Of the newest trained version."""
    pages = client.get_paginator("list_solution_versions").paginate(solutionArn=solution)
    trained = [version for page in pages for version in page["solutionVersions"] if version["status"] == "ACTIVE"]
    if not trained:
        return None
    newest = max(trained, key=lambda version: version["creationDateTime"])["solutionVersionArn"]
    hours = client.describe_solution_version(solutionVersionArn=newest)["solutionVersion"].get("trainingHours")
    return None if hours is None else float(hours)
