"""The plots of the benchmarks' page: one function for each benchmark's JSON."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

OURS, THEIRS, THIRD = "#2f6fb5", "#9aa5b4", "#d08c2f"
#: Text stays text and ids don't change, so that files are light and differ only where figures do.
_STYLE: Any = {"svg.fonttype": "none", "svg.hashsalt": "bench", "font.family": "sans-serif", "font.size": 9}


def save(figure: Figure, file: Path) -> None:
    with matplotlib.rc_context(_STYLE):
        figure.savefig(file, format="svg", metadata={"Date": None})


def pipeline(figures: dict[str, Any]) -> Figure:
    """States, functions and transitions beside the official solution's."""
    official = figures["official"]
    pairs = {
        "states": (figures["states"], official["states"]),
        "functions": (figures["functions"], official["functions"]),
        "transitions, first run": (figures["transitions"]["first"], official["transitions"]),
    }
    figure, axes = _canvas(len(pairs) * 0.7 + 0.6)
    for offset, (label, colour, position) in enumerate((("recostack", OURS, 0), ("official solution", THEIRS, 1))):
        rows = [row + 0.36 * offset for row in range(len(pairs))]
        bars = axes.barh(rows, [pair[position] for pair in pairs.values()], height=0.34, color=colour, label=label)
        axes.bar_label(bars, padding=3, fontsize=8)
    axes.set_yticks([row + 0.18 for row in range(len(pairs))], list(pairs))
    axes.invert_yaxis()
    _legend(axes, loc="upper right")
    return figure


def serving(figures: dict[str, Any]) -> Figure:
    """Milliseconds of a request, split by whose they are, beside the bare call."""
    figure, axes = _canvas(1.7)
    client, powertools = figures["own_client_ms"]["p50"], figures["powertools_ms"]["p50"]
    parts = {
        "the signed call": (client, THEIRS),
        "Powertools": (powertools, THIRD),
        "rules, attributes, the answer": (figures["own_ms"]["p50"] - powertools, OURS),
    }
    left = 0.0
    for label, (milliseconds, colour) in parts.items():
        axes.barh(["the whole request"], [milliseconds], left=left, color=colour, label=label)
        left += milliseconds
    axes.barh(["bare boto3"], [figures["bare_boto3_ms"]["p50"]], color="#c5ccd6")
    axes.set_xlabel("milliseconds, p50")
    axes.invert_yaxis()
    _legend(axes, ncols=3, loc="upper center", bbox_to_anchor=(0.45, -0.38))
    return figure


def loader_memory(figures: dict[str, Any]) -> Figure:
    """Peak memory by lines of the file."""
    figure, axes = _canvas(2.2)
    _curve(axes, figures["peak_mb"], OURS)
    axes.set_xscale("log")
    axes.set_ylim(0, 1.2 * max(figures["peak_mb"].values()))
    axes.set_xlabel("lines of the file")
    axes.set_ylabel("peak memory, MB")
    return figure


def spark_seconds(figures: dict[str, Any]) -> Figure:
    """Seconds by events, beside growth in proportion."""
    figure, axes = _canvas(2.4)
    seconds = figures["spark_s"]
    axes.xaxis.set_major_formatter("{x:,.0f}")
    _curve(axes, seconds, OURS, "measured")
    first = min(map(int, seconds))
    proportional = {count: seconds[str(first)] * int(count) / first for count in seconds}
    _curve(axes, proportional, THEIRS, "in proportion to the smallest")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("events")
    axes.set_ylabel("seconds")
    _legend(axes)
    return figure


def emulator(figures: dict[str, Any]) -> Figure:
    """Seconds of training by recipe, at the sizes with the fewest and the most interactions of the smaller catalogue."""
    least = min(size["items"] for size in figures["sizes"].values())
    sizes = {name: size for name, size in figures["sizes"].items() if size["items"] == least}
    recipes = list(figures["recipes"])
    figure, axes = _canvas(len(recipes) * 0.32 + 0.9)
    step = 0.8 / len(sizes)
    for offset, (name, colour) in enumerate(zip(sizes, (THEIRS, OURS), strict=False)):
        rows = [row + offset * step for row in range(len(recipes))]
        seconds = [figures["recipes"][recipe][name]["training"]["seconds"] for recipe in recipes]
        bars = axes.barh(rows, seconds, height=step * 0.95, color=colour, label=name)
        axes.bar_label(bars, [f"{value:.1f}" for value in seconds], padding=3, fontsize=7)
    axes.set_yticks([row + step / 2 for row in range(len(recipes))], recipes)
    axes.set_xlabel("seconds of training")
    axes.invert_yaxis()
    _legend(axes, loc="lower right")
    return figure


def accuracy(figures: dict[str, Any]) -> Figure:
    """NDCG@10 of recipes and baselines, with the deviation over the draws of the users."""
    metric = "normalized_discounted_cumulative_gain_at_10"
    personal = ("aws-user-personalization-v2", "aws-popularity-count", "aws-trending-now")
    shown = figures["ml-100k, for a user"]
    rows = [(name, shown[name][metric], OURS) for name in personal]
    rows += [(name, summary[metric], THEIRS) for name, summary in shown.items() if not name.startswith("aws-")]
    rows.sort(key=lambda row: -row[1]["mean"])
    figure, axes = _canvas(len(rows) * 0.28 + 0.6)
    means, deviations = ([row[1][which] for row in rows] for which in ("mean", "deviation"))
    axes.barh([row[0] for row in rows], means, xerr=deviations, color=[row[2] for row in rows], ecolor="#555555")
    axes.set_xlabel("NDCG@10")
    axes.invert_yaxis()
    return figure


def _canvas(height: float) -> tuple[Figure, Axes]:
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(7, height + 0.4), layout="constrained")
        axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _curve(axes: Axes, points: Mapping[str, float], colour: str, label: str = "") -> None:
    ordered = sorted((int(count), value) for count, value in points.items())
    axes.plot(*zip(*ordered, strict=True), marker="o", color=colour, label=label)


def _legend(axes: Axes, **place: Any) -> None:
    axes.legend(frameon=False, fontsize=8, **place)
