"""The operator's command line."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, HTTPClientError

from reco.commands import batch as batch_command
from reco.commands import check as check_command
from reco.commands import cost as cost_command
from reco.commands import dashboard as dashboard_command
from reco.commands import demo as demo_run
from reco.commands import destroy as destroy_command
from reco.commands import events as events_command
from reco.commands import experiment as experiment_command
from reco.commands import init as init_command
from reco.commands import keys as keys_command
from reco.commands import load as load_command
from reco.commands import local as local_command
from reco.commands import preflight as preflight_command
from reco.commands import recommend as recommend_command
from reco.commands import train as train_command
from reco.commands import utilization as utilization_command
from reco.commands import validate as validate_command
from reco.commands import verify as verify_command
from reco.console import progress, say
from reco.errors import RecoError
from reco.local.attach import connect
from reco.options import (
    DEFAULT_CONFIG,
    AwsOption,
    ConfigOption,
    JsonOption,
    YesOption,
    choose_environment,
    config_of,
)

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)

app.callback()(choose_environment)

app.command()(init_command.init)
app.command(name="convert")(init_command.convert_command)
app.command()(check_command.check)
app.command()(validate_command.validate)
app.command(name="load")(load_command.load_command)
app.command(name="send-events")(events_command.send_events)
app.command(name="redrive")(events_command.redrive_command)
app.command()(local_command.up)
app.command()(local_command.deploy)
app.command()(local_command.down)
app.command()(local_command.status)
app.command()(keys_command.keys)
app.command(name="train")(train_command.train_command)
app.command()(train_command.approve)
app.command()(train_command.rollback)
app.command()(recommend_command.recommend)
app.command()(batch_command.batch)
app.command()(batch_command.segment)
app.command()(experiment_command.experiment)
app.command()(utilization_command.utilization)
app.command()(cost_command.cost)
app.command()(preflight_command.preflight)
app.command()(verify_command.verify)
app.command()(dashboard_command.dashboard)
app.command(name="destroy")(destroy_command.destroy_command)


@app.command()
def evaluate(
    config: ConfigOption = DEFAULT_CONFIG,
    data: Annotated[Path | None, typer.Option("--data", help="A folder with the CSVs, instead of those in S3.")] = None,
    users: Annotated[int, typer.Option(help="How many users are asked for, at most.", min=1)] = 500,
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw the metrics to this .svg or .png file.")] = None,
    yes: YesOption = False,
    aws: AwsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train a throw-away copy on all but the newest events, and measure how well it predicts those."""
    try:
        from reco.commands import evaluate as evaluation_command
    except ImportError as error:
        raise RecoError(f"evaluate needs {error.name}: pip install 'recostack[local]'.") from None
    found = config_of(config)
    target = connect(found.name, aws)
    evaluation_command.run(target, found, data=data, users=users, plot=plot, yes=yes, as_json=as_json)


@app.command()
def demo(
    config: Annotated[Path, typer.Option("--config", "-c", help="Another config for MovieLens.")] = DEFAULT_CONFIG,
    data: Annotated[Path | None, typer.Option("--data", help="A folder with MovieLens 100k, instead of fetching it.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the results to this file.")] = None,
    speed: Annotated[float, typer.Option(help="How much faster than AWS waits pass.", min=1)] = 240,
) -> None:
    """The main job on this machine: from MovieLens CSVs to recommendations over HTTP, and how events change them."""
    outcome = demo_run.run(config, config_of(config), data, speed)
    if json_file is not None:
        json_file.write_text(json.dumps(outcome, indent=2) + "\n")


def main() -> NoReturn:
    """Run a command; errors are sentences, an interrupt ends with 130."""
    signal.signal(signal.SIGTERM, interrupt)
    code = _guarded(lambda: app(standalone_mode=False))
    sys.exit(code)


def interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _guarded(command: Callable[[], Any]) -> int:
    """The exit code of a command."""
    from reco.local.attach import LocalAwsError, sentence

    try:
        code = command()
    except (RecoError, LocalAwsError) as error:
        progress.print(str(error), style="red", markup=False)
        return 1
    except OSError as error:
        progress.print(f"That did not work: {sentence(error)}", style="red", markup=False)
        return 1
    except (ClientError, BotoCoreError) as error:
        here = isinstance(error, HTTPClientError | EndpointConnectionError) and "//127.0.0.1:" in str(error)
        said = f"{error} (`reco down && reco up` starts the embedded AWS again)" if here else f"AWS refused: {error}"
        progress.print(said, style="red", markup=False)
        return 1
    except (KeyboardInterrupt, typer.Abort):
        say("Interrupted.")
        return 130
    except typer.Exit as ended:
        return ended.exit_code
    except Exception as error:
        shown = getattr(error, "format_message", None)  # an error in the command line's own words
        if shown is None:
            raise
        progress.print(f"{shown()} (`reco --help` lists the commands)", style="red", markup=False)
        return 2
    return code if isinstance(code, int) else 0
