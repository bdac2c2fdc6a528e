"""Runs checkov over the templates in `cdk.out/`, as `.checkov.yaml` says; `make lint` calls it.

    python -m tools.checkov

It has an environment of its own, since it pins an old boto3.
"""

from __future__ import annotations

import subprocess
import sys

from reco.errors import RecoError
from reco.local.synth import ROOT
from tools.own_environment import program

_VERSION = "3.3.30"


def main() -> None:
    try:
        checkov = program("checkov", _VERSION)
    except RecoError as error:
        sys.exit(str(error))
    sys.exit(subprocess.run([checkov, "--config-file", ".checkov.yaml"], cwd=ROOT, check=False).returncode)


if __name__ == "__main__":
    main()
