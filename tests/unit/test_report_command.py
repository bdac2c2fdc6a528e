"""`reco report` and `reco dashboard --open`: the page of a run on this machine, and the dashboard as a page."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
import webbrowser
from pathlib import Path

import pytest

from reco.commands import report as command
from reco.deployment.live_dashboard import LiveDashboard
from reco.errors import RecoError
from reco.target import Target
from tests.unit.conftest import SHOP, Deployment


@pytest.fixture
def target(shop: Deployment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Target:
    found = Target(shop.config.name, None)
    monkeypatch.setattr(found, "output", lambda capability, name: shop.bucket)
    monkeypatch.setattr(command, "target_of", lambda config, aws: found)
    monkeypatch.chdir(tmp_path)
    return found


def test_the_latest_report_is_fetched_and_opened(
    shop: Deployment, target: Target, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: opened.append(url) or True)
    for run in ("run-1", "run-2"):
        shop.client("s3").put_object(Bucket=shop.bucket, Key=f"reports/{run}/report.html", Body=f"<p>{run}".encode())
    command.report(run="run-1", config=SHOP, open_page=True)
    (url,) = opened
    assert Path(url.removeprefix("file://")).read_text() == "<p>run-1"
    command.report(config=SHOP, listed=True)
    assert {"run-1", "run-2"} <= set(capsys.readouterr().out.split())
    with pytest.raises(RecoError, match="no report of the run run-9"):
        command.report(run="run-9", config=SHOP)


def test_without_a_report_it_says_what_makes_one(target: Target) -> None:
    with pytest.raises(RecoError, match="reco train --wait"):
        command.report(config=SHOP)


def test_the_dashboard_is_a_page_with_a_picture_that_is_drawn_for_each_look() -> None:
    drawn: list[int] = []
    live = LiveDashboard("Dashboard of shop", 30, lambda: (drawn.append(1), b"<svg/>")[1])
    thread = threading.Thread(target=live.serve)
    thread.start()
    try:
        assert "Dashboard of shop" in read(live.url)
        assert [read(f"{live.url}dashboard.svg"), read(f"{live.url}dashboard.svg?2")] == ["<svg/>", "<svg/>"]
        assert len(drawn) == 2
        with pytest.raises(urllib.error.HTTPError, match="403"):
            read(live.url, Host="evil.example")
    finally:
        live.close()
        thread.join()


def read(url: str, **headers: str) -> str:
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
        return str(answer.read().decode())
