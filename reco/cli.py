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
from rich.progress import Progress, SpinnerColumn, TextColumn

from lambdas.config.validation import json_schema
from reco.commands import batch as batch_command
from reco.commands import check as check_command
from reco.commands import cost as cost_command
from reco.commands import dashboard as dashboard_command
from reco.commands import demo as demo_run
from reco.commands import destroy as destroy_command
from reco.commands import experiment as experiment_command
from reco.commands import load
from reco.commands import preflight as preflight_command
from reco.commands import utilization as utilization_command
from reco.commands import verify as verify_command
from reco.config_reference import reference
from reco.console import progress, results, say, show_json, show_table, states_shown
from reco.data import event_file, movielens
from reco.deployment import approvals, events, redrive, serving, train
from reco.deployment import rollback as rolling_back
from reco.deployment.metrics import metrics_rows, reasons
from reco.errors import RecoError
from reco.local.attach import connect
from reco.local.running import deploy_local, start_local, stop_local, wait_until_stopped
from reco.options import (
    DEFAULT_CONFIG,
    AwsOption,
    ConfigOption,
    JsonOption,
    YesOption,
    choose_environment,
    config_of,
    problems_of,
    target_of,
)
from reco.target import DATA

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)

app.callback()(choose_environment)
#: The outputs of the api stack that are addresses.
_URLS = ("ApiUrl", "BrowserApiUrl", "StorefrontUrl")


@app.command()
def validate(
    config: Annotated[Path, typer.Argument(help="A config file.")] = DEFAULT_CONFIG,
    write_schema: Annotated[Path | None, typer.Option(help="Write the JSON schema of configs to this file, for editors.")] = None,
    write_reference: Annotated[Path | None, typer.Option(help="Write the reference of all keys to this Markdown file.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Check a config; every problem is shown with its path."""
    if write_schema is not None:
        write_schema.write_text(json.dumps(json_schema(), indent=2) + "\n")
    if write_reference is not None:
        write_reference.write_text(reference())
    if as_json:
        problems = problems_of(config)
        show_json({"valid": not problems, "problems": problems})
        raise typer.Exit(1 if problems else 0)
    found = config_of(config)
    parts = f"{len(found.solutions)} solutions, {len(found.filters)} filters, {len(found.placements)} placements"
    results.print(f"{config} is valid: {found.name}, {parts}.")


@app.command()
def up(
    config: ConfigOption = DEFAULT_CONFIG,
    detach: Annotated[bool, typer.Option("--detach", help="Return once it answers, and leave it running.")] = False,
    port: Annotated[int, typer.Option(help="Port of the AWS endpoint; 0 takes a free one.")] = 4566,
    api_port: Annotated[int, typer.Option(help="Port of the API; 0 takes a free one.")] = 4567,
    personalize_port: Annotated[int, typer.Option(help="Port of the Personalize emulator; 0 takes a free one.")] = 4568,
    speed: Annotated[float, typer.Option(help="How much faster than AWS waits pass.", min=1)] = 60,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew: forget what this deployment held.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Synthesize the app, start the embedded AWS with what the deployment held, deploy into it, print the endpoints."""
    ports = {"port": port, "api_port": api_port, "personalize_port": personalize_port}
    environment, _ = start_local(config_of(config), config, DATA, detach=detach, speed=speed, ports=ports, fresh=fresh)
    _show_endpoints(environment, as_json)
    if detach:
        return
    with environment:
        say("Press Ctrl-C to stop.")
        wait_until_stopped(DATA)


@app.command()
def deploy(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Deploy a changed config, or changed code, into the embedded AWS that runs: what it holds stays."""
    config_of(config)
    _show_endpoints(deploy_local(config, DATA), as_json)


@app.command()
def down() -> None:
    """Stop the embedded AWS. What it holds is there again after the next `reco up` with the same deployment."""
    say("Stopped." if stop_local(DATA) else "Nothing was running.")


@app.command()
def status(as_json: JsonOption = False) -> None:
    """Where the embedded AWS answers, and whether each of its parts does: exit code 1 if one does not."""
    environment = connect("", aws=False).local
    if not _show_endpoints(environment, as_json):
        raise typer.Exit(1)


def _browser_key(environment: Any, outputs: dict[str, str]) -> str | None:
    """The value of the browsers' API key; None before the api stack is there."""
    if "BrowserKeyId" not in outputs:
        return None
    key = environment.client("apigateway").get_api_key(apiKey=outputs["BrowserKeyId"], includeValue=True)
    return str(key["value"])


def _show_endpoints(environment: Any, as_json: bool) -> bool:
    """Whether all parts answer."""
    outputs = {name: value for of in environment.stacks.values() for name, value in of.items()}
    urls = {name: environment.url_of(outputs[name]).rstrip("/") for name in _URLS if name in outputs}
    endpoints = {
        "api_url": urls.get("ApiUrl"),
        "browser_api_url": urls.get("BrowserApiUrl"),
        "aws_endpoint": environment.aws_endpoint,
        "personalize_endpoint": environment.personalize_endpoint,
    }
    parts: dict[str, str] = environment.parts()
    if as_json:
        key = _browser_key(environment, outputs) if parts["aws"] == "up" else None
        show_json({**endpoints, "browser_key": key, "storefront_url": urls.get("StorefrontUrl"), "parts": parts})
    else:
        states = [parts[name] for name in ("api", "api", "aws", "personalize")]
        show_table("Endpoints", ["what", "URL", "state"], list(zip(endpoints, endpoints.values(), states, strict=True)))
        if "StorefrontUrl" in urls:
            results.print(f"The storefront: {urls['StorefrontUrl']}")
        down = [name for name, state in parts.items() if state == "down"]
        if down:
            say(f"{' and '.join(down)} does not answer. `reco down && reco up` starts it again; what it holds is kept.")
    return "down" not in parts.values()


@app.command(name="load")
def load_csvs(
    what: Annotated[
        str,
        typer.Argument(help="`movielens`, `archive` (from the events), or a folder with interactions.csv, items.csv, users.csv."),
    ],
    unchecked: Annotated[bool, typer.Option("--unchecked", help="Upload without a look at the content.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    aws: AwsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Upload CSVs for the next train run; what an import would refuse is refused at once."""
    target = target_of(config, aws)
    if what == "archive":
        batch_command.load_archive(target, as_json)
        return
    folder = Path(what)
    if what == "movielens":
        folder = Path(".cache/movielens/csv")
        movielens.write_csvs(movielens.fetch(folder.parent / "raw"), folder)
    load.load_folder(target, config_of(config), folder, unchecked, as_json)


@app.command(name="train")
def train_command(
    config: ConfigOption = DEFAULT_CONFIG,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the run to its end.")] = False,
    retrain: Annotated[bool, typer.Option("--retrain", help="Train even when no data is new.")] = False,
    solution: Annotated[
        list[str] | None, typer.Option("--solution", help="Only this solution (may be given more than once).")
    ] = None,
    aws: AwsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Start a train run: from the CSVs in S3 to deployed campaigns."""
    target = target_of(config, aws)
    execution = train.start(target, retrain=retrain, solutions=solution)
    if not wait:
        show_json({"execution": execution}) if as_json else results.print(f"Started {execution}")
        return
    with states_shown("train run started") as entered:
        outcome = train.follow(target, execution, entered)
    if as_json:
        show_json({"execution": execution, "status": outcome.status, "seconds": outcome.seconds, "report": outcome.report})
        if train.problems(outcome):
            raise typer.Exit(1)
    else:
        report = train.require_success(outcome)
        show_table(f"Trained in {outcome.seconds:.0f} s", *metrics_rows(report["solutions"]))
        for noticed in [*reasons(report["solutions"]), *report.get("warnings", ())]:
            results.print(noticed)
        if report["items_removed"]:
            results.print(f"{report['items_removed']:,} items left the catalogue: the CSVs lack them, and nobody put them since.")
        results.print(f"Report: {report['page']}")


@app.command()
def approve(
    solution: Annotated[
        str | None, typer.Argument(help="The solution whose new version waits; none lists all that wait.")
    ] = None,
    reject: Annotated[bool, typer.Option("--reject", help="Turn the version down.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    aws: AwsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Let a new version go live, or turn it down."""
    target = target_of(config, aws)
    if solution is not None:
        approvals.decide(target, solution, not reject)
        results.print(f"The new version of {solution} {'was rejected' if reject else 'goes live'}.")
        return
    found = [{name: row[name] for name in ("solution", "run_id", "verdict")} for row in approvals.waiting(target)]
    if as_json:
        show_json(found)
    else:
        show_table("Waiting for approval", ["solution", "run"], [[row["solution"], row["run_id"]] for row in found])


@app.command()
def rollback(
    campaign: Annotated[str, typer.Argument(help="The solution whose campaign goes back to the version before.")],
    config: ConfigOption = DEFAULT_CONFIG,
    aws: AwsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take a campaign back to the version that served before; later runs do not deploy the other one again."""
    with progress.status(f"Waiting until the campaign of {campaign} serves the version before"):
        left, taken = rolling_back.rollback(target_of(config, aws), campaign)
    if as_json:
        show_json({"campaign": campaign, "from": left, "to": taken})
    else:
        results.print(f"The campaign of {campaign} serves {taken} again; {left} is marked as rolled back.")


@app.command()
def recommend(
    placement: str,
    user: Annotated[str | None, typer.Option("--user", help="The user to recommend for.")] = None,
    item: Annotated[str | None, typer.Option("--item", help="The item to which others shall relate.")] = None,
    num_results: Annotated[int | None, typer.Option("--num-results", "-n", min=1, max=500)] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("--param", help="NAME=VALUE for the placement's filter or context.NAME.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    aws: AwsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Ask the API for recommendations."""
    query: dict[str, str | list[str]] = {}
    for given in parameter or []:
        name, separator, value = given.partition("=")
        if not separator:
            raise RecoError(f"--param {given}: give it as NAME=VALUE.")
        query[name] = [*query.get(name, []), value]
    own = {"user_id": user, "item_id": item, "num_results": num_results}
    query |= {name: str(value) for name, value in own.items() if value is not None}
    answer = serving.recommend(target_of(config, aws), placement, query)
    if as_json:
        show_json(answer)
    else:
        show_table(f"{placement} (from {answer['source']})", *serving.item_rows(answer["items"]))
        for sentence in serving.missing(answer):
            results.print(sentence, style="yellow", markup=False)


@app.command(name="send-events")
def send_events(
    file: Annotated[str, typer.Argument(help="JSON lines, a JSON array or CSV, also gzipped; - for standard input.")],
    config: ConfigOption = DEFAULT_CONFIG,
    aws: AwsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Check events, and send them to the API; a second or two later recommendations know them."""
    target, found = target_of(config, aws), config_of(config)
    columns = (SpinnerColumn(), TextColumn("{task.description}: {task.completed}"))
    with event_file.open_events(file, sys.stdin.buffer) as source, Progress(*columns, console=progress, transient=True) as bar:
        start = source.tell()
        for _ in bar.track(event_file.read_events(source, file, found), description="checking"):
            pass
        source.seek(start)
        task = bar.add_task("sending", total=None)
        checked = event_file.read_events(source, file, found)
        sent = events.send(target, checked, lambda count: bar.update(task, completed=count))
    show_json({"sent": sent}) if as_json else results.print(f"{sent} events sent.")


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
def destroy(
    config: ConfigOption = DEFAULT_CONFIG,
    keep_stacks: Annotated[bool, typer.Option("--keep-stacks", help="Delete what runs made, leave the stacks.")] = False,
    yes: YesOption = False,
    aws: AwsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Delete the deployment: its resources in Amazon Personalize, then its stacks. Buckets that hold data are kept."""
    found = config_of(config)
    destroy_command.run(connect(found.name, aws), found, keep_stacks=keep_stacks, yes=yes, as_json=as_json)


@app.command(name="redrive")
def redrive_command(
    reason: Annotated[str, typer.Option("--reason", help="Only dead letters whose reason contains this.")] = "",
    show: Annotated[bool, typer.Option("--list", help="Show the reasons, and put nothing back.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    aws: AwsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Put dead letters back, once what made them fail is gone."""
    target = target_of(config, aws)
    if show:
        found = redrive.reasons(target)
        show_json(found) if as_json else show_table("Dead letters", ["reason", "letters"], found.most_common())
        return
    done = redrive.redrive(target, reason)
    if as_json:
        show_json(vars(done))
    else:
        results.print(f"{done.put_back} put back, {done.left} left, {done.unreadable} that no one can read left.")


app.command()(check_command.check)
app.command()(cost_command.cost)
app.command()(experiment_command.experiment)
app.command()(batch_command.batch)
app.command()(batch_command.segment)
app.command()(utilization_command.utilization)
app.command()(preflight_command.preflight)
app.command()(verify_command.verify)
app.command()(dashboard_command.dashboard)


@app.command()
def demo(
    config: ConfigOption = DEFAULT_CONFIG,
    data: Annotated[Path | None, typer.Option("--data", help="A folder with MovieLens 100k, instead of fetching it.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the results to this file.")] = None,
    speed: Annotated[float, typer.Option(help="How much faster than AWS waits pass.", min=1)] = 240,
    keep: Annotated[bool, typer.Option("--keep", help="Leave it running, with its storefront; `reco down` stops it.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="With --keep: forget what the deployment held.")] = False,
) -> None:
    """The main job on this machine: from MovieLens CSVs to recommendations over HTTP, and how events change them."""
    outcome = demo_run.run(config, config_of(config), data, speed, keep=keep, fresh=fresh)
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
