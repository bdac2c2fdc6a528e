"""`make check`: ruff, mypy and the tests nearest to what changed, in about half a minute.

    python -m tools.check [--since REVISION]

It starts no more tests after 25 seconds, and says how many were left to `make test`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tools.reach import ROOT, changes, reached

_SECONDS = 25
_UNTIL = "RECOSTACK_CHECK_UNTIL"
_LEFT = "left to `make test`"


def pytest_runtest_setup(item: pytest.Item) -> None:
    if time.time() > float(os.environ[_UNTIL]):
        pytest.skip(_LEFT)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    left = sum(_LEFT in str(report.longrepr) for report in terminalreporter.getreports("skipped"))
    if left:
        terminalreporter.write_line(f"{left} tests that are farther from it were {_LEFT}.")


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m tools.check")
    options.add_argument(
        "--since", metavar="REVISION", help="what changed since then; otherwise, what is not committed, or the last commit"
    )
    since = options.parse_args().since
    bin_ = Path(sys.executable).parent
    static = [
        [str(bin_ / "ruff"), "check", "--quiet", "."],
        [str(bin_ / "ruff"), "format", "--check", "--quiet", "."],
        [str(bin_ / "mypy"), "--no-error-summary"],
    ]
    running = [subprocess.Popen(command, cwd=ROOT) for command in static]
    changed = changes(since)
    tests = sorted(reached(changed), key=lambda test: test.startswith("tests/e2e/"))  # the long ones last
    print(
        f"{len(changed)} files changed; {len(tests)} files of tests reach them, {tests[0] if tests else 'none'} first.",
        flush=True,
    )
    codes = [_run(tests)] if tests else []
    codes += [process.wait() for process in running]
    sys.exit(1 if any(codes) else 0)


def _run(tests: list[str]) -> int:
    command = [sys.executable, "-m", "pytest", "-p", __spec__.name, "-n", "2", "-r", "fE", *tests]
    code = subprocess.run(command, cwd=ROOT, env={**os.environ, _UNTIL: str(time.time() + _SECONDS)}, check=False).returncode
    return 0 if code == pytest.ExitCode.NO_TESTS_COLLECTED else code


if __name__ == "__main__":
    main()
