"""The first hour of a new user, on each of six exports, timed: init, check, up, load, train, recommend, cost.

    python -m bench.walk [NAME ...]     the names of tests/harness/exports.py; all by default

It works in a folder of its own with free ports. The exit code is 1 if a step of a shop failed, or if all shops took more than ten
minutes. The last lines are the table of docs/exports.md.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.harness.exports import SHOPS

_RECO = Path(sys.executable).with_name("reco")
#: Of all six, without the seconds in which a person reads and decides.
_AT_MOST_SECONDS = 600
_FREE_PORTS = ("--port", "0", "--api-port", "0", "--personalize-port", "0")


def main(names: Sequence[str]) -> int:
    unknown = [name for name in names if name not in SHOPS]
    if unknown:
        print(f"There is no export {unknown[0]}; there are {', '.join(SHOPS)}.", file=sys.stderr)
        return 2
    failed: list[str] = []
    seconds: dict[str, dict[str, float]] = {}
    for name in names or SHOPS:
        make, flags = SHOPS[name]
        seconds[name] = {}
        with tempfile.TemporaryDirectory(prefix=f"walk-{name}-") as folder:
            if not walk(name, Path(folder), make, flags, seconds[name]):
                failed.append(name)
    total = sum(sum(of_one.values()) for of_one in seconds.values())
    print("\n".join(_table(seconds)))
    print(f"{len(seconds)} exports in {total:.0f} s; failed: {', '.join(failed) or 'none'}.")
    if not names and total > _AT_MOST_SECONDS:
        print(f"That is more than {_AT_MOST_SECONDS} s: the first hour has become too slow.", file=sys.stderr)
        return 1
    return 1 if failed else 0


def _table(seconds: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """Seconds of each step of each shop, in Markdown."""
    steps = list(dict.fromkeys(step for of_one in seconds.values() for step in of_one))
    yield f"| export | {' | '.join(steps)} | all |"
    yield f"|---|{'--:|' * (len(steps) + 1)}"
    for name, of_one in seconds.items():
        figures = [f"{of_one[step]:.1f}" if step in of_one else "–" for step in steps]
        yield f"| {name} | {' | '.join(figures)} | {sum(of_one.values()):.0f} |"


def walk(name: str, folder: Path, make: Any, flags: Sequence[str], seconds: dict[str, float]) -> bool:
    """Whether all steps went well; each is printed with its `seconds`, a failure with what was said."""
    make(folder / "exports")
    steps: list[list[str]] = [
        ["init", "exports", "--yes", "--out", "mine", *flags],
        ["check", "mine/data"],
        ["up", "--detach", "--speed", "600", *_FREE_PORTS],
        ["load", "mine/data"],
        ["train", "--wait"],
    ]
    try:
        for step in steps:
            if not _ran(name, folder, step, seconds):
                return False
        with (folder / "mine" / "data" / "interactions.csv").open(encoding="utf-8") as file:
            user = next(csv.DictReader(file))["USER_ID"]
        last = [["recommend", "home", "--user", user, "-n", "3"], ["cost"]]
        return all(_ran(name, folder, step, seconds) for step in last)
    finally:
        _ran(name, folder, ["down"], seconds)


def _ran(name: str, folder: Path, step: Sequence[str], seconds: dict[str, float]) -> bool:
    began = time.monotonic()
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "RECOSTACK_"))}
    done = subprocess.run([str(_RECO), *step], cwd=folder, env=environ, capture_output=True, text=True, check=False)
    seconds[step[0]] = time.monotonic() - began
    print(f"{name:12} reco {' '.join(step[:2]):24} {seconds[step[0]]:6.1f} s", flush=True)
    if done.returncode:
        print(f"{done.stdout}\n{done.stderr}", file=sys.stderr)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
