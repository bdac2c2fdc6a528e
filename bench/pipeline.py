"""What a train run costs in state transitions, under the waiting times of AWS.

    python -m bench.pipeline --json FILE

The demo's config (three datasets, four solutions of which three have campaigns, three filters) is deployed into the embedded
AWS and run twice, the second time with nothing changed. The emulator gives every resource the duration below; transitions are the
states entered in the real execution histories. The clock runs `--speed` times as fast: the faster, the more of a wait is taken up
by our own calls, so the default is slow enough that a call is a few simulated seconds.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from lambdas.config.file import load_config
from localaws.environment import Environment, launch
from reco.data import load, movielens
from reco.deployment import train
from reco.local.synth import ROOT, synthesize
from reco.target import Target
from stacks.definitions import load_definition

_MINUTE = 60.0
#: Minutes that each kind of resource takes to become active.
_MINUTES = {
    "dataset-group": 1,
    "dataset": 1,
    "dataset-import-job": 12,
    "event-tracker": 2,
    "filter": 2,
    "solution-version": 45,
    "campaign": 8,
}
#: How many of each kind the config makes.
_RESOURCES = {
    "dataset-group": 1,
    "dataset": 3,
    "dataset-import-job": 3,
    "event-tracker": 1,
    "filter": 3,
    "solution-version": 4,
    "campaign": 3,
}
#: The official solution (Maintaining Personalized Experiences with Machine Learning), which checks every minute.
OFFICIAL_STATES, OFFICIAL_FUNCTIONS = 88, 26

console = Console()


def states(definition: dict[str, Any]) -> Iterator[str]:
    """The names of all states, nested ones too."""
    for name, state in definition["States"].items():
        yield name
        for inner in [*state.get("Branches", []), *([state["ItemProcessor"]] if "ItemProcessor" in state else [])]:
            yield from states(inner)


def functions(definition: str) -> set[str]:
    """The functions that a definition calls."""
    return {part.split("}")[0] for part in definition.split("${")[1:]}


def _official_transitions() -> int:
    """What the official solution needs at least: each state once, and a check a minute for every resource that it waits for."""
    return OFFICIAL_STATES + sum(_RESOURCES[kind] * minutes for kind, minutes in _MINUTES.items())


def _set_durations(environment: Environment) -> None:
    durations = {kind: [0, minutes * _MINUTE] for kind, minutes in _MINUTES.items()}
    body = json.dumps({"durations": durations}).encode()
    request = urllib.request.Request(f"{environment.personalize_endpoint}/_emulator", body, method="PUT")  # noqa: S310
    urllib.request.urlopen(request, timeout=10).close()  # noqa: S310


def run(target: Target) -> int:
    """One train run to its end; the number of state transitions."""
    execution = train.start(target)
    with console.status("running the train state machine") as status:
        outcome = train.follow(target, execution, lambda doing: status.update(doing.text))
    train.require_success(outcome)
    return sum(1 for _ in train.states_entered(train.events_since(target.client("stepfunctions"), execution, 0)))


def measure(speed: float) -> dict[str, Any]:
    """Deploy, run twice, count."""
    config_path = ROOT / "config" / "movielens.yaml"
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        movielens.write_csvs(movielens.fetch(ROOT / ".cache" / "movielens"), data / "csv")
        ports = {"port": 0, "api_port": 0, "personalize_port": 0}
        with launch(None, data / "aws", speed=speed, **ports) as environment:  # type: ignore[arg-type]
            environment.deploy(synthesize(config_path, data / "cdk.out"))
            _set_durations(environment)
            target = Target(load_config(config_path).name, environment)
            load.upload(target, load.find_csvs(data / "csv"))
            transitions = {"first": run(target), "unchanged": run(target)}
    definition = load_definition("train")
    return {
        "states": len(list(states(definition))),
        "functions": len(functions(json.dumps(definition))),
        "transitions": transitions,
        "official": {"states": OFFICIAL_STATES, "functions": OFFICIAL_FUNCTIONS, "transitions": _official_transitions()},
        "speed": speed,
    }


def show(result: dict[str, Any]) -> None:
    table = Table(title="The train pipeline", title_justify="left")
    for head in ("", "recostack", "official solution"):
        table.add_column(head, justify="left" if not head else "right")
    official = result["official"]
    table.add_row("states", str(result["states"]), str(official["states"]))
    table.add_row("functions", str(result["functions"]), str(official["functions"]))
    table.add_row("transitions, first run", str(result["transitions"]["first"]), f"{official['transitions']} (computed)")
    table.add_row("transitions, nothing changed", str(result["transitions"]["unchanged"]), "")
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--speed", type=float, default=40, help="how much faster than AWS waits pass")
    arguments = parser.parse_args()
    result = measure(arguments.speed)
    show(result)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
