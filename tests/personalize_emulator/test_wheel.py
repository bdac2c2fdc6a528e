"""The distribution by itself: its wheel and the packages that it asks for, and nothing else, run the examples of its README."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

PACKAGE = Path("packages/personalize-emulator").resolve()
MEGABYTES, MOST_DIRECT = 320, 6


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages as an empty environment would get it; pip needs no network for it."""
    folder = tmp_path_factory.mktemp("wheel")
    source = shutil.copytree(PACKAGE, folder / "source", ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(folder / "dist"), str(source)]
    subprocess.run([*pip, *build], check=True, capture_output=True)
    (wheel,) = (folder / "dist").iterdir()
    subprocess.run(
        [*pip, "install", "--no-deps", "--no-index", "--target", str(folder / "site"), str(wheel)],
        check=True,
        capture_output=True,
    )
    for name in asked_for("personalize-emulator"):
        link(distribution(name), folder / "site")
    return folder / "site"


def requirements(name: str) -> list[Requirement]:
    """Those that hold here, without those of extras."""
    found = map(Requirement, distribution(name).requires or [])
    return [one for one in found if one.marker is None or one.marker.evaluate({"extra": ""})]


def asked_for(*names: str) -> set[str]:
    """All that these ask for, at any depth."""
    found, waiting = set[str](), list(names)
    while waiting:
        for one in requirements(waiting.pop()):
            if one.name not in found:
                found.add(one.name)
                waiting.append(one.name)
    return found


def link(of: Distribution, folder: Path) -> None:
    for first in {file.parts[0] for file in of.files or [] if file.parts[0] not in ("..", "__pycache__")}:
        target = folder / first
        if not target.exists():
            target.symlink_to(Path(str(of.locate_file(first))))


def run(site: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Python with the packages of the folder alone."""
    environ = {"PYTHONPATH": str(site), "PATH": os.environ["PATH"]}
    command = [sys.executable, "-S", *arguments]
    return subprocess.run(command, env=environ, cwd=cwd, capture_output=True, text=True, check=True, timeout=240)


def test_what_it_asks_for() -> None:
    direct = requirements("personalize-emulator")
    assert len(direct) <= MOST_DIRECT
    (boto3,) = (one for one in direct if one.name == "boto3")
    assert "==" not in str(boto3.specifier)


def test_its_size(installed: Path) -> None:
    """With pip, which an environment has."""
    link(distribution("pip"), installed)
    size = sum(file.stat().st_size for file in files(installed))
    assert size < MEGABYTES * 1_000_000


def files(folder: Path) -> Iterator[Path]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from files(entry)
        else:
            yield entry


def test_the_fixture_of_the_readme(installed: Path, tmp_path: Path) -> None:
    for name in {"pytest", *asked_for("pytest")}:
        link(distribution(name), installed)
    (example,) = re.findall(r"```python\n(.*?)```", (PACKAGE / "README.md").read_text(), re.DOTALL)
    (tmp_path / "test_example.py").write_text(example)
    assert "1 passed" in run(installed, "-m", "pytest", "-q", "test_example.py", cwd=tmp_path).stdout


@pytest.mark.parametrize("start", [["-m", "personalize_emulator"], ["bin/personalize-emulator"]])
def test_the_program(installed: Path, tmp_path: Path, start: list[str]) -> None:
    program = [str(installed / start[0])] if start[0].startswith("bin/") else start
    with subprocess.Popen(
        [sys.executable, "-S", *program, "--port", "0", "--data", "state"],
        env={"PYTHONPATH": str(installed), "PATH": os.environ["PATH"]},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    ) as emulator:
        assert emulator.stdout is not None
        assert re.match(r"Amazon Personalize is ready at http://127\.0\.0\.1:\d+", emulator.stdout.readline())
        emulator.terminate()
    assert (tmp_path / "state").is_dir()
