"""Takes what `reco cost` computes with from the shop's own data and calls, and says where each number is from."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lambdas.config import Config
from lambdas.config.names import own_name
from lambdas.config.schemas import DatasetKind
from reco.cost.inputs import HOURS_PER_DAY, TRAFFIC, Traffic
from reco.cost.utilization import ENOUGH_HOURS, PERIOD_SECONDS, floor_to_period, used_campaigns
from reco.data.csv_folder import columns_of
from reco.target import Target

#: The newest days of the interactions, which stand for a month.
_DAYS, _DAY_SECONDS = 30, 86_400
#: Days of calls that are looked at, and how many calls tell what one takes.
_CALL_DAYS, _ENOUGH_CALLS = 7, 100
#: What the traffic file assumes of an answer, and a deployment measures.
TIME, READS = "assumptions.recommend_milliseconds", "assumptions.catalogue_reads_per_request"


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
    found: dict[str, list[float]] = {}
    longest = 0.0
    for used in used_campaigns(target, config, _CALL_DAYS):
        placements = [place for place, of in config.placements.items() if of.solution == used.solution]
        if not placements:
            continue
        longest = max(longest, len(used.tps) * PERIOD_SECONDS / 3600)
        if len(used.tps) * PERIOD_SECONDS >= ENOUGH_HOURS * 3600:
            share = traffic.assumptions.campaign_calls_per_request * len(placements)
            hours = [rate / share for rate in _by_hour(used.tps)]
            found |= dict.fromkeys(placements, hours)
    if found:
        return (
            found,
            f"calls of {', '.join(found)}: measured, last {min(longest / 24, _CALL_DAYS):.0f} days of their campaigns",
        )
    return {}, f"{longest:.0f} hours of calls were measured, too few: those of the file are taken"


def answers(target: Target, config: Config) -> dict[str, Number]:
    """What an answer takes: milliseconds of a function of 1 GB, read units of the catalogue. Only what CloudWatch knows of enough
    calls; the units hold what train runs read too.
    """
    function = own_name(config, "recommend")
    calls = _sum(target, "AWS/Lambda", "Invocations", FunctionName=function)
    if calls < _ENOUGH_CALLS:
        return {}
    memory = target.client("lambda").get_function_configuration(FunctionName=function)["MemorySize"]
    milliseconds = _sum(target, "AWS/Lambda", "Duration", FunctionName=function) / calls * memory / 1024
    where = "on this machine, with the emulator of Personalize" if target.local else "in the account"
    source = f"measured {where}, {calls:,.0f} calls of {_CALL_DAYS} days"
    found = {TIME: Number(TIME, milliseconds, source)}
    if units := _sum(target, "AWS/DynamoDB", "ConsumedReadCapacityUnits", TableName=own_name(config, "catalogue")):
        found[READS] = Number(READS, units / calls, source)
    return found


def _sum(target: Target, namespace: str, name: str, **dimensions: str) -> float:
    """Of a metric, over the last days; 0 where nothing was measured."""
    metric = {
        "Namespace": namespace,
        "MetricName": name,
        "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
    }
    query = {"Id": "m", "MetricStat": {"Metric": metric, "Period": 3600, "Stat": "Sum"}}
    end = datetime.datetime.now(datetime.UTC).replace(minute=0, second=0, microsecond=0) + datetime.timedelta(hours=1)
    pages = target.client("cloudwatch").get_paginator("get_metric_data")
    found = pages.paginate(MetricDataQueries=[query], StartTime=end - datetime.timedelta(days=_CALL_DAYS), EndTime=end)
    return float(sum(sum(result["Values"]) for page in found for result in page["MetricDataResults"]))


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
