"""`reco demo --keep`, on films that are invented: it stays up, and the other commands find it."""

from __future__ import annotations

import json
import random
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from reco.local.synth import ROOT
from tests.e2e.conftest import CommandLine
from tests.harness.deployment import write_config
from tests.harness.shop_csvs import START

USERS, FILMS, SEEN = 40, 60, 30
GENRES = ("Horror", "Comedy", "Drama")


def films(folder: Path) -> Path:
    """A little MovieLens, in recbole's files."""
    dice, folder = random.Random(5), folder / "films"
    folder.mkdir()
    seen = {user: dice.sample(range(FILMS), SEEN) for user in range(USERS)}
    watched = [f"{user}\t{film}\t5\t{START + n}" for user, of in seen.items() for n, film in enumerate(of)]
    lines = {
        "inter": ["user\titem\trating\ttime", *watched],
        "item": ["item\ttitle\tyear\tgenres", *(f"{n}\tFilm {n}\t1990\t{GENRES[n % 3]}" for n in range(FILMS))],
        "user": ["user\tage\tgender\toccupation", *(f"{user}\t30\tF\twriter" for user in range(USERS))],
    }
    for name, text in lines.items():
        (folder / f"ml-100k.{name}").write_text("\n".join(text) + "\n")
    return folder


def without_batch() -> dict[str, Any]:
    """The demo's config as far as the demo needs it: no Spark, and no gate, which the models of so few films may not pass."""
    raw: dict[str, Any] = yaml.safe_load((ROOT / "config" / "movielens.yaml").read_text())
    del raw["batch"], raw["solutions"]["for-you"]["gate"]
    return raw | {"serving": {"time_budget_ms": 5000}}


def test_a_demo_that_is_kept_is_found_by_the_other_commands(reco: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RECOSTACK_CONFIG", raising=False)
    (reco.folder / "config" / "movielens.yaml").unlink()
    config = write_config(without_batch(), reco.folder / "config", "movielens.yaml").relative_to(reco.folder)
    demo = ("demo", "--keep", "-c", str(config), "--data", str(films(reco.folder)), "--speed", "1000")
    said, told = reco.run(*demo, "--json", "demo.json")
    written = json.loads((reco.folder / "demo.json").read_text())
    assert "`reco status` shows its addresses, `reco down` stops it." in " ".join(told.split())
    assert said.splitlines()[-1] == f"The storefront: {written['storefront_url']}"

    status = reco.json("status")
    assert status["parts"] == {"aws": "up", "api": "up", "personalize": "up"}
    assert status["storefront_url"] == written["storefront_url"]
    with urllib.request.urlopen(status["storefront_url"], timeout=300) as page:
        assert page.headers.get_content_type() == "text/html"
    answer, told = reco.run("recommend", "home", "--user", "7", "--json")  # of the demo's config, with nothing said
    assert json.loads(answer)["returned"] == 10
    assert "chosen by `reco demo --keep`" in " ".join(told.split())

    assert "holds data of an earlier run" in " ".join(reco.run(*demo, code=1)[1].split())
    assert "Stopped." in "".join(reco.run("down"))
    assert "No local AWS environment is running" in " ".join(reco.run("status", code=1)[1].split())
