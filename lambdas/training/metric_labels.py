"""Short names of the service's metrics (docs: personalize/latest/dg/working-with-training-metrics.html)."""

from __future__ import annotations

_SHORT = {"normalized_discounted_cumulative_gain": "NDCG", "mean_reciprocal_rank": "MRR", "precision": "P"}


def metric_label(metric: str) -> str:
    """`normalized_discounted_cumulative_gain_at_25` is `NDCG@25`; what has no short name keeps its own, in words."""
    name, _, cut_off = metric.partition("_at_")
    for long, short in _SHORT.items():
        if name.startswith(long):
            name = short + name.removeprefix(long)
    return name.replace("_", " ") + (f"@{cut_off.replace('_', ' ')}" if cut_off else "")
