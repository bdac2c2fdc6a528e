"""The command line in a checkout of its own, so that a test has the ports, the state and the caches to itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bench import chaos
from localaws.iam.calls import ALL
from reco.target import Target
from tests.harness.deployment import patient_shop, write_config
from tests.permissions.proof import prove

ROOT = Path(__file__).parents[2]
RECO = Path(sys.executable).with_name("reco")


@dataclass
class CommandLine:
    """`reco` in a working folder; every command names the config of the shop."""

    folder: Path

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return subprocess.Popen(
            [str(RECO), *arguments], cwd=self.folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, *arguments: str, code: int = 0, stdin: str | None = None) -> tuple[str, str]:
        """Run a command to its end; its stdout and stderr. Fails the test on another exit code."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        done = subprocess.run(
            [str(RECO), *arguments],
            cwd=self.folder,
            env=environ,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == code, f"reco {' '.join(arguments)} -> {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout, done.stderr

    def json(self, *arguments: str, code: int = 0, stdin: str | None = None) -> Any:
        return json.loads(self.run(*arguments, "--json", code=code, stdin=stdin)[0])


@pytest.fixture(scope="package", autouse=True)
def calls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Every call of every role is written down while these tests run, and none would be denied."""
    with pytest.MonkeyPatch.context() as patch:
        folder = Path(os.environ.get(ALL) or tmp_path_factory.mktemp("calls"))
        patch.setenv(ALL, str(folder))
        yield folder
    assert {name: role.denied for name, role in prove(folder).items() if role.denied} == {}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a module's deployment keeps its files."""
    return tmp_path_factory.mktemp("deployed")


@pytest.fixture(scope="module")
def ledger(shop: Target, folder: Path) -> chaos.Ledger:
    """What became of the events that the module's deployment was sent."""
    return chaos.Ledger(shop, folder)


@pytest.fixture(scope="module")
def reco(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    """A folder with the configs of the repository; whatever still runs there at the end is stopped."""
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "config").mkdir()
    for file in (ROOT / "config").iterdir():
        (folder / "config" / file.name).symlink_to(file)
    (folder / "config" / "shop.yaml").unlink()
    write_config(patient_shop(), folder / "config")
    made = CommandLine(folder)
    yield made
    made.run("down")
