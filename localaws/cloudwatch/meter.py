"""What services tell CloudWatch of themselves, gathered in memory and put once a second, so that no call waits for it."""

from __future__ import annotations

import math
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from localaws.clients import Aws
from localaws.poller import Poller

_PAUSE_SECONDS = 1.0
#: PutMetricData takes this many at once.
_AT_ONCE = 1000
_SAMPLES = 100

#: Namespace, metric, dimensions.
_Name = tuple[str, str, tuple[tuple[str, str], ...]]


class Meter(Poller):
    """Puts one datum a pause for each metric that something was added to: sum, extremes and number of the values."""

    def __init__(self, aws: Aws) -> None:
        super().__init__("meter", pause=_PAUSE_SECONDS)
        self._aws = aws
        self._lock = threading.Lock()
        self._sums: dict[_Name, list[float]] = {}
        self._singles: defaultdict[_Name, list[float]] = defaultdict(list)

    def add(self, namespace: str, metric: str, value: float, **dimensions: str) -> None:
        """A value of a metric, in the unit that the service's documentation names."""
        name = _name(namespace, metric, dimensions)
        with self._lock:
            total, least, most, number = self._sums.get(name) or (0.0, math.inf, -math.inf, 0)
            self._sums[name] = [total + value, min(least, value), max(most, value), number + 1]

    def add_single(self, namespace: str, metric: str, value: float, **dimensions: str) -> None:
        """The same for a metric whose percentiles are asked for."""
        with self._lock:
            self._singles[_name(namespace, metric, dimensions)].append(value)

    def turn(self) -> None:
        with self._lock:
            sums, self._sums = self._sums, {}
            singles, self._singles = self._singles, defaultdict(list)
        data: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for name, statistics in sums.items():
            values = dict(zip(("Sum", "Minimum", "Maximum", "SampleCount"), statistics, strict=True))
            data[name[0]].append(_datum(name) | {"StatisticValues": values})
        for name, found in singles.items():
            data[name[0]].append(_datum(name) | {"Values": sample(found)})
        put_metrics(self._aws, data)


def put_metrics(aws: Aws, data: Mapping[str, list[dict[str, Any]]]) -> None:
    """Puts data by namespace, however many they are."""
    for namespace, found in data.items():
        for start in range(0, len(found), _AT_ONCE):
            aws.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=found[start : start + _AT_ONCE])


def _name(namespace: str, metric: str, dimensions: Mapping[str, str]) -> _Name:
    return namespace, metric, tuple(sorted(dimensions.items()))


def _datum(name: _Name) -> dict[str, Any]:
    return {"MetricName": name[1], "Dimensions": [{"Name": key, "Value": value} for key, value in name[2]]}


def sample(values: Iterable[float]) -> list[float]:
    """At most 100 values in order that stand for all of them, for percentiles."""
    ordered = sorted(values)
    if len(ordered) <= _SAMPLES:
        return ordered
    return [ordered[round(n * (len(ordered) - 1) / (_SAMPLES - 1))] for n in range(_SAMPLES)]
