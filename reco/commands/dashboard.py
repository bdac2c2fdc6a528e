"""`reco dashboard`: draws the deployment's dashboard to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reco.console import results
from reco.deployment import dashboard as drawing
from reco.local.attach import connect
from reco.options import DEFAULT_CONFIG, AwsOption, ConfigOption, config_of
from reco.plotting import require_plotting


def dashboard(
    file: Annotated[Path, typer.Argument(help="The picture: an .svg or .png file.")],
    config: ConfigOption = DEFAULT_CONFIG,
    minutes: Annotated[float, typer.Option(help="How far to look back.", min=1)] = 180,
    period: Annotated[int | None, typer.Option(help="Seconds of a point, instead of the dashboard's own.", min=1)] = None,
    aws: AwsOption = False,
) -> None:
    """Draw the dashboard of the deployment with the metrics that there are: on this machine there is no console."""
    require_plotting(file)
    target = connect(config_of(config).name, aws)
    drawing.draw(target, target.output("operations", "DashboardName"), file, minutes=minutes, period=period)
    results.print(f"The dashboard is in {file}.")
