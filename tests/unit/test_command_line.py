"""The command line without the extras of a local AWS environment: it starts, and starts quickly."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def test_no_command_waits_for_what_only_some_need() -> None:
    loaded = "import reco.cli, sys; print({'aws_cdk', 'matplotlib', 'moto', 'numpy', 'pyspark', 'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(("line", "completed"), [("reco re", "recommend"), ("reco up --det", "--detach")])
def test_a_shell_completes_commands_and_options(line: str, completed: str, tmp_path: Path) -> None:
    """After `reco --install-completion` in a home of its own, as bash asks for it."""
    reco = Path(sys.executable).with_name("reco")
    environ = os.environ | {"HOME": str(tmp_path), "PATH": f"{reco.parent}{os.pathsep}{os.environ['PATH']}"}
    words = line.split()
    script = (
        "reco --install-completion bash >/dev/null; source ~/.bash_completions/reco.sh; "
        f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _reco_completion reco; echo ${{COMPREPLY[@]}}"
    )
    done = subprocess.run(["bash", "--norc", "-c", script], env=environ, capture_output=True, text=True, check=True, timeout=300)
    assert completed in done.stdout.split()
