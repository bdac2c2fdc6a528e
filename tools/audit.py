"""Looks for known vulnerabilities in the packages that we pin; `make audit` calls it.

    python -m tools.audit

pip-audit asks PyPI about each release of constraints.txt, which holds those of the layer too.
"""

from __future__ import annotations

import subprocess
import sys

from reco.errors import RecoError
from reco.local.synth import ROOT
from tools.own_environment import program

_VERSION = "2.10.1"
#: What was found and does not concern us, by its id, with the reason.
ACCEPTED: dict[str, str] = {}


def main() -> None:
    """Exits with 1 on a finding that nobody accepted, and when a package could not be asked about: silence proves nothing."""
    try:
        audit = program("pip-audit", _VERSION)
    except RecoError as error:
        sys.exit(str(error))
    command = [str(audit), "--requirement", "constraints.txt", "--no-deps", "--disable-pip", "--strict"]
    for finding in ACCEPTED:
        command += ["--ignore-vuln", finding]
    sys.exit(subprocess.run([*command, "--progress-spinner", "off"], cwd=ROOT, check=False).returncode)


if __name__ == "__main__":
    main()
