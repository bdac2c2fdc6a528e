"""`reco cost`: reads, computes, shows. Offline: it calls nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from reco.cost import estimate as arithmetic
from reco.cost import report
from reco.cost.inputs import TRAFFIC, load_prices, load_traffic
from reco.options import DEFAULT_CONFIG, ConfigOption, config_of
from reco.plotting import require_plotting


def cost(
    config: ConfigOption = DEFAULT_CONFIG,
    traffic: Annotated[Path, typer.Option(help="What goes on in the shop: users, events, requests by the hour.")] = TRAFFIC,
    prices: Annotated[Path | None, typer.Option(help="A file with prices that differ from those that come along.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the estimate to this file.")] = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw the estimate to this .svg or .png file.")] = None,
) -> None:
    """What the deployment will cost a month, in real time and by batch. Asks nobody: prices are in config/prices.yaml."""
    if plot is not None:
        require_plotting(plot)
    deployment, expected, known = config_of(config), load_traffic(traffic), load_prices(prices)
    expected.check_names(traffic, deployment.placements, deployment.solutions)
    estimate = arithmetic.estimate(deployment, expected, known)
    report.show(estimate, deployment, known)
    if json_file is not None:
        json_file.write_text(json.dumps(report.as_json(estimate, deployment, known), indent=2) + "\n")
    if plot is not None:
        report.draw(estimate, deployment, known, plot)
