"""How the command line talks: progress to stderr, results to stdout, tables for people and JSON for machines."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from reco.deployment.progress import Doing

#: Progress and errors; `--json` leaves stdout to the JSON alone.
progress = Console(stderr=True, highlight=False, soft_wrap=True)
results = Console(highlight=False, soft_wrap=True)

_FIGURE = re.compile(r"[$+-]*[\d,]+(\.\d+)?%?")


def say(message: str) -> None:
    """One line about what is going on."""
    progress.print(message)


def say_step(message: str) -> None:
    """One line about a step of something larger."""
    say(f"  {message}")


class Steps:
    """Prints each step of something longer, with its seconds, when the next one begins; at once where somebody has to act."""

    def __init__(self, on_line: Callable[[str], None] = say_step) -> None:
        self._say, self._step, self._text, self._began = on_line, "", "", time.monotonic()

    def __call__(self, doing: Doing) -> None:
        if doing.step != self._step:
            self.end()
            self._step, self._began = doing.step, time.monotonic()
        self._text = "" if doing.waits else doing.text
        if doing.waits:
            self._say(doing.text)

    def end(self) -> None:
        if self._text:
            self._say(f"{self._text} ({time.monotonic() - self._began:.1f} s)")
        self._text = ""


@contextmanager
def run_shown(title: str) -> Iterator[Callable[[Doing], None]]:
    """While a run goes on: yields what is to be told of all that it does."""
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=progress, transient=True) as bar:
        task, steps = bar.add_task(title), Steps()

        def tell(doing: Doing) -> None:
            bar.update(task, description=doing.text)
            steps(doing)

        yield tell
        steps.end()


def show_json(value: Any) -> None:
    json.dump(value, sys.stdout, indent=2, default=str)
    sys.stdout.write("\n")


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table that fits the terminal, or 80 columns in a pipe, with whole words; numbers are set right.

    A table that is too wide is shown in parts, which repeat the first column. Where even a single column is too wide, as a URL
    may be, each row becomes lines of `column: value`.
    """
    texts = [[shown(cell) for cell in row] for row in rows]
    heads = [column.splitlines() or [""] for column in columns]
    right = [any(_is_number(row[position]) for row in rows) for position in range(len(columns))]
    least = [max(_longest_word(text) for text in [*head, *(row[n] for row in texts)]) for n, head in enumerate(heads)]
    parts = _parts(least, results.width)
    if parts is None:
        results.print(title, style="bold", markup=False)
        for row in texts:
            lines = [f"{' '.join(head)}: {cell}".removeprefix(": ") for head, cell in zip(heads, row, strict=True) if cell]
            results.print("\n  ".join(lines), markup=False)
        return
    for number, part in enumerate(parts):
        name = title if number == 0 else f"{title}, continued"
        table = Table(title=name, title_justify="left", title_style="bold")
        natural = [max(_widest(text) for text in [*heads[n], *(row[n] for row in texts)]) for n in part]
        for n, width in zip(part, _widths([least[n] for n in part], natural, results.width), strict=True):
            table.add_column(Text("\n".join(heads[n])), justify="right" if right[n] else "left", width=width)
        for row in texts:
            table.add_row(*(Text(row[n]) for n in part))
        results.print(table)


def shown(cell: Any) -> str:
    """Whole numbers with thousands apart, others with four digits behind the point, nothing for None."""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, int):
        return f"{cell:,}"
    return f"{cell:.4f}" if isinstance(cell, float) else "" if cell is None else str(cell)


def _is_number(cell: Any) -> bool:
    return (isinstance(cell, int | float) and not isinstance(cell, bool)) or bool(_FIGURE.fullmatch(str(cell)))


def _longest_word(text: str) -> int:
    return max((cell_len(word) for word in text.split()), default=0)


def _widest(text: str) -> int:
    return max((cell_len(line) for line in text.splitlines()), default=0)


def _framed(widths: Sequence[int]) -> int:
    """A table's width: a frame and two spaces around each column."""
    return sum(widths) + 3 * len(widths) + 1


def _parts(least: Sequence[int], room: int) -> list[list[int]] | None:
    """The columns of each table; None where not even the first and one other fit beside each other."""
    if _framed(least) <= room:
        return [list(range(len(least)))]
    parts: list[list[int]] = []
    for n in range(1, len(least)):
        if _framed([least[0], least[n]]) > room:
            return None
        if parts and _framed([least[each] for each in [*parts[-1], n]]) <= room:
            parts[-1].append(n)
        else:
            parts.append([0, n])
    return parts or None


def _widths(least: Sequence[int], natural: Sequence[int], room: int) -> list[int]:
    """Each column as wide as its longest word, and what is left where it is wanted: the narrowest wish first."""
    widths, spare = list(least), room - _framed(least)
    for n in sorted(range(len(least)), key=lambda each: natural[each] - least[each]):
        wishing = sum(natural[each] > widths[each] for each in range(len(least))) or 1
        given = min(natural[n] - least[n], spare // wishing)
        widths[n] += given
        spare -= given
    return widths
