"""The processes that do the jobs: one does as many as it can, also for an emulator that is itself large."""

from __future__ import annotations

import subprocess
import sys

LARGE_PARENT = """
from personalize_emulator.jobs.children import CHILDREN
ballast = b"x" * 500_000_000
CHILDREN.join()
child = CHILDREN.take()
answers = [child.run({"kind": "unheard-of"}, {}) for _ in range(2)]
CHILDREN.give_back(child)
print(CHILDREN.take() is child, answers[0] == answers[1] == {"failure": "Internal error: KeyError: 'unheard-of'"})
CHILDREN.give_back(child)
CHILDREN.leave()
print(child.alive)
"""


def test_a_child_is_kept_whatever_memory_its_parent_has() -> None:
    done = subprocess.run([sys.executable, "-c", LARGE_PARENT], capture_output=True, text=True, check=False, timeout=300)
    assert done.stdout.split() == ["True", "True", "False"], done.stderr
