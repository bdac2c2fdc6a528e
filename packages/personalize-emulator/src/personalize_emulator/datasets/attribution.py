"""Reports of a metric attribution on imported interactions.

docs: personalize/latest/dg/event-metrics.html, metric-attribution-requirements.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from personalize_emulator.datasets.columns import Column, Table, row_count
from personalize_emulator.datasets.tables import Entities
from personalize_rules.schemas import Kind, normalized

HEADER = ("METRIC_NAME", "EVENT_TYPE", "VALUE", "MATH_FUNCTION", "EVENT_ATTRIBUTION_SOURCE", "TIMESTAMP")
_WINDOW = 900
"""Seconds that a row of a report is about."""
_UNDEFINED = "SOURCE_NAME_UNDEFINED"
_EXPRESSION = re.compile(r"SAMPLECOUNT\(\)|SUM\((Items|Interactions)\.([A-Za-z_][A-Za-z\d_]*)\)", re.IGNORECASE)


class Row(NamedTuple):
    """One row of a report, below HEADER. timestamp: epoch seconds."""

    metric: str
    event_type: str
    value: float
    function: str
    source: str
    timestamp: int


@dataclass(frozen=True)
class Operand:
    """The column whose values a metric sums up."""

    kind: Kind
    column: str


def parse_expression(text: str) -> Operand | None:
    """What SUM(Items.COLUMN) or SUM(Interactions.COLUMN) sums up; None for SAMPLECOUNT(), which counts.

    Raises ValueError for any other expression.
    """
    match = _EXPRESSION.fullmatch(text.replace(" ", ""))
    if match is None:
        raise ValueError(f"expression '{text}' must be SUM(Items.COLUMN), SUM(Interactions.COLUMN) or SAMPLECOUNT()")
    return Operand(cast(Kind, match[1].upper()), match[2]) if match[1] else None


def report(
    interactions: Table, items: Entities | None, metrics: Sequence[Mapping[str, str]], sources: Mapping[str, str]
) -> Iterator[Row]:
    """The rows of a report: every metric by source and window of 15 minutes, newest first.

    metrics: as CreateMetricAttribution takes them. sources: the ARN of a campaign or recommender by the eight digits
    that its recommendation ids begin with.
    """
    names, codes = _sources(interactions, sources)
    windows = interactions["TIMESTAMP"].values.astype(np.int64) // _WINDOW
    for metric in metrics:
        operand = parse_expression(metric["expression"])
        chosen = _of_type(interactions, metric["eventType"])
        amounts = _amounts(interactions, items, operand)[chosen]
        groups, places = np.unique(np.stack([windows[chosen], codes[chosen]]), axis=1, return_inverse=True)
        totals = np.bincount(places.ravel(), amounts, groups.shape[1])
        function = "sum" if operand else "samplecount"
        for place in range(len(totals))[::-1]:
            window, source = groups[:, place].tolist()
            # Guess: the TIMESTAMP of a metric is the start of its 15 minutes, counted from the full hour.
            yield Row(metric["metricName"], metric["eventType"], float(totals[place]), function, names[source], window * _WINDOW)


def _sources(interactions: Table, by_identifier: Mapping[str, str]) -> tuple[list[str], NDArray[np.int64]]:
    """The distinct sources, and that of each row as a position: the event's own, or that of its recommendation id."""
    own, recommended = interactions.get("EVENT_ATTRIBUTION_SOURCE"), interactions.get("RECOMMENDATION_ID")
    names = [_UNDEFINED, *(own.vocabulary if own else ()), *by_identifier.values()]
    codes = np.zeros(row_count(interactions), np.int64)
    if recommended:
        first = len(names) - len(by_identifier)
        positions = {identifier: first + n for n, identifier in enumerate(by_identifier)}
        known = [positions.get(text.removeprefix("RID-")[:8], 0) for text in recommended.vocabulary]
        codes = np.array([*known, 0])[recommended.codes]
    if own:
        codes = np.where(own.codes >= 0, own.codes + 1, codes)
    return names, codes


def _of_type(interactions: Table, event_type: str) -> NDArray[np.bool_]:
    types = interactions["EVENT_TYPE"]
    same = [name.casefold() == event_type.casefold() for name in types.vocabulary]
    return np.array([*same, False])[types.codes]


def _amounts(interactions: Table, items: Entities | None, operand: Operand | None) -> NDArray[np.float64]:
    """What each interaction adds to a metric; nothing where the value is null."""
    if operand is None:
        return np.ones(row_count(interactions))
    if operand.kind == "INTERACTIONS":
        return _or_zero(_column(interactions, operand).values)
    if items is None:
        return np.zeros(row_count(interactions))
    ids = interactions["ITEM_ID"]
    values = np.append(_column(items.columns, operand).values, np.nan)
    rows = np.array([items.index.get(identifier, -1) for identifier in ids.vocabulary], np.int64)
    return _or_zero(values[rows])[ids.codes]


def _or_zero(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isnan(values), 0.0, values)


def _column(columns: Mapping[str, Column], operand: Operand) -> Column:
    wanted = normalized(operand.column)
    return next(column for name, column in columns.items() if normalized(name) == wanted)
