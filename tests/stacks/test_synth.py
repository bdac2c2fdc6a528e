"""An app is synthesized when it changed: what Node.js does not run for comes from an earlier synth."""

from __future__ import annotations

import filecmp
from pathlib import Path

import pytest
import yaml

from reco.errors import RecoError
from reco.local import assemblies
from reco.local.synth import key_of, synthesize

CONFIG = Path("config/movielens.yaml")


def test_an_unchanged_app_is_not_synthesized_again(assembly: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assemblies, "KEPT", tmp_path / "kept")
    assemblies.keep(key_of(CONFIG, validate=True), assembly)
    monkeypatch.setenv("JSII_NODE", "/nowhere/node")
    again = synthesize(CONFIG, tmp_path / "again")
    templates = [template.name for template in assembly.glob("*.template.json")]
    assert len(templates) > 1
    assert filecmp.cmpfiles(assembly, again, [*templates, "manifest.json"], shallow=False)[1:] == ([], [])

    raw = yaml.safe_load(CONFIG.read_text()) | {"name": "other"}
    changed = tmp_path / "changed.yaml"
    (tmp_path / "schemas").symlink_to((CONFIG.parent / "schemas").resolve())
    changed.write_text(yaml.safe_dump(raw))
    with pytest.raises(RecoError, match="could not be synthesized"):
        synthesize(changed, tmp_path / "changed")
