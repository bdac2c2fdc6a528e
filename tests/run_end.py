"""What a test run starts ends with it, however it ends: a process of its own waits for that, and kills what is left.

Everything that a test starts inherits a variable that names the run. After a run that ended by itself, something that is left is a
failure: whatever started it would leave it behind on a person's machine.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid

import pytest

from tests.harness.processes import all_running, children_of, command_of, descendants_of, environment_of

_RUN = "RECOSTACK_TEST_RUN"
#: How long what a run has started may take to end by itself.
_MOST_SECONDS = float(os.environ.get("RECOSTACK_TEST_LEFT_SECONDS", "60"))


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job; what tests start would ignore it too
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if "PYTEST_XDIST_WORKER" not in os.environ:
        os.environ[_RUN] = uuid.uuid4().hex
        command = [sys.executable, "-m", __name__, os.environ[_RUN]]
        config.stash[_WATCHER] = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if _WATCHER in session.config.stash:
        watcher = session.config.stash[_WATCHER]
        deadline = time.monotonic() + _MOST_SECONDS
        own = {os.getpid(), watcher.pid, *_ending_with_this_process()}
        while (left := _left(own)) and time.monotonic() < deadline:
            time.sleep(0.05)
        for pid in left:
            print(f"\nThe tests left a process behind: {command_of(pid)}", file=sys.stderr)
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _ending_with_this_process() -> set[int]:
    """The Node.js behind the CDK and the JVM behind Spark, where tests ran in this process (`-n 0`)."""
    roots = [pid for pid in children_of(os.getpid()) if "jsii" in command_of(pid) or "pyspark" in command_of(pid)]
    return {*roots, *(pid for root in roots for pid in descendants_of(root))}


_WATCHER = pytest.StashKey[subprocess.Popen[bytes]]()


def _left(known: set[int], run: str | None = None) -> list[int]:
    """The processes of the run, without those that are known."""
    run = run or os.environ[_RUN]
    return [pid for pid in all_running() if pid not in known and environment_of(pid).get(_RUN) == run]


def main() -> None:
    """Wait until whoever started this has ended, then end all that the run has left."""
    sys.stdin.buffer.read()
    while left := _left({os.getpid()}, sys.argv[1]):
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


if __name__ == "__main__":
    main()
