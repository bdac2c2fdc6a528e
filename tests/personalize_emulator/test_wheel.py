"""The distribution by itself: its wheel and the packages that it asks for, and nothing else, run the examples of its README."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from urllib.request import Request, urlopen

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
    (wheel,) = (folder / "dist").glob("*.whl")
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


def asked_for_by_extras(name: str, *extras: str) -> set[str]:
    """Those that a distribution asks for with these extras and that are installed, and what they ask for."""
    found = map(Requirement, distribution(name).requires or [])
    direct = {one.name for one in found if one.marker and any(one.marker.evaluate({"extra": extra}) for extra in extras)}
    present = [one for one in direct if _is_installed(one)]
    return {*present, *asked_for(*present)}


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


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
    print(f"\n{size / 1_000_000:.0f} MB: the emulator, what it asks for, and pip")
    assert size < MEGABYTES * 1_000_000


def files(folder: Path) -> Iterator[Path]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from files(entry)
        else:
            yield entry


def test_a_project_that_follows_the_readme(installed: Path, tmp_path: Path) -> None:
    """Every example in Python is a module of a project outside the repository, with the extra [s3]."""
    for name in {"pytest", "moto", *asked_for("pytest", "moto"), *asked_for_by_extras("moto", "s3", "server")}:
        link(distribution(name), installed)
    examples = re.findall(r"```python\n(.*?)```", (PACKAGE / "README.md").read_text(), re.DOTALL)
    for number, example in enumerate(examples):
        name = "test_users.py" if "def import_users" in example else f"test_example_{number}.py"
        (tmp_path / name).write_text(example)
    tests = sum(example.count("def test_") for example in examples)
    shown = run(installed, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=tmp_path).stdout
    assert f"{tests} passed" in shown


def test_the_shop_of_the_program(installed: Path, tmp_path: Path) -> None:
    """What the README says of `--shop`: its ARNs are printed, and its campaign answers with the ids that are named there."""
    began = time.monotonic()
    with program(installed, tmp_path, ["-m", "personalize_emulator"], "--shop") as (emulator, endpoint):
        ready = time.monotonic()
        assert emulator.stdout is not None
        printed = ""
        while not printed.endswith("\n}\n"):
            printed += emulator.stdout.readline()
        campaign = json.loads(printed)["campaign_arn"]
        assert campaign in (PACKAGE / "README.md").read_text()
        request = Request(f"{endpoint}/recommendations", json.dumps({"campaignArn": campaign, "userId": "u1"}).encode())
        with urlopen(request, timeout=300) as answer:
            assert len(json.load(answer)["itemList"]) == 25
        shown = f"ready after {ready - began:.1f} s, the first recommendation of the trained shop after {time.monotonic() - began:.1f} s"
        print(f"\n{shown}")


def test_the_source_distribution_is_whole(tmp_path: Path) -> None:
    """It has what the wheel is built from, and the picture of the README."""
    source = shutil.copytree(PACKAGE, tmp_path / "source", ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    build = "import setuptools.build_meta as backend; print(backend.build_sdist('dist'))"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, capture_output=True)
    (archive,) = (source / "dist").glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        names = {name.split("/", 1)[1] for name in opened.getnames() if "/" in name}
    wanted = {file.relative_to(source).as_posix() for file in source.rglob("*.py")}
    assert wanted | {"README.md", "LICENSE", "images/overview.svg"} <= names


@pytest.mark.parametrize("start", [["-m", "personalize_emulator"], ["bin/personalize-emulator"]])
def test_the_program(installed: Path, tmp_path: Path, start: list[str]) -> None:
    with program(installed, tmp_path, start):
        pass
    assert (tmp_path / ".personalize").is_dir()


@contextmanager
def program(site: Path, cwd: Path, start: list[str], *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The emulator as a process, and its address; it is ended behind the block."""
    command = [str(site / start[0])] if start[0].startswith("bin/") else start
    with subprocess.Popen(
        [sys.executable, "-S", *command, "--port", "0", *options],
        env={"PYTHONPATH": str(site), "PATH": os.environ["PATH"]},
        cwd=cwd,
        stdout=subprocess.PIPE,
        text=True,
    ) as emulator:
        assert emulator.stdout is not None
        ready = re.match(r"Amazon Personalize is ready at (http://127\.0\.0\.1:\d+)", emulator.stdout.readline())
        try:
            assert ready
            yield emulator, ready[1]
        finally:
            emulator.terminate()
