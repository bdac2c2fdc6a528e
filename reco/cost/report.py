"""Shows an estimate: tables for people, JSON for machines, a plot."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from lambdas.config import Config
from reco.console import results, show_table
from reco.cost.estimate import DRIVERS, Estimate, Line, total
from reco.cost.inputs import Prices

#: Marks what rests on a price that is not certain.
MARK = "~"
_WAYS = {"real_time": "real time", "batch": "batch"}


def dollars(amount: float, certain: bool = True) -> str:
    """`~1,234.50`: a tilde before what is not certain."""
    return f"{'' if certain else MARK}{amount:,.2f}"


def _grouped(lines: list[Line], by: str) -> dict[str, tuple[float, bool]]:
    """Dollars by a field of the lines, and whether all of them are certain."""
    found: dict[str, tuple[float, bool]] = {}
    for line in lines:
        amount, certain = found.get(getattr(line, by), (0.0, True))
        found[getattr(line, by)] = (amount + line.dollars, certain and line.certain)
    return found


def _is_certain(lines: list[Line]) -> bool:
    return all(line.certain for line in lines)


def cell(sums: dict[str, tuple[float, bool]], key: str) -> str:
    return dollars(*sums[key]) if key in sums else ""


def show(estimate: Estimate, config: Config, prices: Prices) -> None:
    """Every line, sums by service and by driver, and the break-even."""
    rows = [
        [_WAYS[way], line.service, line.what, f"{line.quantity:,.6g}", line.unit, dollars(line.dollars, line.certain)]
        for way in _WAYS
        for line in getattr(estimate, way)
        if line.dollars >= 0.005
    ]
    show_table(f"{config.name}: a month in US dollars", ["", "service", "what", "quantity", "unit", "dollars"], rows)
    for title, by in (("By service", "service"), ("By what drives the cost", "driver")):
        sums = [_grouped(getattr(estimate, way), by) for way in _WAYS]
        keys = list(DRIVERS) if by == "driver" else list(dict.fromkeys(key for found in sums for key in found))
        rows = [[key, *(cell(found, key) for found in sums)] for key in keys]
        everything = [dollars(total(getattr(estimate, way)), _is_certain(getattr(estimate, way))) for way in _WAYS]
        show_table(title, [by, *_WAYS.values()], [*rows, ["all", *everything]])
    results.print(_break_even_sentence(estimate))
    results.print(
        f"Prices of {prices.region} as of {prices.as_of}. {MARK} marks what rests on a price that is not certain: "
        "AWS's pricing pages decide. Without free tier, tax, and traffic out of AWS."
    )


def _break_even_sentence(estimate: Estimate) -> str:
    here = f"{estimate.requests_per_month:,.0f} requests a month are expected."
    if estimate.break_even.requests_per_month is None:
        other = "real time" if estimate.break_even.cheaper == "batch" else "batch"
        why = " (its campaigns cost more while they idle)" if other == "real time" else ""
        return f"At any number of requests {estimate.break_even.cheaper} is cheaper than {other}{why}; {here}"
    return f"Real time costs as much as batch at {estimate.break_even.requests_per_month:,.0f} requests a month; {here}"


def as_json(estimate: Estimate, config: Config, prices: Prices) -> dict[str, Any]:
    """Dollars a month; `certain` is false for whatever rests on an uncertain price."""
    answer: dict[str, Any] = {"deployment": config.name, "region": prices.region, "prices_as_of": str(prices.as_of)}
    for way in _WAYS:
        lines = getattr(estimate, way)
        answer[way] = {
            "dollars_per_month": round(total(lines), 2),
            "certain": _is_certain(lines),
            "by_service": _sums_as_json(_grouped(lines, "service")),
            "by_driver": _sums_as_json(_grouped(lines, "driver")),
            "lines": [asdict(line) | {"dollars": round(line.dollars, 4)} for line in lines],
        }
    return {**answer, "requests_per_month": estimate.requests_per_month, "break_even": asdict(estimate.break_even)}


def _sums_as_json(sums: dict[str, tuple[float, bool]]) -> dict[str, Any]:
    return {key: {"dollars": round(amount, 2), "certain": certain} for key, (amount, certain) in sums.items()}


def draw(estimate: Estimate, config: Config, prices: Prices, file: Path) -> None:
    """Stacked bars by driver; hatched is what rests on uncertain prices."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    figure = Figure(figsize=(7, 2.6), layout="constrained")
    axes = figure.subplots()
    colours = dict(zip(DRIVERS, ("#5aa469", "#d08c2f", "#2f6fb5", "#9aa5b4"), strict=True))
    names = list(reversed(_WAYS))
    left = dict.fromkeys(names, 0.0)
    for driver in DRIVERS:
        for way in names:
            for certain in (True, False):
                lines = [line for line in getattr(estimate, way) if (line.driver, line.certain) == (driver, certain)]
                bars = axes.barh(_WAYS[way], total(lines), left=left[way], color=colours[driver], edgecolor="white")
                bars[0].set_hatch("" if certain else "///")
                left[way] += total(lines)
    for way in names:
        axes.annotate(f" ${left[way]:,.0f}", (left[way], _WAYS[way]), va="center", fontsize=9)
    handles = [Patch(color=colour, label=driver) for driver, colour in colours.items()]
    handles.append(Patch(facecolor="#dddddd", edgecolor="white", hatch="///", label="uncertain price"))
    axes.legend(handles=handles, fontsize=8, ncols=len(handles), loc="upper center", bbox_to_anchor=(0.45, -0.2), frameon=False)
    axes.set_xlim(0, 1.15 * max(*left.values(), 1e-9))
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9)
    axes.set_title(f"{config.name}: US dollars a month, {prices.region}, prices as of {prices.as_of}", fontsize=10)
    figure.savefig(file, dpi=150)
