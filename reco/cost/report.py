"""Shows an estimate: tables for people, JSON for machines, a plot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lambdas.config import Config
from reco.console import results, show_table
from reco.cost.answers import Answers
from reco.cost.estimate import DRIVERS, LATER, Estimate, Line
from reco.cost.inputs import Prices
from reco.cost.measured import Number

#: Marks what rests on a price that is not certain.
MARK = "~"
_WAYS = {"as_is": "this config as it is", "real_time": "all in real time", "batch": "all by batch"}


def dollars(amount: float, certain: bool = True) -> str:
    """`~1,234.50`: a tilde before what is not certain."""
    return f"{'' if certain else MARK}{amount:,.2f}"


class _Sum:
    """Dollars, and between which bounds they lie."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.dollars = sum(line.dollars for line in lines)
        self.low = sum(line.low for line in lines)
        self.high = sum(line.high for line in lines)
        self.certain = all(line.certain for line in lines)

    def __str__(self) -> str:
        """`1,234.50`, or `800 to 2,400` where a price is uncertain."""
        if self.high - self.low < 0.01:
            return f"{self.dollars:,.2f}"
        return f"{self.low:,.0f} to {self.high:,.0f}" if self.high >= 10 else f"{self.low:,.2f} to {self.high:,.2f}"

    def as_json(self) -> dict[str, Any]:
        return {
            "dollars": round(self.dollars, 2),
            "low": round(self.low, 2),
            "high": round(self.high, 2),
            "certain": self.certain,
        }


def _grouped(lines: Sequence[Line], by: str) -> dict[str, _Sum]:
    """The sums by a field of the lines."""
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(getattr(line, by), []).append(line)
    return {key: _Sum(of) for key, of in found.items()}


def show(estimate: Estimate, config: Config, prices: Prices, numbers: Sequence[Number], notes: Sequence[str]) -> None:
    """Three sums first; then where the numbers are from, sums by service and by driver, the lines of the config as it is."""
    results.print(f"{config.name}, US dollars a month ({prices.region}, prices as of {prices.as_of}):", markup=False)
    for way, title in _WAYS.items():
        whole = _Sum(getattr(estimate, way))
        likely = "" if whole.high - whole.low < 0.01 else f", likely {whole.dollars:,.0f}"
        results.print(f"  {title:<22} {whole}{likely}", markup=False)
    rows = [[number.name.replace("_", " ").replace(".", ", "), f"{number.value:,.0f}", number.source] for number in numbers]
    show_table("Computed with", ["number", "value", "from"], rows)
    for note in notes:
        results.print(note, markup=False)
    for title, by in (("By service", "service"), ("By what drives the cost", "driver")):
        sums = [_grouped(getattr(estimate, way), by) for way in _WAYS]
        keys = list(DRIVERS) if by == "driver" else list(dict.fromkeys(key for found in sums for key in found))
        everything = [str(_Sum(getattr(estimate, way))) for way in _WAYS]
        table = [[key, *(str(found[key]) if key in found else "" for found in sums)] for key in keys]
        show_table(title, [by, *_WAYS.values()], [*table, ["all", *everything]])
    lines = [line for line in estimate.as_is if line.dollars >= 0.005]
    table = [[f"{line.service}: {line.what}", f"{line.quantity:,.0f}", line.unit, str(_Sum([line]))] for line in lines]
    show_table("Every line of the config as it is", ["what", "quantity", "unit", "dollars"], table)
    for sentence in _sentences(estimate):
        results.print(sentence, markup=False)


def _sentences(estimate: Estimate) -> list[str]:
    """What the sums don't tell."""
    found = [*_growth_sentence(estimate), _break_even_sentence(estimate)]
    if estimate.kept_in_real_time:
        found.append(
            f"Batch can't serve {', '.join(estimate.kept_in_real_time)}: they keep their campaigns in the column of batch."
        )
    unpriced = {line.what for way in _WAYS for line in getattr(estimate, way) if not line.has_figure}
    if unpriced:
        found.append(f"Billed, but by a price that no source names, and not in the sums: {', '.join(sorted(unpriced))}.")
    found.append(
        "A range is where a price is unknown: from half of the one figure that was found to twice as much. Prices of v2 recipes, "
        "of batch and of Kinesis are. AWS's pricing pages decide: write what they say into a file, and pass --prices FILE."
    )
    found.append(
        "Over which time AWS averages a campaign's calls is not documented: hours are taken, so short peaks may cost more."
    )
    return [*found, "Without free tier, tax, support plan, and traffic out of AWS."]


def _growth_sentence(estimate: Estimate) -> list[str]:
    """What trainings cost in the first month and in a later one."""
    first, later = (_Sum([line for line in of if line.driver == "training"]) for of in (estimate.as_is, estimate.later))
    if later.dollars - first.dollars < 0.01:
        return []
    return [
        f"Events stay in the data set, so trainings cost more from month to month: {first} in the first, {later} in "
        f"month {LATER} (with all else {_Sum(estimate.as_is)} and {_Sum(estimate.later)})."
    ]


def _break_even_sentence(estimate: Estimate) -> str:
    here = f"{estimate.requests_per_month:,.0f} requests a month are expected."
    if estimate.break_even.requests_per_month is None:
        other = "real time" if estimate.break_even.cheaper == "batch" else "batch"
        why = " (its campaigns cost more while they idle)" if other == "real time" else ""
        return f"At any number of requests {estimate.break_even.cheaper} is cheaper than {other}{why}; {here}"
    return f"Real time costs as much as batch at {estimate.break_even.requests_per_month:,.0f} requests a month; {here}"


def show_answers(answers: Answers) -> None:
    """What a million answers cost, Personalize apart; and where the function's time is from."""
    columns = ["what", "quantity", "unit", "dollars"]
    rows = [[f"{line.service}: {line.what}", f"{line.quantity:,.0f}", line.unit, str(_Sum([line]))] for line in answers.lines]
    show_table("One million answers, Personalize apart", columns, [*rows, ["all", "", "", str(_Sum(answers.lines))]])
    rows = [[line.what, f"{line.quantity:,.0f}", line.unit, str(_Sum([line]))] for line in answers.campaigns]
    show_table("What Personalize asks for them, from whichever campaign answers", columns, rows)
    time = f"{answers.milliseconds:,.1f} ms of a function with 1 GB, {answers.time_from}"
    if answers.at_least_ms < answers.milliseconds:
        time += f"; at least {answers.at_least_ms:,.1f} ms, by the benchmark, whose Personalize answers at once"
    results.print(f"Lambda's time of an answer: {time}. Reads of the catalogue: {answers.reads_from}.", markup=False)


def answers_as_json(answers: Answers) -> dict[str, Any]:
    """Dollars, and of the function's time and the table's reads where they are from."""
    return {
        **_Sum(answers.lines).as_json(),
        "lines": [asdict(line) for line in answers.lines],
        "campaigns": [asdict(line) for line in answers.campaigns],
        "milliseconds": answers.milliseconds,
        "at_least_milliseconds": answers.at_least_ms,
        "time_from": answers.time_from,
        "reads_from": answers.reads_from,
    }


def as_json(
    estimate: Estimate, config: Config, prices: Prices, numbers: Sequence[Number], notes: Sequence[str]
) -> dict[str, Any]:
    """Dollars a month; `certain` is false for whatever rests on an unknown price, and then `low` and `high` differ."""
    answer: dict[str, Any] = {"deployment": config.name, "region": prices.region, "prices_as_of": str(prices.as_of)}
    for way in _WAYS:
        lines = getattr(estimate, way)
        whole = _Sum(lines).as_json()
        answer[way] = {
            "dollars_per_month": whole["dollars"],
            **{key: whole[key] for key in ("low", "high", "certain")},
            "by_service": {key: found.as_json() for key, found in _grouped(lines, "service").items()},
            "by_driver": {key: found.as_json() for key, found in _grouped(lines, "driver").items()},
            "lines": [asdict(line) | {"dollars": round(line.dollars, 4)} for line in lines],
        }
    answer["later"] = {"month": LATER, **_Sum(estimate.later).as_json()}
    answer["numbers"] = [asdict(number) for number in numbers]
    answer["notes"] = list(notes)
    answer["kept_in_real_time"] = estimate.kept_in_real_time
    return {**answer, "requests_per_month": estimate.requests_per_month, "break_even": asdict(estimate.break_even)}


def draw(estimate: Estimate, config: Config, prices: Prices, file: Path) -> None:
    """Stacked bars by driver; a line behind each bar reaches from the least to the most."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.subplots()
    colours = dict(zip(DRIVERS, ("#5aa469", "#d08c2f", "#2f6fb5", "#9aa5b4"), strict=True))
    most = 1e-9
    for title, way in reversed([(title, way) for way, title in _WAYS.items()]):
        left, whole = 0.0, _Sum(getattr(estimate, way))
        for driver in DRIVERS:
            amount = sum(line.dollars for line in getattr(estimate, way) if line.driver == driver)
            axes.barh(title, amount, left=left, color=colours[driver], edgecolor="white")
            left += amount
        axes.errorbar(left, title, xerr=[[left - whole.low], [whole.high - left]], color="#444444", capsize=4)
        axes.annotate(f"  ${whole}", (whole.high, title), va="center", fontsize=9)
        most = max(most, whole.high)
    handles = [Patch(color=colour, label=driver) for driver, colour in colours.items()]
    axes.legend(handles=handles, fontsize=8, ncols=len(handles), loc="upper center", bbox_to_anchor=(0.45, -0.2), frameon=False)
    axes.set_xlim(0, 1.3 * most)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9)
    axes.set_title(f"{config.name}: US dollars a month, {prices.region}, prices as of {prices.as_of}", fontsize=10)
    figure.savefig(file, dpi=150)
