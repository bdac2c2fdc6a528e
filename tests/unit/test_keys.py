"""`reco keys`: the calls that it prints, for configs whose placements need more or less of a call."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from typer.testing import CliRunner

from lambdas.config import Config
from lambdas.config.file import load_config
from reco.cli import app
from reco.commands import keys
from reco.data.load import example_of
from reco.local.synth import ROOT
from reco.target import Target
from tests.harness.deployment import CONFIG, write_config
from tests.unit.conftest import Deployment

URLS = {"api_url": "http://api.example/v1", "browser_api_url": "http://browsers.example/v1"}


@pytest.fixture
def target(shop: Deployment, monkeypatch: pytest.MonkeyPatch) -> Target:
    """The shop as commands see it; nothing is loaded."""
    found = Target(shop.config.name, None)
    for name, value in {**URLS, "api_key": "servers'-key", "browser_api_key": "browsers-key", "signs": False}.items():
        monkeypatch.setattr(Target, name, value)
    monkeypatch.setattr(Target, "output", lambda self, capability, name: {"DataBucket": shop.bucket}[name])
    monkeypatch.setattr(keys, "connect", lambda name, aws: found)
    return found


def config_with(*first: str, only: bool = False) -> Config:
    """The shop with these placements before the others, or alone."""
    raw: dict[str, Any] = yaml.safe_load((ROOT / "config" / "shop.yaml").read_text())
    names = [*first, *([] if only else (name for name in raw["placements"] if name not in first))]
    raw["placements"] = {name: raw["placements"][name] for name in names}
    raw |= {"api": {}, "storefront": None, "environments": {}}
    with TemporaryDirectory() as folder:
        return load_config(write_config(raw, Path(folder)))


def asked(call: keys.Call) -> tuple[str, dict[str, list[str]]]:
    url = urlsplit(shlex.split(call.command.replace("\\\n", ""))[1])
    return url.path, parse_qs(url.query)


def test_a_placement_whose_filter_needs_no_value_is_asked(shop: Deployment, target: Target) -> None:
    shop.put_csv("interactions", "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE\nu 7,a&b,1700000000,view\nu8,i2,1700000001,view\n")
    call = keys.curl(config_with("category"), target, example_of(target))
    assert (asked(call), call.put_in) == (("/v1/recommendations/home", {"user_id": ["u 7"]}), [])
    call = keys.curl(config_with("category", "best-sellers", only=True), target, example_of(target))
    assert asked(call)[0] == "/v1/recommendations/best-sellers"
    call = keys.curl(config_with("item-page", only=True), target, example_of(target))
    assert (asked(call), call.put_in) == (("/v1/recommendations/item-page", {"item_id": ["a&b"]}), [])
    body = shlex.split(keys.curl(config_with("search", only=True), target, example_of(target)).command.replace("\\\n", ""))[-1]
    assert json.loads(body) == {"user_id": "u 7", "item_ids": ["a&b", "i2"]}


def test_a_value_that_only_the_shop_knows_is_named(shop: Deployment, target: Target) -> None:
    call = keys.curl(config_with("category", only=True), target, example_of(target))
    assert (asked(call), call.put_in) == (
        ("/v1/recommendations/category", {"user_id": ["1"], "CATEGORY": ["CATEGORY"]}),
        ["user_id", "CATEGORY"],
    )
    shop.put_csv("interactions")
    assert keys.curl(config_with("category", only=True), target, example_of(target)).put_in == ["CATEGORY"]


@pytest.mark.parametrize("text", ["", "USER_ID,ITEM_ID\n", "A,B\n1,2\n", "USER_ID,ITEM_ID\n1,2,3\n", '"\n'])
def test_csvs_that_tell_no_ids(shop: Deployment, target: Target, text: str) -> None:
    shop.put_csv("interactions", text)
    assert keys.curl(config_with(), target, example_of(target)).put_in == ["user_id"]


def test_what_is_printed(shop: Deployment, target: Target) -> None:
    said = CliRunner().invoke(app, ["keys", "-c", "config/shop.yaml"])
    assert said.exit_code == 0, said.output
    assert "Servers  http://api.example/v1\n  key    servers'-key\n" in said.stdout
    assert "Put in your shop's own: user_id, item_id." in said.stdout
    shop.put_csv("interactions")
    said = CliRunner().invoke(app, ["keys", "-c", "config/shop.yaml"])
    assert "/recommendations/home?user_id=u0'" in said.stdout
    assert "Put in" not in said.stdout
    found = json.loads(CliRunner().invoke(app, ["keys", "-c", "config/shop.yaml", "--json"]).stdout)
    names = {"api_url", "api_key", "browser_api_url", "browser_api_key", "browsers_may", "auth", "curl", "curl_event", "put_in"}
    assert (set(found), found["auth"], found["put_in"]) == (names, "key", [])
    assert all(found[name] in said.stdout for name in ("curl", "curl_event"))


@pytest.mark.parametrize(
    ("placements", "may"), [(["home", "search"], "only send events and ask for home, search"), ([], "only send events")]
)
def test_what_the_browsers_key_may_do_follows_the_config(target: Target, tmp_path: Path, placements: list[str], may: str) -> None:
    raw = yaml.safe_load(CONFIG.read_text())
    raw["api"]["browser_placements"] = placements
    raw["storefront"] = None
    config = str(write_config(raw, tmp_path))
    said = CliRunner().invoke(app, ["keys", "-c", config]).stdout.splitlines()
    assert said[said.index("  key    browsers-key") + 1] == f"  may    {may}"
    answer = json.loads(CliRunner().invoke(app, ["keys", "-c", config, "--json"]).stdout)
    assert (answer["browser_api_key"], answer["browsers_may"]) == ("browsers-key", may)
