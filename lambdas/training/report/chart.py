"""A small line chart as inline SVG; its colours come from the page's style sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Literal

WIDTH, HEIGHT = 280, 140
LEFT, RIGHT, TOP, BOTTOM = 40, 12, 26, 22


Mark = Literal["deployed", "refused", "other"]


@dataclass(frozen=True)
class Point:
    """A value at a time; `about` is shown when the pointer rests on it."""

    at: datetime
    value: float
    mark: Mark
    about: str


def line_chart(title: str, points: Sequence[Point]) -> str:
    """The points in the order of time, on an axis from 0; an empty text when there are none."""
    points = sorted((p for p in points if math.isfinite(p.value)), key=lambda p: p.at)
    if not points:
        return ""
    top = _ceiling(max(point.value for point in points))
    first, last = points[0].at, points[-1].at
    spots = [(_across(p.at, first, last), down(p.value, top)) for p in points]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(summary(title, points))}">',
        f'<text class="title" x="{LEFT}" y="14">{escape(title)}</text>',
        *(_grid_line(value, top) for value in (0, top / 2, top)),
        f'<polyline points="{line}"/>',
        *(marked(point, x, y) for point, (x, y) in zip(points, spots, strict=True)),
        *_dates(first, last),
        "</svg>",
    ]
    return "".join(parts)


def _ceiling(value: float) -> float:
    """The upper end of the axis: 1, 2 or 5 times a power of ten, at least `value`."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value * (1 - 1e-9))


def _across(at: datetime, first: datetime, last: datetime) -> float:
    """A lone point, or points of one moment, stand in the middle."""
    span = (last - first).total_seconds()
    share = (at - first).total_seconds() / span if span else 0.5
    return LEFT + 6 + share * (WIDTH - LEFT - RIGHT - 12)


def down(value: float, top: float) -> float:
    return HEIGHT - BOTTOM - max(0.0, value) / top * (HEIGHT - TOP - BOTTOM)


def _grid_line(value: float, top: float) -> str:
    y = down(value, top)
    return (
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="scale" x="{LEFT - 5}" y="{y + 3.5:.1f}" text-anchor="end">{value:g}</text>'
    )


def marked(point: Point, x: float, y: float) -> str:
    """Deployed: a filled circle; refused: a cross; else a hollow circle. Shape and colour say the same."""
    if point.mark == "refused":
        shape = f'<path d="M{x - 3.5:.1f} {y - 3.5:.1f}l7 7m0-7l-7 7"/>'
    else:
        shape = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>'
    return f'<g class="{point.mark}"><title>{escape(point.about)}</title>{shape}</g>'


def _dates(first: datetime, last: datetime) -> list[str]:
    """The day at both ends, once when they are the same."""
    y = HEIGHT - 6
    days = [at.astimezone(UTC).date().isoformat() for at in (first, last)]
    if days[0] == days[1]:
        return [f'<text class="scale" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{y}" text-anchor="middle">{days[0]}</text>']
    return [
        f'<text class="scale" x="{LEFT}" y="{y}">{days[0]}</text>',
        f'<text class="scale" x="{WIDTH - RIGHT}" y="{y}" text-anchor="end">{days[1]}</text>',
    ]


def summary(title: str, points: Sequence[Point]) -> str:
    """The chart in words, for those who don't see it."""
    many = f"{len(points)} versions" if len(points) > 1 else "one version"
    return f"{title} of {many}, the last {points[-1].value:.4f}"
