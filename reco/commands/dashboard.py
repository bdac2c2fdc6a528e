"""`reco dashboard`: draws the deployment's dashboard to a file, or as a page that is drawn anew."""

from __future__ import annotations

import tempfile
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from reco.console import results
from reco.deployment import dashboard as drawing
from reco.deployment.live_dashboard import LiveDashboard
from reco.errors import RecoError
from reco.local.attach import connect
from reco.options import DEFAULT_CONFIG, AwsOption, ConfigOption, config_of
from reco.plotting import require_plotting
from reco.target import Target


def dashboard(
    file: Annotated[Path | None, typer.Argument(help="The picture: an .svg or .png file.")] = None,
    open_page: Annotated[
        bool, typer.Option("--open", help="Show it in a browser, drawn anew while you look, until Ctrl-C.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    minutes: Annotated[float, typer.Option(help="How far to look back.", min=1)] = 180,
    period: Annotated[int | None, typer.Option(help="Seconds of a point, instead of the dashboard's own.", min=1)] = None,
    aws: AwsOption = False,
) -> None:
    """Draw the deployment's dashboard with the metrics that there are, as a picture or as a page: this machine has no console."""
    if file is None and not open_page:
        raise RecoError("Name a picture, such as dashboard.png, or pass --open for a page.")
    require_plotting(file or Path("dashboard.svg"))
    target = connect(config_of(config).name, aws)
    name = target.output("operations", "DashboardName")
    if file is not None:
        drawing.draw(target, name, file, minutes=minutes, period=period)
        results.print(f"The dashboard is in {file}.", markup=False)
    if open_page:
        _show_live(target, name, minutes, period)


def _show_live(target: Target, name: str, minutes: float, period: int | None) -> None:
    def picture() -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            drawn = Path(folder) / "dashboard.svg"
            drawing.draw(target, name, drawn, minutes=minutes, period=period)
            return drawn.read_bytes()

    picture()  # what is wrong is said here, not in the browser
    live = LiveDashboard(f"Dashboard of {target.deployment}", minutes, picture)
    results.print(f"The dashboard is at {live.url} until you press Ctrl-C.", markup=False)
    webbrowser.open(live.url)
    live.serve()
