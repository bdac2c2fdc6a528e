"""The metrics of solutions as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

#: Row heads for the metrics of personalize/latest/dg/working-with-training-metrics.html; other metrics are not shown.
HEADS = {
    "coverage": "coverage",
    "mean_reciprocal_rank_at_25": "MRR@25",
    "normalized_discounted_cumulative_gain_at_5": "NDCG@5",
    "normalized_discounted_cumulative_gain_at_10": "NDCG@10",
    "normalized_discounted_cumulative_gain_at_25": "NDCG@25",
    "precision_at_5": "P@5",
    "precision_at_10": "P@10",
    "precision_at_25": "P@25",
}


def metrics_rows(solutions: Sequence[dict[str, Any]]) -> tuple[list[str], list[list[Any]]]:
    """Columns and rows: one metric a row, one solution a column, the recipe below the solution's name."""
    heads = [f"{s['name']}\n{s['recipe'].removeprefix('aws-')}" for s in solutions]
    rows = [[head, *(s["metrics"].get(metric, "") for s in solutions)] for metric, head in HEADS.items()]
    return ["metric", *heads], rows
