"""The one code asset of all functions: the folder lambdas/, the rules of Amazon Personalize, and the packed config."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

import aws_cdk as cdk
from constructs import Construct

from lambdas.config import Config
from lambdas.config.packed import pack
from stacks.bytecode import compile_modules
from stacks.layer import ROOT

#: The rules of Amazon Personalize: functions and Spark jobs bring them along.
RULES = ROOT / "packages" / "personalize-emulator" / "src" / "personalize_rules"
#: Where a function finds the config, from the root of its code.
CONFIG_PATH = "config.pickle"


def code_directory(scope: Construct, config: Config) -> Path:
    """The code as it is deployed, in the app's output folder; equal sources give an equal asset."""
    stage = cdk.Stage.of(scope)
    assert stage is not None  # noqa: S101  every construct of an app is in one
    return _write(Path(stage.outdir) / "code", pack(config))


@cache
def _write(folder: Path, packed: bytes) -> Path:
    """Once for each app: all its stacks deploy the same code."""
    shutil.rmtree(folder, ignore_errors=True)
    ignore = shutil.ignore_patterns("__pycache__", "requirements.txt")
    for package in (ROOT / "lambdas", RULES):
        shutil.copytree(package, folder / package.name, ignore=ignore)
    compile_modules(folder, "/var/task")
    (folder / CONFIG_PATH).write_bytes(packed)
    return folder
