"""The first hour of a new user, on each of six exports, timed: init, check, up, load, train, recommend, cost.

    python -m bench.walk [NAME ...]     the names of tests/harness/exports.py; all by default

It works in a folder of its own with free ports. The exit code is 1 if a step of a shop failed.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.harness.exports import SHOPS

_RECO = Path(sys.executable).with_name("reco")
_FREE_PORTS = ("--port", "0", "--api-port", "0", "--personalize-port", "0")


def main(names: Sequence[str]) -> int:
    unknown = [name for name in names if name not in SHOPS]
    if unknown:
        print(f"There is no export {unknown[0]}; there are {', '.join(SHOPS)}.", file=sys.stderr)
        return 2
    began, failed = time.monotonic(), []
    for name in names or SHOPS:
        make, flags = SHOPS[name]
        with tempfile.TemporaryDirectory(prefix=f"walk-{name}-") as folder:
            if not walk(name, Path(folder), make, flags):
                failed.append(name)
    print(f"{len(names or SHOPS)} exports in {time.monotonic() - began:.0f} s; failed: {', '.join(failed) or 'none'}.")
    return 1 if failed else 0


def walk(name: str, folder: Path, make: Any, flags: Sequence[str]) -> bool:
    """Whether all steps went well; each is printed with its seconds, a failure with what was said."""
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
            if not _ran(name, folder, step):
                return False
        with (folder / "mine" / "data" / "interactions.csv").open(encoding="utf-8") as file:
            user = next(csv.DictReader(file))["USER_ID"]
        return _ran(name, folder, ["recommend", "home", "--user", user, "-n", "3"]) and _ran(name, folder, ["cost"])
    finally:
        _ran(name, folder, ["down"])


def _ran(name: str, folder: Path, step: Sequence[str]) -> bool:
    began = time.monotonic()
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "RECOSTACK_"))}
    done = subprocess.run([str(_RECO), *step], cwd=folder, env=environ, capture_output=True, text=True, check=False)
    print(f"{name:12} reco {' '.join(step[:2]):24} {time.monotonic() - began:6.1f} s", flush=True)
    if done.returncode:
        print(f"{done.stdout}\n{done.stderr}", file=sys.stderr)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
