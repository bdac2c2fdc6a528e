"""`reco keys`: what it says that each key may do."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from typer.testing import CliRunner

from reco.cli import app
from tests.harness.deployment import CONFIG, write_config

TARGET = SimpleNamespace(
    api_url="https://servers.example/v1",
    api_key="servers-key",
    browser_api_url="https://browsers.example/v1",
    browser_api_key="browsers-key",
    signs=False,
    client=lambda service: SimpleNamespace(meta=SimpleNamespace(region_name="us-east-1")),
)


def printed(config: Path, *options: str) -> str:
    done = CliRunner().invoke(app, ["keys", "-c", str(config), *options], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_what_the_browsers_key_may_do_follows_the_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reco.commands.keys.connect", lambda *_: TARGET)
    raw = yaml.safe_load(CONFIG.read_text())
    raw["api"]["browser_placements"] = ["home", "search"]
    asks = write_config(raw, tmp_path / "asks")
    del raw["api"]["browser_placements"], raw["storefront"]
    sends = write_config(raw, tmp_path / "sends")
    for config, may in ((asks, "only send events and ask for home, search"), (sends, "only send events")):
        lines = printed(config).splitlines()
        assert lines[lines.index("  key    browsers-key") + 1] == f"  may    {may}"
        answer = json.loads(printed(config, "--json"))
        assert (answer["browser_api_key"], answer["browsers_may"]) == ("browsers-key", may)
