"""Imported by every Python whose PYTHONPATH has this folder: keeps it in; then comes the machine's own `sitecustomize`."""

import importlib.machinery
import importlib.util
import sys
from pathlib import Path

_HERE = Path(__file__).parent


def _load(name: str, file: Path) -> None:
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        if name == "localaws_isolation":
            module.keep_in()


_load("localaws_isolation", _HERE.parent / "__init__.py")
_others = [entry for entry in sys.path if Path(entry or ".").resolve() != _HERE]
_next = importlib.machinery.PathFinder.find_spec("sitecustomize", _others)
if _next is not None and _next.origin:
    _load("sitecustomize", Path(_next.origin))
