"""Byte code for what functions import: their folders are read-only in Lambda, so without it each new worker compiles all of it.

It is made where this machine has the functions' Python. It is trusted without a look at the source, which an archive gives
other times to.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

#: The functions' Python.
VERSION = "3.13"


@cache
def interpreter() -> str | None:
    """The functions' Python on this machine: the one that runs, or `python3.13`; None where there is none."""
    for found in (sys.executable, shutil.which(f"python{VERSION}")):
        if found is None:
            continue
        ask = [found, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        answer = subprocess.run(ask, capture_output=True, text=True, check=False)
        if answer.returncode == 0 and answer.stdout.strip() == VERSION:
            return found
    return None


def compile_modules(folder: Path, root: str, python: str | None = None) -> None:
    """Compile the modules below the folder, which Lambda has at `root`; without the functions' Python nothing happens."""
    python = python or interpreter()
    if python is not None:
        paths = ["-s", str(folder), "-p", root, str(folder)]
        command = [python, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", *paths]
        subprocess.run(command, check=False)  # a package may bring a template that is no Python
