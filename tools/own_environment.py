"""Programs whose dependencies don't get along with ours: each in an environment of its own below `.cache/`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from reco.console import say
from reco.errors import RecoError
from reco.local.synth import ROOT


def program(package: str, version: str) -> Path:
    """The package's command, installed first where it is not yet. Raises RecoError."""
    home = ROOT / ".cache" / f"{package}-{version}"
    installed = home / "installed"
    if not installed.exists():
        say(f"Installing {package} {version} into an environment of its own: about a minute.")
        run(package, [sys.executable, "-m", "venv", "--clear", str(home)])
        pip = [str(home / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
        run(package, [*pip, f"{package}=={version}"])
        installed.touch()
    return home / "bin" / package


def run(package: str, command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-5:]
        raise RecoError(f"{package} could not be installed:\n" + "\n".join(said))
