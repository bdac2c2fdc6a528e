"""Draws a dashboard of CloudWatch by its own definition, with the metrics that there are: on this machine there is no console.

docs: AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

from __future__ import annotations

import ast
import datetime
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reco.errors import RecoError
from reco.target import Target

#: Seconds of a point where the dashboard says nothing.
_DEFAULT_PERIOD = 300
#: Inches of a dashboard's unit.
_UNIT = 0.62
#: Letters of a label, so that two labels have room side by side below a graph.
_HALF_A_GRAPH = 22

_Series = dict[datetime.datetime, float]


@dataclass(frozen=True)
class Line:
    """A line of a graph: a metric, or an expression over others of the graph (`uses`: id to metric)."""

    label: str
    metric: Mapping[str, Any] | None = None
    expression: str = ""
    uses: Mapping[str, Line] = field(default_factory=dict)


def _body_of(target: Target, name: str) -> dict[str, Any]:
    """Raises RecoError when there is no such dashboard."""
    client = target.client("cloudwatch")
    try:
        return dict(json.loads(client.get_dashboard(DashboardName=name)["DashboardBody"]))
    except client.exceptions.ClientError:
        raise RecoError(f"There is no dashboard {name}: deploy the operations stack.") from None


def lines_of(widget: Mapping[str, Any], period: int | None) -> Iterator[Line]:
    """The visible lines of a graph. A dot in a metric's row stands for what is above it."""
    by_id: dict[str, Line] = {}
    visible: list[Line] = []
    above: list[Any] = []
    for row in widget["properties"].get("metrics", []):
        options = row[-1] if isinstance(row[-1], dict) else {}
        if "expression" in options:
            line = Line(str(options.get("label", options["expression"])), expression=options["expression"], uses=by_id)
        else:
            names: list[str] = [part if part != "." else above[n] for n, part in enumerate(row) if not isinstance(part, dict)]
            above = names
            line = Line(str(options.get("label", names[1])), metric=_as_metric_stat(names, options, period))
        if "id" in options:
            by_id[options["id"]] = line
        if options.get("visible", True):
            visible.append(line)
    yield from visible


def _as_metric_stat(names: Sequence[str], options: Mapping[str, Any], period: int | None) -> dict[str, Any]:
    dimensions = [{"Name": name, "Value": value} for name, value in zip(names[2::2], names[3::2], strict=True)]
    return {
        "Metric": {"Namespace": names[0], "MetricName": names[1], "Dimensions": dimensions},
        "Period": period or options.get("period", _DEFAULT_PERIOD),
        "Stat": options.get("stat", "Average"),
    }


class Reader:
    """Reads lines between two moments."""

    def __init__(self, target: Target, start: datetime.datetime, end: datetime.datetime) -> None:
        self.client = target.client("cloudwatch")
        self.start, self.end = start, end

    def read(self, line: Line) -> _Series:
        """The points of a line; an expression is computed here."""
        if line.metric is None:
            return self._compute(ast.parse(line.expression, mode="eval").body, line.uses)
        query = {"Id": "a", "MetricStat": line.metric}
        pages = self.client.get_paginator("get_metric_data").paginate(
            MetricDataQueries=[query], StartTime=self.start, EndTime=self.end
        )
        results = [result for page in pages for result in page["MetricDataResults"]]
        return {at: value for r in results for at, value in zip(r["Timestamps"], r["Values"], strict=True)}

    def _compute(self, node: ast.expr, uses: Mapping[str, Line]) -> _Series:
        """Metric math as the operations stack writes it: a line, times and divided by numbers or by the PERIOD of a line."""
        match node:
            case ast.Name(id=name):
                return self.read(uses[name])
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                return {at: self._number(left, uses) * value for at, value in self._compute(right, uses).items()}
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                return {at: value / self._number(right, uses) for at, value in self._compute(left, uses).items()}
        raise RecoError(f"The expression {ast.unparse(node)} can't be drawn.")

    def _number(self, node: ast.expr, uses: Mapping[str, Line]) -> float:
        match node:
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.Call(func=ast.Name(id="PERIOD"), args=[ast.Name(id=name)]):
                return float((uses[name].metric or {})["Period"])
        raise RecoError(f"The expression {ast.unparse(node)} can't be drawn.")


def draw(target: Target, name: str, file: Path, *, minutes: float, period: int | None) -> None:
    """Writes the dashboard's picture of the last minutes; `period` replaces the seconds of a point."""
    from matplotlib.figure import Figure

    body = _body_of(target, name)
    end = datetime.datetime.now(datetime.UTC)
    reader = Reader(target, end - datetime.timedelta(minutes=minutes), end)
    widgets = body["widgets"]
    width = max(widget["x"] + widget["width"] for widget in widgets)
    height = max(widget["y"] + widget["height"] for widget in widgets)
    figure = Figure(figsize=(width * _UNIT, height * _UNIT))
    for widget in widgets:
        left, top = widget["x"] / width, 1 - widget["y"] / height
        if widget["type"] == "text":
            title, _, text = widget["properties"]["markdown"].removeprefix("## ").replace("`", "").partition("\n")
            figure.text(left + 0.008, top - 0.6 / height, title, fontsize=15, weight="bold", va="top")
            figure.text(left + 0.008, top - 1.25 / height, text, fontsize=10, color="#555555", va="top")
            continue
        box = (left + 1.0 / width, top - (widget["height"] - 1.5) / height, (widget["width"] - 1.4) / width)
        axes = figure.add_axes((*box, (widget["height"] - 2.1) / height))
        lines = [(line.label, reader.read(line)) for line in lines_of(widget, period)]
        _draw_graph(axes, widget, lines, end, minutes)
    figure.savefig(file, dpi=90)


def _draw_graph(
    axes: Any, widget: Mapping[str, Any], lines: Sequence[tuple[str, _Series]], end: datetime.datetime, minutes: float
) -> None:
    """One widget of the type metric, over the minutes before the end."""
    for label, series in lines:
        points = sorted(((moment - end).total_seconds() / 60, value) for moment, value in series.items())
        axes.plot([at for at, _ in points], [v for _, v in points], label=label, marker=".", markersize=5, linewidth=1.2)
    for annotation in widget["properties"].get("annotations", {}).get("horizontal", []):
        axes.axhline(annotation["value"], color="#c0392b", linewidth=0.8, linestyle="--")
    if any(series for _, series in lines):
        highest = max(value for _, series in lines for value in series.values())
        axes.set_ylim(bottom=0, top=None if highest else 1)
        axes.set_xlim(-minutes, 0)
        axes.locator_params(axis="x", nbins=5)
        axes.xaxis.set_major_formatter("{x:g} min")
    else:
        axes.text(0.5, 0.5, "no data", transform=axes.transAxes, ha="center", color="#999999", fontsize=9)
        axes.set_xticks([])
        axes.set_yticks([])
    axes.set_title(widget["properties"].get("title", ""), fontsize=10, loc="left")
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    if lines:
        columns = 2 if max(len(label) for label, _ in lines) <= _HALF_A_GRAPH else 1
        below = {"loc": "upper left", "bbox_to_anchor": (-0.03, -0.1), "ncols": columns}
        axes.legend(fontsize=7.5, frameon=False, handlelength=1.2, columnspacing=1.0, labelspacing=0.3, **below)
