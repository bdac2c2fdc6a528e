"""Builds the layer that all functions share: pinned wheels for the Lambda platform, by pip, without docker."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from stacks.bytecode import VERSION, compile_modules, interpreter

ROOT = Path(__file__).parents[1]
REQUIREMENTS = ROOT / "lambdas" / "requirements.txt"
_CONSTRAINTS = ROOT / "constraints.txt"

#: The functions' runtime: Python 3.13 on Graviton.
_PLATFORM = ["--platform", "manylinux2014_aarch64", "--implementation", "cp", "--python-version", VERSION]

#: The services that functions call. botocore carries the descriptions of four hundred: the others stay out of the layer.
SERVICES = frozenset({
    "apigateway", "dynamodb", "events", "kinesis", "personalize", "personalize-events", "personalize-runtime", "s3",
    "secretsmanager", "sns", "sqs", "ssm", "stepfunctions", "sts",
})  # fmt: skip


class LayerError(Exception):
    """The layer could not be built; the message says what to do."""


def layer_directory() -> Path:
    """The layer's folder, built when the requirements changed (about ten seconds, needs the network)."""
    digest = hashlib.sha256()
    for source in (REQUIREMENTS, _CONSTRAINTS, Path(__file__)):
        digest.update(source.read_bytes())
    digest.update(b"with byte code" if interpreter() else b"")
    built = ROOT / ".cache" / f"layer-{digest.hexdigest()[:12]}"
    if not built.exists():
        built.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=built.parent, ignore_cleanup_errors=True) as folder:  # another synth may do the same
            unfinished = Path(folder) / "layer"
            install(unfinished / "python")
            prune(unfinished / "python")
            compile_modules(unfinished, "/opt")
            if not built.exists():
                unfinished.rename(built)
    return built


def install(target: Path) -> None:
    """Let pip put the wheels into `target`. Raises LayerError with pip's last line."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-compile",
        "--target",
        str(target),
        "--only-binary=:all:",
        *_PLATFORM,
    ]
    command += ["--requirement", str(REQUIREMENTS), "--constraint", str(_CONSTRAINTS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
        raise LayerError(f"The functions' layer could not be built: {last}. Check the network, then try again.")


def prune(target: Path) -> None:
    """Drop what no function imports: descriptions of other services, examples, command line scripts."""
    data = target / "botocore" / "data"
    for service in data.iterdir():
        if service.is_dir() and service.name not in SERVICES:
            shutil.rmtree(service)
    for examples in data.rglob("examples-1.json*"):
        examples.unlink()
    shutil.rmtree(target / "bin", ignore_errors=True)


if __name__ == "__main__":
    try:
        layer_directory()
    except LayerError as problem:
        sys.exit(str(problem))
