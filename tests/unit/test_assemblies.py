"""What an earlier synth made is taken again as long as nothing that it was made from has changed, and only then."""

from __future__ import annotations

import os
import queue
import threading
from pathlib import Path

import pytest

from lambdas.config.file import load_config
from reco.local import assemblies
from reco.local.assemblies import SOURCES, key_of

SHOP = load_config(Path("config/shop.yaml"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with a file in each source."""
    for source in SOURCES:
        file = tmp_path / source if "." in source else tmp_path / source / "part" / "code.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("print(1)")
    return tmp_path


def test_the_key_is_the_same_as_long_as_nothing_changes(root: Path) -> None:
    key = key_of(SHOP, validated=False, root=root)
    (root / "stacks" / "__pycache__").mkdir()
    (root / "stacks" / "__pycache__" / "code.pyc").write_text("compiled")
    (root / "README.md").write_text("No input of the app.")
    assert key_of(load_config(Path("config/shop.yaml")), validated=False, root=root) == key


@pytest.mark.parametrize("source", SOURCES)
def test_each_source_counts(root: Path, source: str) -> None:
    keys = {key_of(SHOP, validated=False, root=root)}
    file = next(assemblies.files([root / source]))
    file.write_text("print(2)")
    keys.add(key_of(SHOP, validated=False, root=root))
    file.rename(file.with_name("renamed.py"))
    keys.add(key_of(SHOP, validated=False, root=root))
    assert len(keys) == 3


def test_config_validation_variables_and_versions_count(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [key_of(SHOP, validated=validated, root=root) for validated in (True, False)]
    keys.append(key_of(SHOP.model_copy(update={"tags": {"team": "shop"}}), validated=False, root=root))
    with monkeypatch.context() as patch:
        patch.setenv("CDK_DEFAULT_REGION", "eu-west-1")
        keys.append(key_of(SHOP, validated=False, root=root))
    with monkeypatch.context() as patch:
        patch.setattr(assemblies, "version", lambda package: "0.0.0")
        keys.append(key_of(SHOP, validated=False, root=root))
    assert len(set(keys)) == 5


def test_the_latest_used_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assemblies, "KEPT", tmp_path / "kept")
    monkeypatch.setattr(assemblies, "AT_MOST", 2)
    made = tmp_path / "made"
    made.mkdir()
    for number, key in enumerate(("first", "second", "third")):
        (made / "manifest.json").write_text(key)
        assemblies.keep(key, made)
        os.utime(tmp_path / "kept" / key, (number, number))
        if key == "second":
            assert assemblies.take("first", tmp_path / "taken")
    assert (tmp_path / "taken" / "manifest.json").read_text() == "first"
    assert {kept.name for kept in (tmp_path / "kept").iterdir()} == {"first", "third"}
    assert not assemblies.take("second", tmp_path / "nothing")


def test_one_at_a_time_makes_an_assembly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assemblies, "KEPT", tmp_path / "kept")
    entered: queue.SimpleQueue[str] = queue.SimpleQueue()

    def make(key: str) -> None:
        with assemblies.being_made(key):
            entered.put(key)

    with assemblies.being_made("first"):
        makers = [threading.Thread(target=make, args=(key,)) for key in ("first", "second")]
        for maker in makers:
            maker.start()
        assert entered.get(timeout=300) == "second"
        assert entered.empty()
    assert entered.get(timeout=300) == "first"
