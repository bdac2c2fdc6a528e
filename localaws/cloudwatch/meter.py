"""What services tell CloudWatch of themselves, gathered in memory and put once a second, so that no call waits for it."""

from __future__ import annotations

import math
import threading
from typing import Any

from localaws.clients import Aws
from localaws.poller import Poller

_PAUSE_SECONDS = 1.0
#: PutMetricData takes this many at once.
_AT_ONCE = 1000

#: Namespace, metric, dimensions.
Name = tuple[str, str, tuple[tuple[str, str], ...]]


class Meter(Poller):
    """Puts one datum a pause for each metric that something was added to: sum, extremes and number of the values."""

    def __init__(self, aws: Aws) -> None:
        super().__init__("meter", pause=_PAUSE_SECONDS)
        self._aws = aws
        self._lock = threading.Lock()
        self._values: dict[Name, list[float]] = {}

    def add(self, namespace: str, metric: str, value: float, **dimensions: str) -> None:
        """A value of a metric, in the unit that the service's documentation names."""
        name = (namespace, metric, tuple(sorted(dimensions.items())))
        with self._lock:
            total, least, most, number = self._values.get(name) or (0.0, math.inf, -math.inf, 0)
            self._values[name] = [total + value, min(least, value), max(most, value), number + 1]

    def turn(self) -> None:
        with self._lock:
            values, self._values = self._values, {}
        by_namespace: dict[str, list[dict[str, Any]]] = {}
        for (namespace, metric, dimensions), statistics in values.items():
            datum = {
                "MetricName": metric,
                "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions],
                "StatisticValues": dict(zip(("Sum", "Minimum", "Maximum", "SampleCount"), statistics, strict=True)),
            }
            by_namespace.setdefault(namespace, []).append(datum)
        for namespace, data in by_namespace.items():
            for start in range(0, len(data), _AT_ONCE):
                self._aws.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=data[start : start + _AT_ONCE])
