"""`make check` starts no more tests once its time is up, and says so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tools.reach import ROOT


def test_tests_that_time_does_not_reach_are_left_and_counted(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it():\n    raise AssertionError\n")
    command = [sys.executable, "-m", "pytest", "-p", "tools.check", "-c", os.devnull, "--rootdir", str(tmp_path), str(tmp_path)]
    environ = {**os.environ, "RECOSTACK_CHECK_UNTIL": "0"}
    ended = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert "1 tests that are farther from it were left to `make test`." in ended.stdout
    assert ended.returncode == 0
