"""Nothing acknowledged is lost to `kill -9` of the emulator of Personalize, of the local AWS environment, or of both, at random
moments of ingestion, of training and of a batch run. After each kill all is started again; in the end every event is accounted
for, and a train run and a batch run succeed.

    python -m bench.kills --times 20 --json kills.json

Exits with 1 if an event is lost, if a run does not succeed, or if a process stays behind.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from bench import chaos
from bench.chaos_records import Changes
from bench.click_stream import Sent, click_stream
from lambdas.config.file import load_config
from localaws.environment import Environment, launch
from reco.data import load
from reco.deployment import batch, train
from reco.local.synth import synthesize
from reco.target import Target
from tests.harness import shop_csvs
from tests.harness.deployment import CONFIG, Api, environment_of
from tests.harness.processes import emulators_of, processes_in

DURING, KILLED = ("ingestion", "training", "batch"), ("personalize", "aws", "both")
CLIENTS, EVENTS_A_CLIENT = 4, 150
#: Seconds after which a kill comes, at random.
_SOON = 0.2, 5.0


def _processes_to_kill(environment: Environment, what: str) -> list[int]:
    emulators = emulators_of(environment.pid) if what in ("personalize", "both") else []
    return [*emulators, *([environment.pid] if what in ("aws", "both") else [])]


class Sender(threading.Thread):
    """Posts events until it is told to end or nobody answers any more; keeps those that were acknowledged."""

    def __init__(self, target: Target, client: int) -> None:
        super().__init__(daemon=True)
        self._target, self._client = target, client
        self.accepted: list[Sent] = []
        self.done = threading.Event()

    def run(self) -> None:
        api = Api(self._target)
        for burst in click_stream(EVENTS_A_CLIENT, self._client, seed=self._client):
            if self.done.is_set():
                return
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                status, answer = api.call("POST", "/events", {"events": [sent.event for sent in burst]})
                if status in (202, 207):
                    failed = set(answer["failed"])
                    self.accepted += [sent for place, sent in enumerate(burst) if place not in failed]
                continue
            return


def begin(target: Target, during: str) -> None:
    if during == "training":
        train.start(target, retrain=True)
    elif during == "batch":
        batch.start(target)


def kill(environment: Environment, what: str, folder: Path) -> int:
    """Kill, and wait until what goes with it has ended. Returns how many processes have not, after a minute."""
    for pid in _processes_to_kill(environment, what):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    if what == "personalize":
        return 0
    deadline = time.monotonic() + 60
    while (left := processes_in(folder)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return len(left)


def endure(folder: Path, times: int) -> dict[str, Any]:
    """All rounds; what came of it."""
    dice, accepted, left, killed = random.Random(1), list[Sent](), 0, Counter[str]()
    data, assembly, name = folder / "aws", synthesize(CONFIG, folder / "cdk.out", validate=False), load_config(CONFIG).name

    def up() -> Target:
        return Target(name, launch(assembly, data, port=0, api_port=0, personalize_port=0, speed=1000))

    target = up()
    load.upload(target, load.find_csvs(shop_csvs.write(folder / "csvs")))
    train.require_success(train.follow(target, train.start(target), lambda state: None, 0.2))
    for number in range(times):
        during, what = DURING[number % 3], KILLED[number // 3 % 3]
        senders = [Sender(target, 100 * (number + 1) + client) for client in range(CLIENTS)]
        begin(target, during)
        for sender in senders:
            sender.start()
        time.sleep(dice.uniform(*_SOON))
        left += kill(environment_of(target), what, data)
        killed[what] += 1
        for sender in senders:
            sender.done.set()
            sender.join()
            accepted += sender.accepted
        print(f"{number + 1} of {times}: {what} during {during}; {len(accepted)} events so far", file=sys.stderr)
        if what != "personalize":
            target = up()
    ledger = chaos.Ledger(target, folder)
    chaos.follow(target, ledger, accepted, Changes())
    runs = {
        "train": train.follow(target, train.start(target, retrain=True), lambda state: None, 0.2).status,
        "batch": batch.follow(target, batch.start(target), lambda state: None, 0.2).status,
    }
    account = chaos.account(accepted, ledger, chaos.counts(target))
    environment_of(target).stop()
    left += len(processes_in(data))
    return {**account, "killed": dict(killed), "runs_after": runs, "processes_left": left}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--json", type=Path, help="write the account to this file")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        result = endure(Path(folder), options.times)
    print(f"{time.monotonic() - began:.0f} s")
    print(json.dumps(result, indent=2))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    healed = set(result["runs_after"].values()) == {"SUCCEEDED"}
    sys.exit(0 if healed and not result["lost"] and not result["processes_left"] else 1)


if __name__ == "__main__":
    main()
