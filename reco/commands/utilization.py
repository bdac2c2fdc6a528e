"""`reco utilization`: which campaigns have more capacity than they need, or less, in TPS and dollars."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from reco.console import results, show_json, show_table
from reco.cost.inputs import load_prices
from reco.cost.report import MARK, dollars
from reco.cost.utilization import ENOUGH_HOURS, PEAK_SHARE, Utilization, utilizations
from reco.local.attach import connect
from reco.options import DEFAULT_CONFIG, AwsOption, ConfigOption, JsonOption, config_of

_COLUMNS = ["campaign", "min TPS", "used, mean", "least", "peak", "used %", "$ a month", "suggested min TPS", "$ a month then"]


def utilization(
    config: ConfigOption = DEFAULT_CONFIG,
    days: Annotated[float, typer.Option(help="How far to look back.", min=0.01, max=60)] = 7,
    prices: Annotated[Path | None, typer.Option(help="A file with prices that differ from those that come along.")] = None,
    aws: AwsOption = False,
    as_json: JsonOption = False,
) -> None:
    """What campaigns provision and use, which min_provisioned_tps would suit, and what that is in dollars a month."""
    deployment, known = config_of(config), load_prices(prices)
    found = utilizations(connect(deployment.name, aws), deployment, known, days)
    if as_json:
        show_json([asdict(campaign) | {"used_share": campaign.used_share} for campaign in found])
        return
    if not found:
        results.print(f"{deployment.name} has no campaign yet.")
        return
    show_table(f"Campaigns of {deployment.name}, last {days:g} days", _COLUMNS, [_table_row(campaign) for campaign in found])
    for campaign in found:
        results.print(advice(campaign))
    results.print(f"Prices of {known.region} as of {known.as_of}; {MARK} marks those that are not certain.")


def _table_row(campaign: Utilization) -> list[str | int | None]:
    rates = [f"{rate:.2f}" for rate in (campaign.used_tps, campaign.least_tps, campaign.peak_tps)]
    return [
        campaign.campaign,
        campaign.provisioned_tps,
        *rates,
        f"{100 * campaign.used_share:.0f}",
        dollars(campaign.dollars_per_month, campaign.certain),
        campaign.recommended_tps if campaign.is_enough else None,
        dollars(campaign.recommended_dollars_per_month, campaign.certain) if campaign.is_enough else None,
    ]


def advice(campaign: Utilization) -> str:
    """A sentence on what to do."""
    name, now, then = campaign.campaign, campaign.provisioned_tps, campaign.recommended_tps
    hours = campaign.observed_hours
    seen = f"{hours:.0f} hours" if hours >= 2 else f"{hours * 60:.0f} minutes"
    if not campaign.is_enough:
        return f"{name}: {seen} of calls are too few for advice; look again when there are {ENOUGH_HOURS} hours of them."
    if campaign.peak_tps == 0:
        return f"{name}: had no call in {seen}. Without `campaign:` in the config it costs nothing between trainings."
    peaks = (
        f"{campaign.for_peaks_tps} would be enough for {100 * PEAK_SHARE:.0f} % of the time without scaling up, "
        f"at {MARK if not campaign.certain else ''}${campaign.for_peaks_dollars_per_month:,.0f} a month"
    )
    if then < now:
        saved = campaign.dollars_per_month - campaign.recommended_dollars_per_month
        return f"{name}: set min_provisioned_tps to {then}, and save ${saved:,.0f} a month; {peaks}."
    if then > now:
        return f"{name}: min_provisioned_tps: {then} costs no more than {now} does, for as much is always asked for; {peaks}."
    return f"{name}: {now} is right, unless calls are lost when many come at once: {peaks}."
