"""The child process of one Lambda worker: sets up the import path, then hands over to awslambdaric.

Import order: the function's own code, then what its layers have in another version and that loads here (see `layers`), then this
virtual environment, then the layers whole.
"""

from __future__ import annotations

import os
import runpy
import site
import sys
from pathlib import Path

from localaws import isolation
from localaws.processes import end_with_parent

FIRST_PATHS, LAYER_PATHS = "LOCALAWS_FIRST_PATHS", "LOCALAWS_LAYER_PATHS"


def _set_import_path() -> None:
    task_root = os.environ["LAMBDA_TASK_ROOT"]
    os.environ["PYTHONPATH"] = isolation.python_path()  # of what the function starts
    hidden = {Path(task_root).resolve(), _checkout()}
    kept = [entry for entry in sys.path if entry and Path(entry).resolve() not in hidden]
    first, layers = (paths(os.environ.pop(name, "")) for name in (FIRST_PATHS, LAYER_PATHS))
    sys.path[:] = [task_root, *first, *kept, *layers]
    sys.meta_path[:] = [finder for finder in sys.meta_path if "__editable__" not in str(finder)]


def paths(text: str) -> list[str]:
    """The folders that a variable lists."""
    return [entry for entry in text.split(os.pathsep) if entry]


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
