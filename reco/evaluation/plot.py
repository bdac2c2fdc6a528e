"""Draws an evaluation: a panel for each metric, a bar for each solution."""

from __future__ import annotations

from pathlib import Path

from reco.evaluation.evaluate import BASELINE, METRICS, Evaluation


def draw(evaluation: Evaluation, file: Path) -> None:
    """Write the picture; its format is that of the file's suffix."""
    from matplotlib.figure import Figure

    names = list(reversed(evaluation.metrics))
    shown = [metric for metric in METRICS if any(metric in values for values in evaluation.metrics.values())]
    figure = Figure(figsize=(2.2 * len(shown) + 2, 0.45 * len(names) + 1.2), layout="constrained")
    for position, (axes, metric) in enumerate(
        zip(figure.subplots(1, len(shown), sharey=True, squeeze=False)[0], shown, strict=True)
    ):
        values = [evaluation.metrics[name].get(metric, 0.0) for name in names]
        colours = ["#9aa5b4" if name == BASELINE else "#2f6fb5" for name in names]
        bars = axes.barh(names, values, color=colours)
        axes.bar_label(bars, [f"{value:.3f}" for value in values], padding=2, fontsize=8)
        axes.set_xlim(0, 1.35 * max([*values, 1e-9]))
        axes.set_title(METRICS[metric], fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8, left=position == 0)
    figure.suptitle(f"{evaluation.users} users, {evaluation.held_events} held-out events", fontsize=9)
    figure.savefig(file, dpi=150)
