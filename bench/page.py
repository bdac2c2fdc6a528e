"""Writes the benchmarks' page: what was measured on which machine, each figure beside its target, plots."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench import plots
from bench.benchmarks import Benchmark, Figures, Measure, Size
from bench.running import Outcome

_MET = {True: "met", False: "**not met**", None: ""}
_COMMANDS: dict[Size, str] = {"small": "make bench", "full": "make bench-full"}
_INTRODUCTION = (
    "Most figures are ratios, both sides measured in one run on one machine: they say more about the code than seconds do. "
    "Targets are those that the parts were built to; a figure without one is there to be known. The page is written by "
    "`{command}` (`python -m bench --from-cache{flag}` writes it again from the last figures); {note}. A load above the number "
    "of cores means that other work disturbed the seconds and, less, the ratios."
)
_NOTES: dict[Size, str] = {
    "small": "sizes are small, `make bench-full` measures the rest",
    "full": "sizes are the full ones",
}

#: Stands for a space while lines are broken.
_NO_BREAK = "\0"

_Results = Mapping[str, tuple[Outcome, Figures | None]]


def write(benchmarks: Sequence[Benchmark], results: _Results, machine: Mapping[str, str], size: Size, file: Path) -> None:
    """The page, and its plots in `images/` beside it."""
    images = file.parent / "images"
    images.mkdir(parents=True, exist_ok=True)
    text = "\n".join(lines(benchmarks, results, machine, size, images))
    file.write_text(text.rstrip() + "\n")


def lines(
    benchmarks: Sequence[Benchmark], results: _Results, machine: Mapping[str, str], size: Size, images: Path
) -> Iterator[str]:
    yield "# Benchmarks\n"
    flag = " --full" if size == "full" else ""
    yield _paragraph(_INTRODUCTION.format(command=_COMMANDS[size], flag=flag, note=_NOTES[size]))
    yield _paragraph(f"Measured {days(results)}; {', '.join(f'{name}: {value}' for name, value in machine.items())}.")
    yield from summary(benchmarks, results)
    for benchmark in benchmarks:
        yield from section(benchmark, results.get(benchmark.name), images)


def _paragraph(text: str) -> str:
    """In lines of 130 letters; code is not broken."""
    code = re.sub("`[^`]*`", lambda match: match[0].replace(" ", _NO_BREAK), text)
    return textwrap.fill(code, 130, break_long_words=False, break_on_hyphens=False).replace(_NO_BREAK, " ") + "\n"


def days(results: _Results) -> str:
    """`on 2026-11-24`, or from when to when."""
    found = sorted({outcome.day for outcome, _ in results.values()})
    return f"on {found[0]}" if len(found) == 1 else f"from {found[0]} to {found[-1]}" if found else "never"


def summary(benchmarks: Sequence[Benchmark], results: _Results) -> Iterator[str]:
    """How many of the targets are met, by benchmark."""
    yield "| | targets met | seconds | load of the machine before |\n|---|---|---|---|"
    for benchmark in benchmarks:
        link = f"[{benchmark.title}](#{anchor(benchmark.title)})"
        if benchmark.name not in results:
            yield f"| {link} | not run | | |"
            continue
        outcome, figures = results[benchmark.name]
        yield f"| {link} | {_met(benchmark, outcome, figures)} | {outcome.seconds:.0f} | {outcome.load:.1f} |"
    yield f"| together | | {sum(outcome.seconds for outcome, _ in results.values()):.0f} | |\n"


def _met(benchmark: Benchmark, outcome: Outcome, figures: Figures | None) -> str:
    if figures is None:
        return "**failed**"
    values = [(measure, measure.value(figures)) for measure in benchmark.measures]
    judged = [measure.is_met(value) for measure, value in values if value is not None]
    limited = [verdict for verdict in judged if verdict is not None]
    said = f"{sum(limited)} of {len(limited)}" if limited else "none at this size" if _has_targets(benchmark) else "no targets"
    return said + (" (failed)" if outcome.problem else "")


def _has_targets(benchmark: Benchmark) -> bool:
    return any(measure.at_most is not None or measure.at_least is not None for measure in benchmark.measures)


def section(benchmark: Benchmark, result: tuple[Outcome, Figures | None] | None, images: Path) -> Iterator[str]:
    """One benchmark: figures and targets, its plot, or that it failed."""
    yield f"## {benchmark.title}\n"
    yield _paragraph(f"{benchmark.compares} By `python -m {benchmark.module}`; [more about it]({benchmark.page}).")
    picture = images / f"bench-{benchmark.name}.svg"
    if result is None:
        yield "It was not run.\n"
        return
    outcome, figures = result
    if outcome.problem:
        yield f"**It failed**: {outcome.problem}.\n"
    if figures is None:
        return
    yield "| | measured | target | |\n|---|---|---|---|"
    for measure in benchmark.measures:
        yield row(measure, figures)
    yield ""
    if benchmark.draw:
        plots.save(benchmark.draw(figures), picture)
        yield f"![{benchmark.title}](images/{picture.name})\n"


def row(measure: Measure, figures: Figures) -> str:
    value = measure.value(figures)
    if value is None:
        return f"| {measure.what} | not at this size | {target(measure)} | |"
    return f"| {measure.what} | {number(value, measure.unit)} | {target(measure)} | {_MET[measure.is_met(value)]} |"


def target(measure: Measure) -> str:
    if measure.at_most == 0:
        return "none"
    if measure.at_most is not None:
        return f"at most {number(measure.at_most, measure.unit)}"
    return f"at least {number(measure.at_least, measure.unit)}" if measure.at_least is not None else ""


def number(value: float, unit: str) -> str:
    """Three digits are enough to compare by."""
    shown = f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
    return shown + unit


def anchor(title: str) -> str:
    """As renderers of Markdown make it from a heading."""
    kept = "".join(character for character in title.lower() if character.isalnum() or character in " -")
    return kept.replace(" ", "-")
