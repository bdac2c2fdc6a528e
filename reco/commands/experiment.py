"""`reco experiment`: which variant does better, from the archive."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from reco.console import progress, results, show_json, show_table
from reco.errors import RecoError
from reco.experiments import archive
from reco.experiments.statistics import MISMATCH, Comparison, Counts, comparisons, rate, split_probability, verdict
from reco.local.attach import connect
from reco.options import DEFAULT_CONFIG, AwsOption, ConfigOption, JsonOption, config_of

DAYS = 30
#: What is counted, and how a sentence says it.
_OUTCOMES = {"clicked": "click-through", "converted": "conversion"}


def experiment(
    name: Annotated[str, typer.Argument(help="The experiment's name in the config.")],
    placement: Annotated[list[str] | None, typer.Option("--placement", help="Only exposures of this placement.")] = None,
    event_type: Annotated[str | None, typer.Option("--event-type", help="The event that is a conversion, such as buy.")] = None,
    since: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day (UTC), else 30 days ago.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    aws: AwsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Compare an experiment's variants: click-through, conversion, and whether a difference is statistically significant."""
    found = config_of(config)
    having = archive.placements_of(found, name)
    asked = placement or list(having)
    for one in asked:
        if one not in having:
            there = ", ".join(having)
            raise RecoError(f"The placement '{one}' does not have the experiment '{name}' (those that do: {there}).")
    converted = event_type or archive.conversion_of(found, asked[0])
    first = (since or datetime.now(UTC) - timedelta(days=DAYS)).date()
    with progress.status("Asking the archive"):
        rows = archive.run(connect(found.name, aws), archive.statement(name, asked, converted, first), first)
    variants, switched = archive.counts(having[asked[0]], rows)
    made = report(variants, switched) | {"experiment": name, "placements": asked, "event_type": converted, "since": str(first)}
    show_json(made) if as_json else show(name, converted, made)


def report(variants: Sequence[Counts], switched: int) -> dict[str, Any]:
    """What the counts say, for machines."""
    compared = {what: comparisons(variants, what) for what in _OUTCOMES}
    probability = split_probability(variants)
    rates = [{f"{what}_rate": vars(rate(getattr(one, what), one.users)) for what in _OUTCOMES} for one in variants]
    return {
        "variants": [vars(one) | found for one, found in zip(variants, rates, strict=True)],
        "comparisons": [described(what, one) for what in _OUTCOMES for one in compared[what]],
        "sample_ratio": {"probability": probability, "as_planned": probability >= MISMATCH},
        "switched": switched,
        "verdicts": verdicts(compared, probability),
    }


def described(what: str, comparison: Comparison) -> dict[str, Any]:
    return {"outcome": what, **vars(comparison), "difference": vars(comparison.difference), "told": comparison.is_significant}


def verdicts(compared: dict[str, list[Comparison]], probability: float) -> list[str]:
    """One sentence for each comparison; where users were not split as planned, that is all there is to say."""
    if probability < MISMATCH:
        return [
            "Don't trust these numbers: the users are not split as the weights say, which chance does in fewer than one of a "
            "thousand experiments. Look for calls without a user, bots, and events or exposures that one variant loses."
        ]
    return [verdict(one, outcome) for what, outcome in _OUTCOMES.items() for one in compared[what]]


def show(name: str, event_type: str, found: dict[str, Any]) -> None:
    columns = ["variant", "users", "clicked", "click-through [95 %]", event_type, "conversion [95 %]"]
    keys = ("variant", "users", "clicked", "clicked_rate", "converted", "converted_rate")
    rows = [[percent(one[key]) if key.endswith("_rate") else one[key] for key in keys] for one in found["variants"]]
    show_table(name, columns, rows)
    for sentence in found["verdicts"]:
        results.print(sentence)
    if found["switched"]:
        results.print(f"{found['switched']} users got more than one variant and don't count: the weights were changed meanwhile.")


def percent(found: dict[str, float]) -> str:
    return f"{100 * found['value']:.2f} % [{100 * found['low']:.2f}, {100 * found['high']:.2f}]"
