"""A new user's first hour on one of the exports, from init to cost; `make walk` goes through all six, tests/unit/test_init.py up to check."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench import walk


def test_from_an_export_to_recommendations_and_costs(capsys: pytest.CaptureFixture[str]) -> None:
    """Semicolons, decimal commas, HTML, local times: nothing edited by hand."""
    assert walk.main(["semicolon"]) == 0, capsys.readouterr()
    printed = capsys.readouterr().out
    steps = ["init", "check", "up", "load", "train", "recommend", "cost", "down"]
    assert [line.split()[2] for line in printed.splitlines() if line.startswith("semicolon ")] == steps
    assert f"| export | {' | '.join(steps)} | all |\n" in printed
    assert "failed: none." in printed


@pytest.mark.parametrize(("hours", "code"), [(0.01, 0), (1, 1)])
def test_all_six_have_ten_minutes(
    hours: float, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def take(name: str, folder: Path, make: Any, flags: Any, seconds: dict[str, float]) -> bool:
        seconds["up"] = hours * 3600 / 6
        return True

    monkeypatch.setattr(walk, "walk", take)
    assert walk.main([]) == code
    assert ("more than 600 s" in capsys.readouterr().err) == bool(code)
