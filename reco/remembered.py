"""The config that commands work with when none is named: remembered for each directory, by those that start with one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple

from reco.errors import RecoError
from reco.target import DATA

#: Names the config of every command that names none.
_VARIABLE = "RECOSTACK_CONFIG"
DEMO = Path("config/movielens.yaml")


class _Remembered(NamedTuple):
    """A config, its environment, and who chose it."""

    config: Path
    environment: str | None
    chosen_by: str


def remember(config: Path, environment: str | None, chosen_by: str, data: Path = DATA) -> None:
    """Commands in this directory work with the config from now on."""
    data.mkdir(parents=True, exist_ok=True)
    chosen = {"config": str(config), "environment": environment, "chosen_by": chosen_by}
    part = data / f"config.{os.getpid()}.part"
    part.write_text(json.dumps(chosen) + "\n", encoding="utf-8")
    part.replace(_file(data))


def recall(data: Path = DATA) -> _Remembered:
    """The config of the environment variable; else the one remembered here; else the demo's. Raises RecoError if it is gone."""
    if named := os.environ.get(_VARIABLE):
        return _Remembered(Path(named), None, f"chosen by {_VARIABLE}")
    try:
        found = json.loads(_file(data).read_text(encoding="utf-8"))
        chosen = _Remembered(Path(found["config"]), found["environment"], f"chosen by `{found['chosen_by']}`")
    except (OSError, ValueError, KeyError, TypeError):
        return _Remembered(DEMO, None, "the demo's")
    if not chosen.config.exists():
        raise RecoError(f"{chosen.config}, {chosen.chosen_by} here, is gone: name a config with -c.")
    return chosen


def _file(data: Path) -> Path:
    return data / "config.json"
