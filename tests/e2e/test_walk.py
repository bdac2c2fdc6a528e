"""A new user's first hour on one of the exports, from init to cost; `make walk` goes through all six, tests/unit/test_init.py up to check."""

from __future__ import annotations

import pytest

from bench import walk


def test_from_an_export_to_recommendations_and_costs(capsys: pytest.CaptureFixture[str]) -> None:
    """Semicolons, decimal commas, HTML, local times: nothing edited by hand."""
    assert walk.main(["semicolon"]) == 0, capsys.readouterr()
    printed = capsys.readouterr().out
    assert [line.split()[2] for line in printed.splitlines()[:-1]] == [
        "init", "check", "up", "load", "train", "recommend", "cost", "down",
    ]  # fmt: skip
