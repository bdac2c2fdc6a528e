"""A dashboard's picture: lines where there are metrics, expressions over them, and a word where there are none."""

from __future__ import annotations

import datetime
import json
import re
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from reco.deployment.dashboard import Reader, draw, lines_of
from reco.errors import RecoError
from reco.target import Target

CALLS = ["Shop", "Calls", "Campaign", "for-you"]


def graph(title: str, metrics: list[Any], x: int) -> dict[str, Any]:
    properties = {"title": title, "metrics": metrics, "annotations": {"horizontal": [{"value": 100}]}}
    return {"type": "metric", "x": x, "y": 2, "width": 6, "height": 6, "properties": properties}


def share_of(number: int) -> dict[str, Any]:
    """A graph of the calls a second, as a share of a number in percent."""
    calls = [*CALLS, {"id": "a", "stat": "Sum", "visible": False}]
    return graph("Share", [calls, [{"expression": f"100 * a / PERIOD(a) / {number}", "label": "used, %"}]], 6)


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        client = boto3.client("cloudwatch")
        dimensions: list[Any] = [{"Name": "Campaign", "Value": "for-you"}]
        before = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=3)  # what came in just now is not drawn yet
        datum: Any = {"MetricName": "Calls", "Dimensions": dimensions, "Value": 120, "Timestamp": before}
        client.put_metric_data(Namespace="Shop", MetricData=[datum])
        heading = {"type": "text", "x": 0, "y": 0, "width": 12, "height": 2, "properties": {"markdown": "## Ours\nSee `reco`."}}
        nothing = graph("Bill", [["Shop", "Nothing", {"label": "dollars"}]], 12)
        widgets = [heading, graph("Calls", [[*CALLS, {"stat": "Sum", "label": "calls"}]], 0), share_of(2), nothing]
        client.put_dashboard(DashboardName="shop", DashboardBody=json.dumps({"widgets": widgets}))
        yield Target("shop", None)


def test_the_picture_has_every_graph_and_says_where_there_is_no_data(shop: Target, tmp_path: Path) -> None:
    draw(shop, "shop", tmp_path / "shop.svg", minutes=30, period=60)
    texts = re.findall(r"<!-- (.*?) -->", (tmp_path / "shop.svg").read_text())
    assert {"Ours", "See reco.", "Calls", "calls", "Share", "used, %", "Bill", "dollars"} <= set(texts)
    assert texts.count("no data") == 1


def test_expressions_are_computed_from_the_metrics_they_name(shop: Target) -> None:
    now = datetime.datetime.now(datetime.UTC)
    reader = Reader(shop, now - datetime.timedelta(minutes=10), now + datetime.timedelta(minutes=1))
    [line] = lines_of(share_of(4), 60)
    assert line.label == "used, %"
    assert list(reader.read(line).values()) == [100 * 120 / 60 / 4]


def test_a_dashboard_that_is_not_there_is_named(shop: Target, tmp_path: Path) -> None:
    with pytest.raises(RecoError, match="There is no dashboard cellar"):
        draw(shop, "cellar", tmp_path / "no.svg", minutes=30, period=60)
