"""How often campaigns are asked, as Amazon Personalize tells CloudWatch.

docs: personalize/latest/dg/cloudwatch-metrics.html
"""

from __future__ import annotations

import json
import urllib.request
from collections import Counter

from localaws.clients import Aws
from localaws.poller import Poller

_PAUSE_SECONDS = 2.0


class CampaignMetrics(Poller):
    """Asks the emulator for its counts, and puts what has come since the last time."""

    def __init__(self, aws: Aws, personalize_endpoint: str) -> None:
        super().__init__("campaign-metrics", pause=_PAUSE_SECONDS)
        self._aws = aws
        self._address = f"{personalize_endpoint}/_emulator"
        self._before: Counter[tuple[str, str]] = Counter()

    def turn(self) -> None:
        with urllib.request.urlopen(self._address, timeout=10) as answer:  # noqa: S310 - our own endpoint
            calls = json.load(answer)["calls"]
        now = Counter({(call["operation"], call["campaign"]): call["count"] for call in calls})
        data = [
            {
                "MetricName": operation,
                "Dimensions": [{"Name": "CampaignArn", "Value": campaign}],
                "Unit": "Count",
                "Value": count,
            }
            for (operation, campaign), count in (now - self._before).items()
        ]
        if data:
            self._aws.client("cloudwatch").put_metric_data(Namespace="AWS/Personalize", MetricData=data)
        self._before = now
