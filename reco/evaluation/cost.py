"""What an evaluation will be billed for, before it begins; by the prices of config/prices.yaml."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lambdas.config import Config
from lambdas.config.names import solution_name
from reco.cost.estimate import BYTES_PER_GB, SECONDS_PER_HOUR, TRAINING_BY_INTERACTIONS, campaign_price, training_price
from reco.cost.inputs import Prices, load_prices
from reco.evaluation.evaluate import Plan
from reco.target import Target

#: A campaign of one transaction per second, from ACTIVE to its deletion.
_CAMPAIGN_HOURS = 0.25


@dataclass(frozen=True)
class Item:
    """One billed item; `dollars` is None where no figure is known."""

    what: str
    quantity: str
    dollars: float | None


def estimate(target: Target, config: Config, planned: Plan) -> list[Item]:
    """The billed items in the order in which they arise."""
    size = sum(path.stat().st_size for paths in planned.files.values() for path in paths)
    prices = load_prices()
    items = [Item("import", f"{size / 1e6:.1f} MB", prices["personalize_ingestion"].dollars(size / BYTES_PER_GB))]
    items += _trainings(target, config, planned, prices)
    calls = len(planned.holdout.cases)
    billed_calls = max(_CAMPAIGN_HOURS * SECONDS_PER_HOUR, calls)
    quantity = f"{calls} calls, some {60 * _CAMPAIGN_HOURS:.0f} minutes"
    for name in planned.solutions:
        price = prices[campaign_price(config.solutions[name])]
        items.append(Item(f"campaign {name}", quantity, price.dollars(billed_calls)))
    return items


def _trainings(target: Target, config: Config, planned: Plan, prices: Prices) -> Iterator[Item]:
    """Recipes of the second version are billed by interactions, the others by hours: as many as the last training took."""
    client = target.client("personalize")
    pages = client.get_paginator("list_solutions").paginate()
    arns = {solution["name"]: solution["solutionArn"] for page in pages for solution in page["solutions"]}
    for name in planned.solutions:
        price = training_price(config.solutions[name])
        if price == TRAINING_BY_INTERACTIONS:
            events = planned.holdout.training_events
            yield Item(f"training {name}", f"{events} interactions", prices[price].dollars(events))
            continue
        solution = arns.get(solution_name(config, name))
        hours = _last_hours(client, solution) if solution else None
        if hours is None:
            yield Item(f"training {name}", "hours not known before its first training", None)
        else:
            yield Item(f"training {name}", f"{hours:.2f} training hours, as the last time", prices[price].dollars(hours))


def _last_hours(client: Any, solution: str) -> float | None:
    """Of the newest trained version."""
    pages = client.get_paginator("list_solution_versions").paginate(solutionArn=solution)
    trained = [version for page in pages for version in page["solutionVersions"] if version["status"] == "ACTIVE"]
    if not trained:
        return None
    newest = max(trained, key=lambda version: version["creationDateTime"])["solutionVersionArn"]
    hours = client.describe_solution_version(solutionVersionArn=newest)["solutionVersion"].get("trainingHours")
    return None if hours is None else float(hours)
