"""CloudWatch: a row for each minute of each metric; older ones become rows of five minutes, then of hours.

docs: AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html#metrics-retention
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.models import MetricAggregatedDatum, MetricDatumBase

from localaws.cloudwatch.meter import sample
from localaws.patching import intercept, replace
from localaws.persistence.database import Database

_BACKEND = "moto.cloudwatch.models:CloudWatchBackend"
_PERCENTILE = re.compile(r"p(\d+(?:\.\d+)?)")
_MINUTE, _HOUR, _DAY = 60, 3600, 24 * 3600
#: Seconds for which rows are kept, and of how many seconds the rows are that follow.
_ROLL_UP = ((15 * _DAY, 5 * _MINUTE), (63 * _DAY, _HOUR), (455 * _DAY, None))
_COLUMNS = "namespace, name, dimensions, unit, time, sum, least, most, number, sample"
#: What of the data a call asks for: first and last second, and the names of metrics with their namespaces (None: all).
Range = tuple[int, int, list[tuple[str, str]] | None]


class Metrics:
    """In the place of moto's list, which holds every value that was ever put."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._series: dict[tuple[str, str, str], int] = {}
        self._of_thread = threading.local()

    def install(self) -> None:
        replace(f"{_BACKEND}.put_metric_data", self._put)
        replace(f"{_BACKEND}.get_all_metrics", lambda _: self._asked())
        intercept(f"{_BACKEND}.get_metric_data", self._data)
        intercept(f"{_BACKEND}.get_metric_statistics", self._statistics)
        intercept("moto.cloudwatch.models:Statistics.get_statistics_for_type", _statistic)

    def expire(self) -> None:
        """Make few rows of many old ones, and delete the oldest."""
        now = int(time.time())
        for age, seconds in _ROLL_UP:
            if seconds is None:
                self._database.execute("DELETE FROM points WHERE time < ?", (now - age,))
            else:
                self._roll_up((now - age) // seconds * seconds, seconds)

    def _roll_up(self, before: int, seconds: int) -> None:
        slot = f"time / {seconds} * {seconds}"
        sums = f"SELECT series, {slot}, sum(sum), min(least), max(most), sum(number), NULL FROM points WHERE time < ?"  # noqa: S608
        rows = self._database.query(f"{sums} GROUP BY series, {slot} HAVING max(time % {seconds}) > 0", (before,))
        with self._lock:
            for row in rows:
                self._database.execute(
                    "DELETE FROM points WHERE series = ? AND time >= ? AND time < ?", (*row[:2], row[1] + seconds)
                )
            self._database.execute_many("INSERT INTO points VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def _put(self, backend: Any, namespace: str, metric_data: list[dict[str, Any]]) -> None:
        for number, datum in enumerate(metric_data, 1):
            backend._validate_parameters_put_metric_data(datum, number)
        for datum in metric_data:
            when = datum.get("Timestamp") or datetime.now(UTC)
            at = int(when.replace(tzinfo=when.tzinfo or UTC).timestamp()) // _MINUTE * _MINUTE
            self._add(self._series_of(namespace, datum), at, *_statistics(datum))

    def _series_of(self, namespace: str, datum: dict[str, Any]) -> int:
        dimensions = json.dumps(sorted((each["Name"], each["Value"]) for each in datum.get("Dimensions") or []))
        key = (namespace, datum["MetricName"], dimensions)
        with self._lock:
            if key not in self._series:
                self._database.execute(
                    "INSERT INTO series (namespace, name, dimensions, unit) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    (*key, datum.get("Unit")),
                )
                found = self._database.query("SELECT id FROM series WHERE (namespace, name, dimensions) = (?, ?, ?)", key)
                self._series[key] = found[0][0]
            return self._series[key]

    def _add(self, series: int, at: int, values: list[float], total: float, least: float, most: float, number: float) -> None:
        with self._lock:
            there = (
                self._database.query("SELECT sample FROM points WHERE series = ? AND time = ?", (series, at)) if values else []
            )
            known = json.loads(there[0][0] or "[]") if there else []
            self._database.execute(
                "INSERT INTO points VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET sum = sum + excluded.sum,"
                " least = min(least, excluded.least), most = max(most, excluded.most), number = number + excluded.number,"
                " sample = coalesce(excluded.sample, sample)",
                (series, at, total, least, most, number, json.dumps(sample([*known, *values])) if values else None),
            )

    def _asked(self) -> list[MetricDatumBase]:
        """What moto looks through: the data that the present call asks for; one datum of each metric where it asks for names."""
        asked: Range | None = getattr(self._of_thread, "range", None)
        if asked is None:
            rows = self._database.query("SELECT namespace, name, dimensions, unit, 0, 0, 0, 0, 0, NULL FROM series ORDER BY id")
            return [_Point(*row) for row in rows]
        first, last, names = asked
        where = "" if names is None else f" AND (namespace, name) IN (VALUES {', '.join(['(?, ?)'] * len(names))})"
        points = "points JOIN series ON series.id = points.series"
        sql = f"SELECT {_COLUMNS} FROM {points} WHERE time >= ? AND time < ?{where} ORDER BY time"  # noqa: S608 - ours
        values = [part for name in names or [] for part in name]
        return [_Point(*row) for row in self._database.query(sql, (first, last, *values))]

    def _data(
        self,
        by_moto: Callable[..., Any],
        backend: Any,
        queries: list[dict[str, Any]],
        start_time: datetime,
        end_time: datetime,
        *rest: Any,
        **more: Any,
    ) -> Any:
        metrics = [query["MetricStat"]["Metric"] for query in queries if "MetricStat" in query]
        names = [(metric["Namespace"], metric["MetricName"]) for metric in metrics]
        is_search = any(query.get("Expression", "").startswith("SELECT") for query in queries)
        with self._asking(start_time, end_time, None if is_search else names) as start:
            return by_moto(backend, queries, start, end_time, *rest, **more)

    def _statistics(
        self,
        by_moto: Callable[..., Any],
        backend: Any,
        namespace: str,
        name: str,
        first: datetime,
        last: datetime,
        *rest: Any,
        **more: Any,
    ) -> Any:
        with self._asking(first, last, [(namespace, name)]) as start:
            return by_moto(backend, namespace, name, start, last, *rest, **more)

    @contextlib.contextmanager
    def _asking(self, first: datetime, last: datetime, names: list[tuple[str, str]] | None) -> Iterator[datetime]:
        """The range of a call, for as long as it is answered. Gives its start, rounded down to the minute as the service does.

        docs: AmazonCloudWatch/latest/APIReference/API_GetMetricData.html (StartTime)
        """
        start = first.replace(second=0, microsecond=0)
        self._of_thread.range = (int(start.timestamp()), math.ceil(last.timestamp()), names)
        try:
            yield start
        finally:
            self._of_thread.range = None


class _Point(MetricAggregatedDatum):
    """A row as moto reads it."""

    def __init__(
        self,
        namespace: str,
        name: str,
        dimensions: str,
        unit: str | None,
        at: int,
        total: float,
        least: float,
        most: float,
        number: float,
        sample: str | None,
    ) -> None:
        named = [{"Name": key, "Value": value} for key, value in json.loads(dimensions)]
        super().__init__(
            namespace, name, least, most, number, total, named, datetime.fromtimestamp(at, UTC).replace(tzinfo=None), unit
        )
        self.sample: list[float] = json.loads(sample) if sample else []


def _statistics(datum: dict[str, Any]) -> tuple[list[float], float, float, float, float]:
    """The values that were put one by one, then sum, least, most and number."""
    if datum.get("StatisticValues") and not datum.get("Values"):
        given = datum["StatisticValues"]
        total, least, most, number = (float(given[name]) for name in ("Sum", "Minimum", "Maximum", "SampleCount"))
        return [], total, least, most, number
    values = [float(value) for value in datum.get("Values") or [datum.get("Value") or 0.0]]
    counts = [float(count) for count in datum.get("Counts") or [1.0] * len(values)]
    total = sum(value * count for value, count in zip(values, counts, strict=True))
    return values, total, min(values), max(values), sum(counts)


def _statistic(by_moto: Callable[[Any, str], Any], statistics: Any, name: str) -> Any:
    """Of a series; percentiles are of the nearest rank in its samples."""
    asked = _PERCENTILE.fullmatch(name)
    if asked is None:
        return by_moto(statistics, name)
    values = sorted(value for point in statistics.metric_data for value in point.sample)
    return values[max(0, math.ceil(float(asked[1]) / 100 * len(values)) - 1)] if values else 0.0
