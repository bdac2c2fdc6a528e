"""The reference programs: Apache Velocity with Jayway's JSONPath, and the JavaScript `jsonata` that Step Functions names.

Debian's packages and npm's bring them into `.cache/`, with no rights of root: `python -m tests.conformance` asks for them.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from localaws.glue.java import java_home
from reco.local.synth import node_path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
_CACHE = ROOT / ".cache"
#: Debian's packages and the jars of them that are used. API Gateway's pages name Velocity, and JSONPath for `$input`.
_DEBIAN = {"velocity": "velocity.jar", "libjsonpath-java": "json-path.jar"}
#: What both need, and the small compiler of the harness, from the jars of pyspark.
_OF_SPARK = ("commons-collections-3", "commons-lang-2", "commons-compiler", "jackson-", "janino", "slf4j-api")
#: step-functions/latest/dg/transforming-data.html: "Step Functions supports JSONata version 2.0.6".
_JSONATA = "2.0.6"


class NoReference(Exception):
    """A reference program can't be had here; says what to do."""


def velocity(cases: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each case's `{"text", "context"}`, or `{"error"}`. A case is what `localaws.gateway.vtl.render` takes."""
    command = [java_home() / "bin" / "java", "-Dfile.encoding=UTF-8", "-cp", _classpath()]
    command += ["org.codehaus.janino.SimpleCompiler", HERE / "Velocity.java", "Velocity"]
    return _answers([str(part) for part in command], cases, os.environ)


def jsonata(cases: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each case's `{"value"}`, `{}` where it is undefined, or `{"error"}`. A case is `{"text"}`."""
    environ = {**os.environ, "PATH": node_path(), "NODE_PATH": str(_npm("jsonata", _JSONATA))}
    return _answers(["node", str(HERE / "jsonata.cjs")], cases, environ)


def _answers(command: list[str], cases: Sequence[Mapping[str, Any]], environ: Mapping[str, str]) -> list[dict[str, Any]]:
    lines = "".join(json.dumps(case) + "\n" for case in cases)
    done = subprocess.run(command, input=lines.encode(), capture_output=True, env=environ, check=False)
    answers = [json.loads(line) for line in done.stdout.decode().split("\n") if line]
    if done.returncode or len(answers) != len(cases):
        said = done.stderr.decode(errors="replace").strip()
        raise NoReference(f"{command[0]} answered {len(answers)} of {len(cases)} cases: {said[-1000:]}")
    return answers


def _classpath() -> str:
    spark = importlib.util.find_spec("pyspark")
    if spark is None or spark.origin is None:
        raise NoReference("pyspark brings jars that Velocity needs: make setup-test")
    jars = [jar for jar in (Path(spark.origin).parent / "jars").glob("*.jar") if jar.name.startswith(_OF_SPARK)]
    return os.pathsep.join(str(jar) for jar in [*(_debian(package, jar) for package, jar in _DEBIAN.items()), *sorted(jars)])


def _debian(package: str, jar: str) -> Path:
    """A jar of a Debian package: the machine's own, or else that of a package which apt fetches and checks for this user."""
    places = (Path("/usr/share/java") / jar, _CACHE / "debian" / jar)
    for place in places:
        if place.exists():
            return place
    if shutil.which("apt-get") is None:
        raise NoReference(f"no {jar}: put Debian's (package {package}) into {places[1].parent}")
    folder = _CACHE / f".debian-{os.getpid()}"
    for name in ("lists/partial", "archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    own = ["-o", f"Dir::State::Lists={folder / 'lists'}", "-o", f"Dir::Cache={folder}", "-o", "Debug::NoLocking=true"]
    try:
        _run(["apt-get", *own, "-o", "APT::Sandbox::User=", "update"], folder)
        _run(["apt-get", *own, "-o", "APT::Sandbox::User=", "download", package], folder)
        places[1].parent.mkdir(parents=True, exist_ok=True)
        places[1].write_bytes(_unpack(next(folder.glob(f"{package}_*.deb")), jar))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return places[1]


def _unpack(package: Path, jar: str) -> bytes:
    """A jar out of a .deb: an `ar` archive, whose member `data.tar` holds the files and links."""
    with tarfile.open(fileobj=BytesIO(_member(package.read_bytes(), b"data.tar"))) as data:
        name = f"./usr/share/java/{jar}"
        member = data.getmember(name)
        found = data.extractfile(member)  # follows a link
        assert found is not None, f"{package.name} has no {name}"
        return found.read()


def _member(archive: bytes, name: bytes) -> bytes:
    at = len(b"!<arch>\n")
    while at < len(archive):
        header, size = archive[at : at + 60], int(archive[at + 48 : at + 58])
        if header.startswith(name):
            return archive[at + 60 : at + 60 + size]
        at += 60 + size + size % 2
    raise NoReference(f"the package has no {name.decode()}")


def _npm(package: str, version: str) -> Path:
    """The folder of node modules that holds the package."""
    folder = _CACHE / f"{package}-{version}"
    if not folder.exists():
        made = folder.with_name(f".{folder.name}-{os.getpid()}")
        made.mkdir(parents=True)
        quiet = ("--silent", "--no-package-lock", "--no-save", "--ignore-scripts")
        _run(["npm", "install", *quiet, "--prefix", str(made), f"{package}@{version}"], made)
        made.replace(folder)
    return folder / "node_modules"


def _run(command: Iterable[str], folder: Path) -> None:
    command = list(command)
    environ = {**os.environ, "PATH": node_path()}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoReference(f"`{' '.join(command[:2])}` failed: {(done.stderr or done.stdout).strip()[-300:]}")
