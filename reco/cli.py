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
from rich.markup import escape

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
from reco.commands import report as report_command
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

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)

app.callback()(choose_environment)


def _add(group: str, name: str, run: Callable[..., Any], *examples: str) -> None:
    """Register a command in its group of the help, with examples below its options."""
    shown = "\n\n".join(escape(f"reco {name} {example}".strip()) for example in examples)
    app.command(name=name, rich_help_panel=group, epilog=f"Examples:\n\n{shown}")(run)


_START, _DATA, _TRAIN = "Start: a deployment on this machine", "Data: yours, into the deployment", "Train: versions and campaigns"
_SERVE, _OPERATE = "Serve: recommendations and lists", "Operate: the deployment, here and in an account"
_JUDGE = "Judge: how good, how much"


def _evaluate(
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
        raise RecoError(f"evaluate needs {error.name}: `make setup` installs it.") from None
    found = config_of(config)
    target = connect(found.name, aws)
    evaluation_command.run(target, found, data=data, users=users, plot=plot, yes=yes, as_json=as_json)


def _demo(
    config: Annotated[Path, typer.Option("--config", "-c", help="Another config for MovieLens.")] = DEFAULT_CONFIG,
    data: Annotated[Path | None, typer.Option("--data", help="A folder with MovieLens 100k, instead of fetching it.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the results to this file.")] = None,
    speed: Annotated[float, typer.Option(help="How much faster than AWS waits pass.", min=1)] = 240,
    keep: Annotated[bool, typer.Option("--keep", help="Leave it running, with its storefront; `reco down` stops it.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="With --keep: start empty, without the data of earlier runs.")] = False,
) -> None:
    """The main job on this machine: from MovieLens CSVs to recommendations over HTTP, and how events change them."""
    outcome = demo_run.run(config, config_of(config), data, speed, keep=keep, fresh=fresh)
    if json_file is not None:
        json_file.write_text(json.dumps(outcome, indent=2) + "\n")


_add(_START, "init", init_command.init, "exports", "exports --yes --timezone Asia/Seoul --out mine")
_add(_START, "up", local_command.up, "--detach", "-c mine/config.yaml --speed 600")
_add(_START, "deploy", local_command.deploy, "", "-c mine/config.yaml")
_add(_START, "status", local_command.status, "", "--json")
_add(_START, "keys", keys_command.keys, "", '--export  # eval "$(reco keys --export)" sets RECO_URL and RECO_KEY')
_add(_START, "down", local_command.down, "", "&& reco up --fresh")
_add(_START, "demo", _demo, "", "--json demo.json")
_add(_DATA, "validate", validate_command.validate, "mine/config.yaml", "mine/config.yaml --json")
_add(_DATA, "check", check_command.check, "mine/data", "mine/data --json")
_add(_DATA, "convert", init_command.convert_command, "exports", "/srv/exports/today --mapping mine/mapping.yaml")
_add(_DATA, "load", load_command.load_command, "mine/data", "archive --aws")
_add(_DATA, "send-events", events_command.send_events, "events.jsonl", "- < events.jsonl")
_add(_DATA, "redrive", events_command.redrive_command, "--list", "--reason ThrottlingException")
_add(_TRAIN, "train", train_command.train_command, "--wait", "--retrain --solution for-you --wait")
_add(_TRAIN, "report", report_command.report, "--open", "--list")
_add(_TRAIN, "approve", train_command.approve, "", "for-you", "for-you --reject")
_add(_TRAIN, "rollback", train_command.rollback, "for-you", "for-you --aws")
_add(_SERVE, "recommend", recommend_command.recommend, "home --user 42 --explain", "search --user 42 --ranking i1,i2,i3")
_add(_SERVE, "batch", batch_command.batch, "--wait", "for-you --wait")
_add(_SERVE, "segment", batch_command.segment, "likely-buyers", "likely-buyers --output users.csv")
_add(_OPERATE, "preflight", preflight_command.preflight, "--aws", "-c mine/config.yaml --aws --json")
_add(_OPERATE, "verify", verify_command.verify, "--aws", "--aws --with-import")
_add(_OPERATE, "dashboard", dashboard_command.dashboard, "--open", "dashboard.png --minutes 60")
_add(_OPERATE, "utilization", utilization_command.utilization, "", "--days 30 --aws")
_add(_OPERATE, "destroy", destroy_command.destroy_command, "", "--keep-stacks --aws")
_add(_JUDGE, "cost", cost_command.cost, "", "--traffic mine-traffic.yaml --json cost.json")
_add(_JUDGE, "evaluate", _evaluate, "", "--users 1000 --plot metrics.svg")
_add(_JUDGE, "experiment", experiment_command.experiment, "new-home", "new-home --since 2026-05-01")


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
        said = f"{error} (`reco down && reco up` starts the local AWS environment again)" if here else f"AWS refused: {error}"
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
