"""`reco cost`: reads, computes, shows. Offline: it calls nothing."""

from __future__ import annotations

import json
from pathlib import Path

from lambdas.shared.config import Config
from reco import cost, cost_report
from reco.cost_inputs import load_prices, load_traffic
from reco.evaluation_plot import require_plotting


def run(config: Config, *, traffic_file: Path, prices_file: Path | None, json_file: Path | None, plot: Path | None) -> None:
    """The whole command. Raises RecoError for a file that can't be used."""
    if plot is not None:
        require_plotting(plot)
    traffic, prices = load_traffic(traffic_file), load_prices(prices_file)
    traffic.check_names(traffic_file, config.placements, config.solutions)
    estimate = cost.estimate(config, traffic, prices)
    cost_report.show(estimate, config, prices)
    if json_file is not None:
        json_file.write_text(json.dumps(cost_report.as_json(estimate, config, prices), indent=2) + "\n")
    if plot is not None:
        cost_report.draw(estimate, config, prices, plot)
