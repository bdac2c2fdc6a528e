"""The child process of one Lambda worker: sets up the import path, then hands over to awslambdaric.

Import order: the function's own code, then this virtual environment, then the function's layers. A layer is built for Lambda's
platform and Python (say arm64, CPython 3.13), so its compiled modules don't load here; the virtual environment has the same
packages for this machine, and a layer serves only the pure-Python modules that the virtual environment lacks.
"""

from __future__ import annotations

import os
import runpy
import site
import sys
from pathlib import Path

from localaws import isolation
from localaws.processes import end_with_parent

LAYER_PATHS = "LOCALAWS_LAYER_PATHS"


def _set_import_path() -> None:
    task_root = os.environ["LAMBDA_TASK_ROOT"]
    os.environ["PYTHONPATH"] = isolation.python_path()  # of what the function starts
    hidden = {Path(task_root).resolve(), _checkout()}
    kept = [entry for entry in sys.path if entry and Path(entry).resolve() not in hidden]
    layers = [entry for entry in os.environ.pop(LAYER_PATHS, "").split(os.pathsep) if entry]
    sys.path[:] = [task_root, *kept, *layers]
    sys.meta_path[:] = [finder for finder in sys.meta_path if "__editable__" not in str(finder)]


def _checkout() -> Path | None:
    """The source tree that localaws runs from: what is not in the asset must fail here as it would in Lambda."""
    root = Path(__file__).parents[2].resolve()
    return None if str(root) in site.getsitepackages() else root


def main() -> None:
    end_with_parent(patience=0)
    isolation.keep_in()
    _set_import_path()
    sys.argv = ["awslambdaric", os.environ["_HANDLER"]]
    runpy.run_module("awslambdaric", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
