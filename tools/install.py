"""Sets up `.venv` for `make`: runs on the machine's own Python, before anything is installed, so it needs nothing but that.

    python3 tools/install.py [demo|test|bench]

Says what it does; fails with a sentence that tells what to do.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_VENV = ROOT / ".venv"
#: A distribution of its own, which the project needs.
_EMULATOR = ROOT / "packages" / "personalize-emulator"
#: Pins each release and the hashes of its files.
_CONSTRAINTS = ROOT / "constraints.txt"
PYTHON = _VENV / "bin" / "python"
_EXTRAS = {
    "demo": ["cdk", "local", "spark", "plots"],
    "test": ["cdk", "local", "spark", "plots", "dev"],
    "bench": ["cdk", "local", "spark", "plots", "bench"],
}


def main() -> None:
    purpose = sys.argv[1] if len(sys.argv) > 1 else "demo"
    if sys.version_info < (3, 11):  # noqa: UP036
        sys.exit(
            f"recostack needs Python 3.11 or later; this is {sys.version.split()[0]}. Name another: make PYTHON=python3.12 ..."
        )
    extras = extras_of(purpose)
    stamp, wanted = _VENV / f".installed-{purpose}", fingerprint(extras)
    if not stamp.exists() or stamp.read_text() != wanted:
        began = time.monotonic()
        _make_venv()
        install(extras)
        stamp.write_text(wanted)
        print(f"The environment is ready ({time.monotonic() - began:.0f} s).", flush=True)
    _build_layer()
    if purpose in ("test", "bench"):
        subprocess.run([str(PYTHON), "-m", "localaws.glue.classes"], cwd=ROOT, check=False)  # it says so if it can't
        subprocess.run([str(PYTHON), "-m", "tools.browser"], cwd=ROOT, check=False)  # it says so if there is none


def extras_of(purpose: str) -> list[str]:
    """What is installed for it on this machine, which may have Node.js already."""
    return _EXTRAS[purpose] + ([] if shutil.which("node") else ["node"])


def fingerprint(extras: list[str]) -> str:
    """Changes with everything that decides what is installed."""
    files = [ROOT / "pyproject.toml", _EMULATOR / "pyproject.toml", _CONSTRAINTS]
    content = b"\0".join(file.read_bytes() for file in files) + " ".join(extras).encode() + sys.version.encode()
    return hashlib.sha256(content).hexdigest()


def _make_venv() -> None:
    if PYTHON.exists():
        return
    print(f"Making a virtual environment in .venv with Python {sys.version.split()[0]}.", flush=True)
    done = subprocess.run([sys.executable, "-m", "venv", str(_VENV)], capture_output=True, text=True, check=False)
    if done.returncode:
        shutil.rmtree(_VENV, ignore_errors=True)
        sys.exit(
            "The virtual environment could not be made: this Python lacks venv. (Debian, Ubuntu: apt-get install python3-venv)"
        )


def install(extras: list[str]) -> None:
    """The releases of constraints.txt, whose hashes pip compares, and then the project over them."""
    print("Installing the packages into .venv: about a minute, and 1.5 GB, most of it the CDK and Spark.", flush=True)
    own_pip = _VENV / "pip.txt"  # that of the machine may be too old to look at hashes in constraints
    own_pip.write_text(re.findall(r"^pip==(?:.*\\\n)*.*\n", _CONSTRAINTS.read_text(), re.MULTILINE)[0])
    _pip_install("--require-hashes", "--requirement", str(own_pip))
    _pip_install("--constraint", str(_CONSTRAINTS), *requirements(extras))
    _pip_install("--no-deps", "--build-constraint", str(_CONSTRAINTS), "--editable", str(_EMULATOR), "--editable", str(ROOT))


def requirements(extras: list[str]) -> list[str]:
    """What the project, its extras and the emulator ask for."""
    import tomllib  # an older Python lacks it, and is told above what it lacks

    project, emulator = (tomllib.loads((folder / "pyproject.toml").read_text())["project"] for folder in (ROOT, _EMULATOR))
    named = [project["optional-dependencies"][extra] for extra in extras]
    return sorted({*project["dependencies"], *emulator["dependencies"], *itertools.chain(*named)})


def _pip_install(*arguments: str) -> None:
    """Shows the package that pip is at."""
    command = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar=off"]
    command += ["--no-compile"]  # half of the time: Python compiles what is imported, a small part of the CDK
    environ = {**os.environ, "PIP_NO_COLOR": "1"}
    said: list[str] = []
    pipe = subprocess.PIPE
    with subprocess.Popen([*command, *arguments], stdout=pipe, stderr=subprocess.STDOUT, text=True, env=environ, cwd=ROOT) as pip:
        for line in pip.stdout or []:
            said.append(line.rstrip())
            show(line)
    show("")
    if pip.returncode:
        sys.exit(f"The packages could not be installed: {reason(said)}")


def show(line: str) -> None:
    """On a terminal, one line that tells where pip is; in a log, nothing."""
    if sys.stdout.isatty():
        print("\r\033[K  " + line.strip()[:76] if line else "\r\033[K", end="", flush=True)


def reason(said: list[str]) -> str:
    """What pip's last words mean for whoever reads them."""
    text = "\n".join(said)
    if any(
        sign in text for sign in ("Failed to establish a new connection", "Temporary failure", "NewConnectionError", "timed out")
    ):
        return "the package index can't be reached. Check the network (and PIP_INDEX_URL or the proxy), then run make again."
    if "No space left" in text:
        return "the disk is full."
    errors = [line for line in said if line.startswith("ERROR")] or said[-1:] or ["pip gave no reason"]
    return errors[0].removeprefix("ERROR: ")


def _build_layer() -> None:
    """The layer of the functions, so that the first synth need not wait for it."""
    if subprocess.run([str(PYTHON), "-m", "stacks.layer"], cwd=ROOT, check=False).returncode:
        sys.exit(1)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
