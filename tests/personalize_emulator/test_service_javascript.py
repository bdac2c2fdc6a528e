"""The journey with another language's serializer: the AWS SDK for JavaScript v3."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.personalize_emulator.journey import Client, csv_of

SCRIPT = Path(__file__).with_name("journey.mjs")
PACKAGES = ("client-personalize", "client-personalize-runtime", "client-personalize-events")


@pytest.fixture(scope="session")
def javascript_sdk(request: pytest.FixtureRequest) -> Path:
    """A folder with the SDK, installed at the first run and kept in pytest's cache."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node and npm are not installed")
    folder: Path = request.config.cache.mkdir("personalize-javascript-sdk")
    if not all((folder / "node_modules/@aws-sdk" / package / "package.json").exists() for package in PACKAGES):
        wanted = [f"@aws-sdk/{package}@3" for package in PACKAGES]
        command = [npm, "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(folder), *wanted]
        installed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        if installed.returncode != 0:
            pytest.skip(f"the SDK cannot be installed: {installed.stderr.strip()[-200:]}")
    return folder


def test_the_whole_journey(javascript_sdk: Path, client: Client) -> None:
    location = client.put("javascript.csv", csv_of("Interactions"))
    command = ["node", str(SCRIPT), client.endpoint, location]
    done = subprocess.run(command, cwd=javascript_sdk, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["metrics"] == 8
    assert len(seen["items"]) == 79
    assert seen["viewed"] not in seen["items"]
    assert seen["filters"] == ["js"]
    assert seen["refused"] == {"known": True, "status": 400}
    assert seen["created"] is True
