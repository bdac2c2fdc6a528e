"""Takes what `reco cost` computes with from the shop's own data and calls, and says where each number is from."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lambdas.config import Config
from lambdas.config.names import campaign_name
from lambdas.config.recipes import RECIPES
from lambdas.config.schemas import DatasetKind
from reco.cost.inputs import HOURS_PER_DAY, TRAFFIC, Traffic
from reco.cost.utilization import ENOUGH_HOURS, PERIOD_SECONDS, floor_to_period, used_tps
from reco.data.csv_folder import columns_of
from reco.target import Target

#: The newest days of the interactions, which stand for a month.
_DAYS, _DAY_SECONDS = 30, 86_400
#: Days of calls that are looked at.
_CALL_DAYS = 7


@dataclass(frozen=True)
class Number:
    """A number of the estimate, and where it is from."""

    name: str
    value: float
    source: str


def sources(traffic: Traffic, file: Path) -> dict[str, Number]:
    """The numbers of a traffic file."""
    source = "an EXAMPLE, not your shop: config/traffic.yaml" if file == TRAFFIC else str(file)
    values = {
        name: getattr(traffic, name) for name in ("users", "items", "interactions", "events_per_day", "trainings_per_month")
    }
    values |= {"batch.users_per_run": traffic.batch.users_per_run, "batch.runs_per_month": traffic.batch.runs_per_month}
    return {name: Number(name, float(value), source) for name, value in values.items()}


def count(files: Mapping[DatasetKind, Sequence[Path]], source: str) -> dict[str, Number]:
    """What the CSVs tell: users, items and events of the newest 30 days, and all interactions. Raises RecoError."""
    found: dict[str, Number] = {}

    def note(name: str, value: float, more: str = "") -> None:
        found[name] = Number(name, value, f"counted in {source}{more}")

    if files.get("interactions"):
        rows, newest = 0, 0
        for _, (time,) in columns_of(files["interactions"], ["TIMESTAMP"]):
            rows, newest = rows + 1, max(newest, _seconds(time))
        first, users, events, oldest = newest - _DAYS * _DAY_SECONDS, set[str](), 0, newest
        for _, (user, time) in columns_of(files["interactions"], ["USER_ID", "TIMESTAMP"]):
            if _seconds(time) > first:
                users.add(user)
                events += 1
                oldest = min(oldest, _seconds(time))
        days = max(1.0, (newest - oldest) / _DAY_SECONDS)
        span = f", newest {days:.0f} days"
        note("interactions", rows)
        note("users", len(users), span)
        note("batch.users_per_run", len(users), span)
        note("events_per_day", events / days, span)
    if files.get("items"):
        note("items", sum(1 for _ in columns_of(files["items"], ["ITEM_ID"])))
    return found


def _seconds(text: str) -> int:
    return int(text) if text.isdigit() else 0


def calls(target: Target, config: Config, traffic: Traffic) -> tuple[dict[str, list[float]], str]:
    """Requests a second of each placement by the hour, from what its campaign was asked; and what to say of them.

    Placements of one campaign share its calls. Nothing where less than a day was seen.
    """
    client = target.client("personalize")
    there = {c["name"]: c["campaignArn"] for page in client.get_paginator("list_campaigns").paginate() for c in page["campaigns"]}
    found: dict[str, list[float]] = {}
    longest = 0.0
    for name, solution in config.solutions.items():
        placements = [place for place, of in config.placements.items() if of.solution == name]
        arn = there.get(campaign_name(config, name))
        if arn is None or not placements:
            continue
        created = client.describe_campaign(campaignArn=arn)["campaign"]["creationDateTime"]
        ranks = RECIPES[solution.recipe].type == "PERSONALIZED_RANKING"
        operation = "GetPersonalizedRanking" if ranks else "GetRecommendations"
        used = used_tps(target, arn, operation, created, _CALL_DAYS)
        longest = max(longest, len(used) * PERIOD_SECONDS / 3600)
        if len(used) * PERIOD_SECONDS >= ENOUGH_HOURS * 3600:
            share = traffic.assumptions.campaign_calls_per_request * len(placements)
            hours = [rate / share for rate in _by_hour(used)]
            found |= dict.fromkeys(placements, hours)
    if found:
        return (
            found,
            f"calls of {', '.join(found)}: measured, last {min(longest / 24, _CALL_DAYS):.0f} days of their campaigns",
        )
    return {}, f"{longest:.0f} hours of calls were measured, too few: those of the file are taken"


def _by_hour(used: Sequence[float]) -> list[float]:
    """The mean of each hour of the day (UTC); the last period is the newest."""
    end = floor_to_period(datetime.datetime.now(datetime.UTC))
    seen: list[list[float]] = [[] for _ in range(HOURS_PER_DAY)]
    for back, rate in enumerate(reversed(used), 1):
        seen[(end - datetime.timedelta(seconds=back * PERIOD_SECONDS)).hour].append(rate)
    return [sum(rates) / len(rates) if rates else 0.0 for rates in seen]


def with_numbers(traffic: Traffic, numbers: Mapping[str, Number], hours: Mapping[str, list[float]]) -> Traffic:
    """The traffic with the numbers that were measured in place of the file's."""
    raw: dict[str, Any] = traffic.model_dump()
    for name, number in numbers.items():
        section, _, key = name.rpartition(".")
        (raw[section] if section else raw)[key] = number.value
    raw["requests_per_second"] |= hours
    return Traffic.model_validate(raw)
