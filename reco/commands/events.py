"""`reco send-events`, `redrive`: events into the deployment, and those that failed once more."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn

from reco.console import progress, results, show_json, show_table
from reco.data import event_file
from reco.deployment import events, redrive
from reco.options import DEFAULT_CONFIG, AwsOption, ConfigOption, JsonOption, config_of, target_of


def send_events(
    file: Annotated[str, typer.Argument(help="JSON lines, a JSON array or CSV, also gzipped; - for standard input.")],
    config: ConfigOption = DEFAULT_CONFIG,
    aws: AwsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Check events, and send them to the API. Recommendations reflect them a second or two later."""
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


def redrive_command(
    reason: Annotated[str, typer.Option("--reason", help="Only messages whose reason contains this.")] = "",
    show: Annotated[bool, typer.Option("--list", help="Show the reasons, and send nothing.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    aws: AwsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Send dead-letter messages again, once their cause is fixed."""
    target = target_of(config, aws)
    if show:
        found = redrive.reasons(target)
        if as_json:
            show_json(found)
        elif found:
            show_table("Dead-letter messages", ["reason", "messages"], found.most_common())
        else:
            results.print("There are no dead-letter messages.")
        return
    done = redrive.redrive(target, reason)
    if as_json:
        show_json(vars(done))
    else:
        for sentence in _done(done):
            results.print(sentence, markup=False)


def _done(done: redrive.Redriven) -> list[str]:
    """What happened, a sentence for each kind that there was."""
    found = [
        (done.put_back, "{n} sent to the stream or the queue again."),
        (done.left, "{n} kept in the dead-letter queue."),
        (done.unreadable, "{n} unreadable, kept too: look at them in SQS."),
    ]
    return [text.format(n=f"{count:,}") for count, text in found if count] or ["There are no dead-letter messages."]
