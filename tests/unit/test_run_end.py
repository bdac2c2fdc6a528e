"""What a test run starts ends with the run, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.processes import is_running
from tests.harness.waiting import eventually

ROOT = Path(__file__).parents[2]
TEST = """
import subprocess, time
from pathlib import Path

def test_that_leaves_a_process_behind():
    process = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    Path("pid.txt").write_text(f"{process.pid}\\n")
    time.sleep(SECONDS)
"""


def run(folder: Path, seconds: int) -> subprocess.Popen[str]:
    (folder / "test_it.py").write_text(TEST.replace("SECONDS", str(seconds)))
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "RECOSTACK_TEST_RUN"))}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.run_end", "-p", "no:cacheprovider", "test_it.py"]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environ | {"PYTHONPATH": str(ROOT), "RECOSTACK_TEST_LEFT_SECONDS": "1"},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )


def started(folder: Path) -> int:
    file = folder / "pid.txt"
    return int(eventually(lambda: file.exists() and file.read_text().strip()))


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_that_is_killed(tmp_path: Path, sent: signal.Signals) -> None:
    outer = run(tmp_path, 1000)
    left = started(tmp_path)
    outer.send_signal(sent)
    eventually(lambda: not is_running(left))
    outer.communicate()


def test_a_run_that_ends_by_itself_fails_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outer = run(tmp_path, 0)
    left = started(tmp_path)
    assert outer.stderr is not None
    said = outer.stderr.readline() + outer.stderr.readline()
    os.kill(left, 0)
    outer.communicate()
    assert outer.returncode == 1
    assert "The tests left a process behind: sleep 1000" in said
    eventually(lambda: not is_running(left))
