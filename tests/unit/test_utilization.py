"""What campaigns use of what they provision: the judgement on cases that one can follow by hand, and the command against metrics."""

from __future__ import annotations

import datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws

from lambdas.config.file import load_config
from reco.commands.utilization import advice
from reco.cost import measured
from reco.cost.inputs import ROOT, TRAFFIC, Price, load_prices, load_traffic
from reco.cost.utilization import PERIOD_SECONDS, floor_to_period, judge, used_tps, utilizations
from reco.target import Target

#: One dollar for a month of one transaction a second.
DOLLAR_FOR_A_TPS = Price(unit="requests", per=30 * 86_400, usd=1)


def test_what_is_provisioned_and_not_used_can_be_saved() -> None:
    """Half of the time 2 TPS, half of it 4, of 10 provisioned: 2 TPS as the minimum cost what is used, 3 on the average."""
    found = judge("for-you", 10, [2.0, 4.0] * 144, DOLLAR_FOR_A_TPS)
    assert (found.used_tps, found.used_share, found.least_tps, found.peak_tps) == (3.0, 0.3, 2.0, 4.0)
    assert (found.dollars_per_month, found.recommended_tps, found.recommended_dollars_per_month) == (10, 2, 3)
    assert (found.for_peaks_tps, found.for_peaks_dollars_per_month) == (4, 4)
    assert advice(found).startswith("for-you: set min_provisioned_tps to 2, and save $7 a month; 4 would be enough for 95 %")


def test_a_minimum_below_what_is_always_asked_for_may_grow_for_nothing() -> None:
    found = judge("for-you", 1, [5.5, 7.0, 9.0] * 96, DOLLAR_FOR_A_TPS)
    assert found.recommended_tps == 5
    assert found.recommended_dollars_per_month == pytest.approx(found.dollars_per_month)
    assert "min_provisioned_tps: 5 costs no more than 1 does" in advice(found)


def test_a_peak_of_a_moment_does_not_raise_the_minimum() -> None:
    found = judge("for-you", 1, [0.5] * 299 + [50.0], DOLLAR_FOR_A_TPS)
    assert (found.recommended_tps, found.for_peaks_tps, found.peak_tps) == (1, 1, 50.0)
    assert "1 is right" in advice(found)


def test_a_campaign_that_nobody_asks_is_named() -> None:
    assert "had no call in 24 hours" in advice(judge("related", 1, [0.0] * 288, DOLLAR_FOR_A_TPS))


def test_minutes_of_calls_are_no_ground_for_advice() -> None:
    """Neither that nobody asks a campaign, nor that less would do."""
    assert advice(judge("related", 4, [0.0, 0.0], DOLLAR_FOR_A_TPS)).startswith(
        "related: 10 minutes of calls are too few for advice"
    )


@mock_aws
def test_use_is_read_for_each_period_with_those_that_have_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    arn = "arn:aws:personalize:us-east-1:123456789012:campaign/shop_for-you"
    now = datetime.datetime.now(datetime.UTC)
    begun = floor_to_period(now) - datetime.timedelta(seconds=3 * PERIOD_SECONDS)
    boto3.client("cloudwatch").put_metric_data(
        Namespace="AWS/Personalize",
        MetricData=[
            {
                "MetricName": "GetRecommendations",
                "Dimensions": [{"Name": "CampaignArn", "Value": arn}],
                "Timestamp": begun + datetime.timedelta(seconds=PERIOD_SECONDS + at),
                "Value": calls,
            }
            for at, calls in ((10, 400), (200, 200))
        ],
    )
    target = Target("shop", None)
    before = begun - datetime.timedelta(seconds=1)
    assert used_tps(target, arn, "GetRecommendations", before, days=7)[:3] == [0.0, 2.0, 0.0]


class Personalize:
    """One campaign, made two days ago."""

    def get_paginator(self, _: str) -> Personalize:
        return self

    def paginate(self) -> list[dict[str, Any]]:
        return [{"campaigns": [{"name": "shop_for-you", "campaignArn": "arn"}, {"name": "other", "campaignArn": "another"}]}]

    def describe_campaign(self, campaignArn: str) -> dict[str, Any]:  # noqa: N803
        assert campaignArn == "arn"
        made = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=2)
        return {"campaign": {"creationDateTime": made, "minProvisionedTPS": 3}}


@mock_aws
def test_campaigns_that_are_there_are_judged_and_give_the_estimate_its_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Target,
        "client",
        lambda _, service: Personalize() if service == "personalize" else boto3.client(service, "us-east-1"),  # type: ignore[call-overload]
    )
    config, target = load_config(ROOT / "config" / "shop.yaml"), Target("shop", None)
    (found,) = utilizations(target, config, load_prices(), days=7)
    assert (found.campaign, found.provisioned_tps, found.used_tps, found.is_enough) == ("for-you", 3, 0.0, True)
    hours, note = measured.calls(target, config, load_traffic(TRAFFIC))
    assert hours.keys() == {name for name, placement in config.placements.items() if placement.solution == "for-you"}
    assert note.endswith("measured, last 2 days of their campaigns")
