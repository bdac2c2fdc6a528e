"""Draws the lanes of an assembly: a band for each capability; from what starts it, over what runs, to Personalize."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

from tools.architecture_parts import Band, Lane, Step, Store

WIDTH, MARGIN, GAP = 1272, 16, 8
#: Left edges and widths of the columns: what starts a lane, its stream or queue, the lane itself, calls, Personalize.
ENTRY, SOURCE, LANE, CALLS, PERSONALIZE = (16, 206), (238, 76), (330, 704), (1034, 130), (1164, 100)
STEPS_WIDTH, CHIP_WIDTH, CHIP_HEIGHT, STEP_HEIGHT, LINE = 366, 106, 19, 23, 14
#: Steps and chips in a row.
ACROSS = 3
#: Pixels of a letter, by the size of the text: of the widest common sans-serif (Verdana, DejaVu Sans).
LETTER = 0.6
FONTS = "-apple-system, Segoe UI, Helvetica, Arial, sans-serif"
MARKER = 'markerWidth="8" markerHeight="8" refX="4" refY="4" orient="auto"'
#: What stands above the columns.
HEADINGS = {
    "what starts it": ENTRY[0],
    "buffer": SOURCE[0],
    "what runs": LANE[0],
    "what it reads and writes": LANE[0] + STEPS_WIDTH + 4,
    "what it asks": CALLS[0] + 2,
}

PALETTES: Mapping[str, Mapping[str, str]] = {
    "light": {
        "back": "#ffffff", "band": "#f4f6f9", "card": "#ffffff", "line": "#c3ccd8", "text": "#1d2733", "soft": "#5b6775",
        "arrow": "#6b7785", "function": "#e8772e", "job": "#7d4fc4", "delivery": "#c2407a", "machine": "#c2407a",
        "personalize": "#0b7a6f", "table": "#2f6fb5", "bucket": "#3f8f3a", "queue": "#c2407a", "stream": "#1a8fa8",
        "topic": "#c2407a", "parameter": "#7a8594", "bus": "#c2407a",
    },
    "dark": {
        "back": "#0d1117", "band": "#161b22", "card": "#0d1117", "line": "#3a4350", "text": "#e6edf3", "soft": "#9aa7b5",
        "arrow": "#8b97a5", "function": "#f0944d", "job": "#a98be8", "delivery": "#e06c9f", "machine": "#e06c9f",
        "personalize": "#35b5a5", "table": "#6ea8e6", "bucket": "#6cc466", "queue": "#e06c9f", "stream": "#4fc3d9",
        "topic": "#e06c9f", "parameter": "#9aa7b5", "bus": "#e06c9f",
    },
}  # fmt: skip
LEGEND = {
    "function": "function", "machine": "state machine", "job": "Glue job (Spark)", "stream": "stream",
    "queue": "queue, topic, bus, Firehose", "table": "table", "bucket": "prefix of the data bucket", "parameter": "parameter",
}  # fmt: skip


class Canvas:
    """SVG elements in the colours of a palette."""

    def __init__(self, palette: Mapping[str, str]) -> None:
        self.palette = palette
        self.elements: list[str] = []

    def box(
        self, x: float, y: float, width: float, height: float, fill: str, line: str = "", radius: int = 6, dashed: bool = False
    ) -> None:
        stroke = f' stroke="{self.palette[line]}"' if line else ""
        dash = ' stroke-dasharray="3 3"' if dashed else ""
        place = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius}"'
        self.elements.append(f'<rect {place} fill="{self.palette[fill]}"{stroke}{dash}/>')

    def text(
        self, x: float, y: float, words: str, size: float = 11, colour: str = "text", bold: bool = False, end: str = ""
    ) -> None:
        weight = ' font-weight="600"' if bold else ""
        anchor = f' text-anchor="{end}"' if end else ""
        self.elements.append(
            f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" fill="{self.palette[colour]}"{weight}{anchor}>{escape(words)}</text>'
        )

    def arrow(self, x: float, y: float, to_x: float, to_y: float) -> None:
        """Level, then upright, then level again."""
        half = (x + to_x) / 2
        path = f"M{x:g} {y:g}H{to_x - 5:g}" if y == to_y else f"M{x:g} {y:g}H{half:g}V{to_y:g}H{to_x - 5:g}"
        self.elements.append(f'<path d="{path}" fill="none" stroke="{self.palette["arrow"]}" marker-end="url(#head)"/>')

    def document(self, height: float, title: str) -> str:
        size = f'viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" height="{height:g}"'
        head = f'<path d="M0 0L8 4L0 8z" fill="{self.palette["arrow"]}"/>'
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family="{FONTS}">',
                f"<title>{escape(title)}</title>",
                f'<defs><marker id="head" {MARKER}>{head}</marker></defs>',
                f'<rect width="{WIDTH}" height="{height:g}" fill="{self.palette["back"]}"/>',
                *self.elements,
                "</svg>\n",
            ]
        )


def draw(bands: Sequence[Band], watched: str, palette: str) -> str:
    """The picture as SVG. `watched` is what is said about alarms."""
    canvas = Canvas(PALETTES[palette])
    for heading, x in HEADINGS.items():
        canvas.text(x + 4, 16, heading, 10.5, "soft")
    y = top = 24.0
    for band in bands:
        y = draw_band(canvas, band, y) + GAP
    x, width = PERSONALIZE
    canvas.box(x, top, width, y - GAP - top, "card", "personalize")
    middle = (top + y - GAP) / 2
    for row, words in enumerate(("Amazon", "Personalize")):
        canvas.text(x + width / 2, middle + 16 * row, words, 12, "personalize", bold=True, end="middle")
    legend(canvas, y + 10, watched)
    return canvas.document(y + 44, "What the stacks provision, by capability, and how data goes through it")


def draw_band(canvas: Canvas, band: Band, y: float) -> float:
    """Draws a capability; returns where it ends."""
    heights = [height_of(lane) for lane in band.lanes]
    height = 28 + sum(heights) + GAP * len(heights)
    canvas.box(8, y, CALLS[0] + CALLS[1] - 14, height, "band", radius=8)
    canvas.text(MARGIN + 4, y + 19, band.title, 13, bold=True)
    at = y + 28
    places = []
    for lane, tall in zip(band.lanes, heights, strict=True):
        draw_lane(canvas, lane, at, tall)
        places.append((lane, at, tall))
        at += tall + GAP
    for group in by_source(places):
        draw_beginning(canvas, group)
    return y + height


def by_source(places: list[tuple[Lane, float, float]]) -> list[list[tuple[Lane, float, float]]]:
    """Lanes that read the same stream or queue, together."""
    groups: list[list[tuple[Lane, float, float]]] = []
    for place in places:
        if groups and place[0].source and groups[-1][0][0].source == place[0].source:
            groups[-1].append(place)
        else:
            groups.append([place])
    return groups


def draw_beginning(canvas: Canvas, group: list[tuple[Lane, float, float]]) -> None:
    """What starts the lanes of a group, and the stream or queue between."""
    lane, top = group[0][0], group[0][1]
    bottom = group[-1][1] + group[-1][2]
    entries = list(dict.fromkeys(entry for one, _, _ in group for entry in one.entries)) or ["on demand"]
    tall = LINE * len(entries) + 14
    middle = (top + bottom) / 2
    canvas.box(ENTRY[0], middle - tall / 2, ENTRY[1], tall, "card", "line", dashed=entries == ["on demand"])
    for row, entry in enumerate(entries):
        canvas.text(ENTRY[0] + 8, middle - tall / 2 + 18 + LINE * row, entry, fitting(entry, ENTRY[1] - 16, 10.5))
    begins = ENTRY[0] + ENTRY[1]
    if lane.source:
        kind, name = lane.source
        canvas.arrow(begins, middle, SOURCE[0], middle)
        canvas.box(SOURCE[0], top, SOURCE[1], bottom - top, "card", kind)
        canvas.text(SOURCE[0] + SOURCE[1] / 2, middle - 2, name, 11.5, bold=True, end="middle")
        canvas.text(SOURCE[0] + SOURCE[1] / 2, middle + 12, "Kinesis" if kind == "stream" else "SQS", 10, "soft", end="middle")
        begins = SOURCE[0] + SOURCE[1]
    for _, at, height in group:
        canvas.arrow(begins, at + height / 2, LANE[0], at + height / 2)


def height_of(lane: Lane) -> float:
    steps = 26 + (STEP_HEIGHT + 4) * rows(lane.steps) + 4 if lane.machine else 24 + LINE * len(described(lane.steps[0])) + 4
    chips = (CHIP_HEIGHT + 4) * rows(lane.stores) + 8
    return max(steps, chips, 42 if lane.calls else 0)


def draw_lane(canvas: Canvas, lane: Lane, y: float, height: float) -> None:
    """The card of a machine or function: what runs at the left, what it reads and writes at the right."""
    x, width = LANE
    step = lane.steps[0]
    canvas.box(x, y, width, height, "card", "machine" if lane.machine else step.kind)
    if lane.machine:
        canvas.text(x + 10, y + 18, lane.machine, 12, bold=True)
        canvas.text(x + STEPS_WIDTH - 4, y + 18, "state machine", 10, "soft", end="end")
        for position, one in enumerate(lane.steps):
            draw_step(canvas, one, position, y + 26)
    else:
        canvas.text(x + 10, y + 18, step.name, 12, bold=True)
        for row, words in enumerate(described(step)):
            canvas.text(x + 10, y + 33 + LINE * row, words, 10.5, "soft")
    chips = (CHIP_HEIGHT + 4) * rows(lane.stores) - 4
    for position, store in enumerate(lane.stores):
        draw_chip(
            canvas,
            store,
            x + STEPS_WIDTH + 6 + position % ACROSS * (CHIP_WIDTH + 4),
            y + (height - chips) / 2 + position // ACROSS * 23,
        )
    if lane.calls:
        draw_calls(canvas, lane.calls, y + height / 2)


def draw_step(canvas: Canvas, step: Step, position: int, y: float) -> None:
    wide = (STEPS_WIDTH - 18) / ACROSS
    x, y = LANE[0] + 8 + position % ACROSS * (wide + 4), y + position // ACROSS * (STEP_HEIGHT + 4)
    canvas.box(x, y, wide, STEP_HEIGHT, "band", step.kind, radius=4)
    canvas.text(x + 6, y + 15.5, step.name, fitting(step.name, wide - 12, 10))


def draw_chip(canvas: Canvas, store: Store, x: float, y: float) -> None:
    """Its colour is its kind; the arrow tells whether it is read (from it) or written (to it)."""
    how = "⇄" if store.reads and store.writes else "←" if store.reads else "→"
    canvas.box(x, y, CHIP_WIDTH, CHIP_HEIGHT, "band", radius=3)
    canvas.box(x, y, 3, CHIP_HEIGHT, store.kind, radius=1)
    canvas.text(x + 8, y + 13.5, how, 10.5, store.kind, bold=True)
    name = "EventBridge" if store.kind == "bus" else store.name
    canvas.text(x + 22, y + 13.5, name, fitting(name, CHIP_WIDTH - 26, 10))


def draw_calls(canvas: Canvas, calls: Sequence[str], y: float) -> None:
    """What is asked of Personalize: by name if it is little."""
    x = CALLS[0]
    named = list(calls) if len(calls) <= 3 else [f"{len(calls)} calls"]
    canvas.arrow(LANE[0] + LANE[1], y, PERSONALIZE[0], y)
    for row, call in enumerate(named):
        below = row == len(named) - 1 and len(named) > 1
        at = y + 11 if below else y - 5 - 11 * (max(len(named) - 2, 0) - row)
        canvas.text(x + 3, at, call, fitting(call, CALLS[1] - 12, 9.5), "soft")


def legend(canvas: Canvas, y: float, watched: str) -> None:
    x = float(MARGIN)
    for kind, words in LEGEND.items():
        canvas.box(x, y - 9, 10, 10, kind, radius=2)
        canvas.text(x + 15, y, words, 10.5, "soft")
        x += 15 + LETTER * 10.5 * len(words) + 10
    canvas.text(x + 6, y, "← reads  → writes  ⇄ both", 10.5, "soft")
    canvas.text(MARGIN, y + 19, watched, 10.5, "soft")


def rows(parts: Sequence[object]) -> int:
    return -(-len(parts) // ACROSS)


def described(step: Step) -> list[str]:
    """The description in as many lines as it needs beside the chips."""
    lines = [""]
    for word in step.description.split():
        if len(f"{lines[-1]} {word}") * LETTER * 10.5 > STEPS_WIDTH - 12:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def fitting(words: str, width: float, size: float) -> float:
    """The size at which the words have room: the one given, or a smaller one."""
    return min(size, round(width / (LETTER * len(words)), 1))
