"""What campaigns provision and what they are asked for, and which minimum would suit them.

A campaign is billed, five minutes by five minutes, for the greater of its provisioned minimum and what it answers
(docs: personalize/latest/dg/campaigns.html). So the minimum costs nothing extra up to the least that is always asked for.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lambdas.config import Config
from lambdas.config.names import campaign_name
from lambdas.config.recipes import RECIPES
from reco.cost.estimate import HOURS_PER_MONTH, SECONDS_PER_HOUR, campaign_price
from reco.cost.inputs import Price, Prices
from reco.target import Target

PERIOD_SECONDS = 300
_SECONDS_PER_MONTH = HOURS_PER_MONTH * SECONDS_PER_HOUR
#: Hours of use without which nothing is advised.
ENOUGH_HOURS = 24
#: The share of the time in which a provisioned minimum of `for_peaks_tps` is enough.
PEAK_SHARE = 0.95


@dataclass(frozen=True)
class Utilization:
    """One campaign. TPS are transactions a second; dollars are for a month that goes on like the days looked at."""

    campaign: str
    provisioned_tps: int
    used_tps: float
    least_tps: float
    peak_tps: float
    recommended_tps: int
    for_peaks_tps: int
    dollars_per_month: float
    recommended_dollars_per_month: float
    for_peaks_dollars_per_month: float
    certain: bool
    observed_hours: float

    @property
    def is_enough(self) -> bool:
        """Whether a day was seen, with its night and its evening."""
        return self.observed_hours >= ENOUGH_HOURS

    @property
    def used_share(self) -> float:
        """Of what is provisioned."""
        return self.used_tps / self.provisioned_tps


def judge(campaign: str, provisioned_tps: int, used_tps: Sequence[float], price: Price) -> Utilization:
    """From the use in each period, of which there must be one at least."""
    by_size = sorted(used_tps)
    recommended = max(1, math.floor(by_size[0]))
    for_peaks = max(1, math.ceil(by_size[math.ceil(PEAK_SHARE * len(by_size)) - 1]))
    return Utilization(
        campaign=campaign,
        provisioned_tps=provisioned_tps,
        used_tps=sum(used_tps) / len(used_tps),
        least_tps=by_size[0],
        peak_tps=by_size[-1],
        recommended_tps=recommended,
        for_peaks_tps=for_peaks,
        dollars_per_month=_monthly_dollars(used_tps, provisioned_tps, price),
        recommended_dollars_per_month=_monthly_dollars(used_tps, recommended, price),
        for_peaks_dollars_per_month=_monthly_dollars(used_tps, for_peaks, price),
        certain=price.certain,
        observed_hours=len(used_tps) * PERIOD_SECONDS / SECONDS_PER_HOUR,
    )


def _monthly_dollars(used_tps: Sequence[float], minimum_tps: int, price: Price) -> float:
    """The bill of a month of such periods."""
    billed_tps = sum(max(minimum_tps, used) for used in used_tps) / len(used_tps)
    return price.dollars(billed_tps * _SECONDS_PER_MONTH)


class _Used(NamedTuple):
    """A campaign by its solution, its provisioned minimum, and its use in each whole period of five minutes, in TPS."""

    solution: str
    provisioned_tps: int
    tps: list[float]


def utilizations(target: Target, config: Config, prices: Prices, days: float) -> list[Utilization]:
    """Of the campaigns that there are, over the last days or since they were made."""
    return [
        judge(used.solution, used.provisioned_tps, used.tps, prices[campaign_price(config.solutions[used.solution])])
        for used in used_campaigns(target, config, days)
    ]


def used_campaigns(target: Target, config: Config, days: float) -> Iterator[_Used]:
    """The use of the campaigns that there are, over the last days or since they were made."""
    client = target.client("personalize")
    pages = client.get_paginator("list_campaigns").paginate()
    there = {campaign["name"]: campaign["campaignArn"] for page in pages for campaign in page["campaigns"]}
    for name, solution in config.solutions.items():
        if arn := there.get(campaign_name(config, name)):
            campaign = client.describe_campaign(campaignArn=arn)["campaign"]
            ranks = RECIPES[solution.recipe].type == "PERSONALIZED_RANKING"
            operation = "GetPersonalizedRanking" if ranks else "GetRecommendations"
            tps = used_tps(target, arn, operation, campaign["creationDateTime"], days)
            yield _Used(name, campaign["minProvisionedTPS"], tps)


def used_tps(target: Target, campaign_arn: str, operation: str, created: datetime.datetime, days: float) -> list[float]:
    """The use in each whole period of five minutes; one in which nothing was asked counts as well."""
    now = datetime.datetime.now(datetime.UTC)
    start = max(created.astimezone(datetime.UTC), now - datetime.timedelta(days=days))
    dimensions = [{"Name": "CampaignArn", "Value": campaign_arn}]
    metric = {"Namespace": "AWS/Personalize", "MetricName": operation, "Dimensions": dimensions}
    query = {"Id": "calls", "MetricStat": {"Metric": metric, "Period": PERIOD_SECONDS, "Stat": "Sum"}}
    metrics = target.client("cloudwatch").get_paginator("get_metric_data")
    pages = metrics.paginate(MetricDataQueries=[query], StartTime=floor_to_period(start), EndTime=now)
    counts = {
        floor_to_period(moment): value
        for page in pages
        for result in page["MetricDataResults"]
        for moment, value in zip(result["Timestamps"], result["Values"], strict=True)
    }
    first = floor_to_period(start) + datetime.timedelta(seconds=PERIOD_SECONDS)
    periods = int((floor_to_period(now) - first).total_seconds() // PERIOD_SECONDS)
    if periods < 1:  # too young for a whole period
        return [sum(counts.values()) / max(1.0, (now - start).total_seconds())]
    moments = (first + datetime.timedelta(seconds=PERIOD_SECONDS * n) for n in range(periods))
    return [counts.get(moment, 0.0) / PERIOD_SECONDS for moment in moments]


def floor_to_period(moment: datetime.datetime) -> datetime.datetime:
    """The beginning of the five minutes in which the moment is."""
    seconds = moment.timestamp()
    return datetime.datetime.fromtimestamp(seconds - seconds % PERIOD_SECONDS, datetime.UTC)
