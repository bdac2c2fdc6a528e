"""Runs checkov over the templates in `cdk.out/`, as `.checkov.yaml` says; `make lint` calls it.

    python -m reco.checkov

It has an environment of its own below `.cache/`, since it pins an old boto3.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from reco.console import say
from reco.errors import RecoError
from reco.synth import ROOT

VERSION = "3.3.30"
HOME = ROOT / ".cache" / f"checkov-{VERSION}"


def require_checkov() -> Path:
    """The program; installed first where it is not yet. Raises RecoError."""
    program = HOME / "bin" / "checkov"
    installed = HOME / "installed"
    if not installed.exists():
        say(f"Installing checkov {VERSION} into an environment of its own: about a minute.")
        run([sys.executable, "-m", "venv", "--clear", str(HOME)])
        run([str(HOME / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", f"checkov=={VERSION}"])
        installed.touch()
    return program


def run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-5:]
        raise RecoError("checkov could not be installed:\n" + "\n".join(said))


def main() -> None:
    try:
        program = require_checkov()
    except RecoError as error:
        sys.exit(str(error))
    sys.exit(subprocess.run([program, "--config-file", ".checkov.yaml"], cwd=ROOT, check=False).returncode)


if __name__ == "__main__":
    main()
