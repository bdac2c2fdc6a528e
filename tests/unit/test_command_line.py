"""The command line without the extras of a local AWS environment: it starts, and starts quickly."""

from __future__ import annotations

import subprocess
import sys


def test_no_command_waits_for_what_only_some_need() -> None:
    loaded = "import reco.cli, sys; print({'aws_cdk', 'matplotlib', 'moto', 'numpy', 'pyspark', 'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
