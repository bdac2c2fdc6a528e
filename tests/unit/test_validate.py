"""`reco validate`: an override of rules, before it is put into SSM."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reco.cli import app
from reco.errors import RecoError


def said(path: Path, *more: str) -> str:
    result = CliRunner().invoke(app, ["validate", "config/shop.yaml", "--override", str(path), *more])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        assert isinstance(result.exception, RecoError), repr(result.exception)
        return str(result.exception)
    return " ".join(result.output.split())


def document(length: int, by: str = "BRAND") -> str:
    text = json.dumps({"rules": {"few_of_a_brand": {"cap": {"by": by, "at_most": 2}}}})
    return text + " " * (length - len(text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (document(4096), "is a valid override: 4096 of 8192 characters."),
        (document(8192), "8192 of 8192 characters; put it with --tier Intelligent-Tiering."),
        (document(8193), "8193 characters, and SSM takes 4096, or 8192 of an advanced parameter"),
        (document(80, "BRANT"), "rules.few_of_a_brand"),
        ("[]", "must be an object that holds objects"),
    ],
)
def test_an_override_is_checked_before_ssm_has_it(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "override.json"
    path.write_text(text)
    assert words in said(path)
    answer = json.loads(said(path, "--json"))
    assert answer["valid"] is ("is a valid" in words or "put it" in words)
    assert answer["valid"] or words in answer["problems"][0]


def test_an_override_that_is_not_there(tmp_path: Path) -> None:
    assert "can't be read" in said(tmp_path / "none.json")
