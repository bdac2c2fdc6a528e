"""The metrics of solutions as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lambdas.training.metric_labels import metric_label

#: The rows, of personalize/latest/dg/working-with-training-metrics.html; other metrics are not shown.
_SHOWN = (
    "coverage",
    "mean_reciprocal_rank_at_25",
    *(f"normalized_discounted_cumulative_gain_at_{k}" for k in (5, 10, 25)),
    *(f"precision_at_{k}" for k in (5, 10, 25)),
)


def metrics_rows(solutions: Sequence[dict[str, Any]]) -> tuple[list[str], list[list[Any]]]:
    """Columns and rows: one metric a row, one solution a column; the decision on the version last."""
    heads = [s["name"] for s in solutions]
    rows = [[metric_label(metric), *(s["metrics"].get(metric, "") for s in solutions)] for metric in _SHOWN]
    decisions = [s.get("verdict", {}).get("decision", "") for s in solutions]
    return ["metric", *heads], [*rows, ["decision", *decisions]]


def recipes(solutions: Sequence[dict[str, Any]]) -> str:
    """Which recipe each column is of."""
    return "Recipes: " + ", ".join(f"{s['name']} is {s['recipe'].removeprefix('aws-')}" for s in solutions) + "."


def reasons(solutions: Sequence[dict[str, Any]]) -> list[str]:
    """Why versions were not deployed, a sentence each."""
    return [
        f"{s['name']} was not deployed: {'; '.join(s['verdict']['reasons'])}"
        for s in solutions
        if s.get("verdict", {}).get("decision") in ("refuse", "rejected", "unanswered", "rolled_back")
    ]
