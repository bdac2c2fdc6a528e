"""How the command line talks: progress to stderr, results to stdout, tables for people and JSON for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table

#: Progress and errors; `--json` leaves stdout to the JSON alone.
progress = Console(stderr=True, highlight=False, soft_wrap=True)
results = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 120)


def say(message: str) -> None:
    """One line about what is going on."""
    progress.print(message)


def say_step(message: str) -> None:
    """One line about a step of something larger."""
    say(f"  {message}")


@contextmanager
def states_shown(title: str) -> Iterator[Callable[[str], None]]:
    """While a run goes on: yields what is to be told of each state that it enters."""
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), console=progress, transient=True) as bar:
        task = bar.add_task(title)

        def entered(state: str) -> None:
            bar.update(task, description=state)
            say_step(state)

        yield entered


def show_json(value: Any) -> None:
    json.dump(value, sys.stdout, indent=2, default=str)
    sys.stdout.write("\n")


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table; numbers are set right, with four digits after the point."""
    table = Table(title=title, title_justify="left", title_style="bold")
    numeric = [any(isinstance(row[position], int | float) for row in rows) for position in range(len(columns))]
    for name, right in zip(columns, numeric, strict=True):
        table.add_column(name, justify="right" if right else "left")
    for row in rows:
        table.add_row(*(f"{cell:.4f}" if isinstance(cell, float) else str(cell) for cell in row))
    results.print(table)
