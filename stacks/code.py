"""The one code asset of all functions: the folder lambdas/ and the config, packed as JSON."""

from __future__ import annotations

import shutil
from pathlib import Path

from lambdas.shared.config import Config
from stacks.layer import ROOT

#: Where a function finds the config, from the root of its code.
CONFIG_PATH = "config.json"


def code_directory(config: Config) -> Path:
    """A fresh folder with the code as it is deployed; equal sources give an equal asset."""
    folder = ROOT / ".cache" / f"code-{config.name}"
    shutil.rmtree(folder, ignore_errors=True)
    ignore = shutil.ignore_patterns("__pycache__", "requirements.txt")
    shutil.copytree(ROOT / "lambdas", folder / "lambdas", ignore=ignore)
    (folder / CONFIG_PATH).write_text(config.model_dump_json(by_alias=True, exclude_defaults=True))
    return folder
