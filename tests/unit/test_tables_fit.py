"""What commands print fits: at 80 and at 120 columns no line is wider, and every word and every figure is whole."""

from __future__ import annotations

import contextlib
import io
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console
from typer.testing import CliRunner

from lambdas.config.file import load_config
from reco import console
from reco.account.preflight import Finding
from reco.cli import app
from reco.commands import batch, demo, evaluate, events, experiment, load, local, preflight, train, utilization, verify
from reco.commands import report as report_command
from reco.cost import report
from reco.cost.answers import million
from reco.cost.estimate import Bill, estimate
from reco.cost.inputs import TRAFFIC, Price, load_prices, load_traffic
from reco.cost.measured import sources
from reco.cost.utilization import judge
from reco.data.movielens import Counts
from reco.deployment.metrics import metrics_rows
from reco.deployment.serving import item_rows
from reco.experiments.statistics import Counts as VariantCounts
from tests.harness.exports import semicolon

ROOT = Path(__file__).parents[2]
SHOP = ROOT / "config" / "shop.yaml"
SOLUTIONS = {
    "for-you": "aws-user-personalization-v2",
    "related": "aws-similar-items",
    "ranking": "aws-personalized-ranking-v2",
    "best-sellers": "aws-popularity-count",
    "trending-this-week-end": "aws-trending-now",
    "semantically-close": "aws-semantic-similarity",
}
METRICS = {"coverage": 0.3145, "mean_reciprocal_rank_at_25": 0.3332, "precision_at_5": 0.1}
LONG = "a sentence that is longer than any column of a table that has to fit, so that it must go on in the next line"

LIST = [
    {"item_id": f"A{n:09}", "title": name}
    for n, name in enumerate(["Manchurian Candidate, The (1962), with the comments of its director", "텐트 4인용 " * 12, ""])
]


def metrics(_: Path) -> None:
    made = [{"name": n, "recipe": r, "metrics": METRICS, "verdict": {"decision": "rolled_back"}} for n, r in SOLUTIONS.items()]
    console.show_table("Trained in 1234 s", *metrics_rows(made))


def approval(_: Path) -> None:
    verdict = {"metrics": METRICS, "deployed_metrics": {**METRICS, "coverage": 0.1}}
    train._show_versions(
        {
            "solution": "trending-this-week-end",
            "run_id": "2026-05-01T03-00-12-a1b2c3",
            "expires": 1e9,
            "verdict": verdict,
            "samples": {"users": [{"events": 12_345, "new": LIST, "serving": LIST[1:]}], "note": LONG},
        }
    )


def recommendations(_: Path) -> None:
    names = ["Manchurian Candidate, The (1962), restored and with the comments of its director", "텐트 4인용 " * 12]
    items = [
        {"item_id": f"A{n:09}", "attributes": {"NAME": name, "GENRES": ["Film-Noir", "Thriller"] * 4}}
        for n, name in enumerate(names)
    ]
    console.show_table("home (from for-you)", *item_rows(items, "NAME"))


def use(_: Path) -> None:
    found = judge(
        "trending-this-week-end", 1000, [123.5] * 300, Price(unit="requests", per=1000, usd=0.0556, confidence="unknown")
    )
    console.show_table("Campaigns", utilization._COLUMNS, [utilization._table_row(found)])


def lists(_: Path) -> None:
    made = [
        {
            "kind": "segment",
            "name": "trending-this-week-end",
            "lines": 1_234_567,
            "written": 1_234_567,
            "rejected": 0,
            "missing": 12,
        }
    ]
    console.show_table("Made", *batch._made_rows(made))


def variants(_: Path) -> None:
    told = experiment.report(
        [VariantCounts("control", 1.0, 123_456, 23_456, 3_456), VariantCounts("with-mixed-genres", 1.0, 123_456, 24_456, 3_556)],
        0,
    )
    experiment.show("new-home", "buy", told)


def checks(_: Path) -> None:
    preflight.show(
        "mine", "eu-central-1", [Finding("Personalize: solutions per dataset group", "ask", LONG, "12", "Ask for it.")]
    )


def steps(_: Path) -> None:
    step = {"check": LONG, "expected": 1, "found": 1, "seconds": 12.0}
    verify.show(
        "mine", "eu-central-1", {"permissions": {"calls": 12, "roles": 3}, "steps": [step], "differences": []}, Path("x.json")
    )


def evaluated(_: Path) -> None:
    columns = ["metric", *(f"{name}\n{recipe.removeprefix('aws-')}" for name, recipe in SOLUTIONS.items())]
    console.show_table("500 users", columns, [[head, *[0.1234] * len(SOLUTIONS)] for head in evaluate.METRICS.values()])


def costs(_: Path) -> None:
    config = load_config(ROOT / "config" / "shop.yaml")
    traffic = load_traffic(TRAFFIC)
    numbers = list(sources(traffic, TRAFFIC).values())
    report.show(estimate(config, traffic, load_prices(None)), config, load_prices(None), numbers, ["A note."])
    report.show_answers(million(Bill(config, traffic, load_prices(None))))


def addresses(_: Path) -> None:
    url = "https://abcdefghij.execute-api.ap-northeast-2.amazonaws.com/prod/with/a/very/long/path/behind/it"
    console.show_table("Endpoints", ["what", "URL", "state"], [["api_url", url, "up"]])


def understood(folder: Path) -> None:
    semicolon(folder / "exports")
    done = CliRunner().invoke(app, ["init", str(folder / "exports"), "--yes", "--out", str(folder / "mine")])
    assert done.exit_code == 0


def status(_: Path) -> None:
    url = "http://127.0.0.1:14567/restapis/abcdefghij/v1/_user_request_"
    outputs = {"api": {"ApiUrl": url, "BrowserApiUrl": url, "StorefrontUrl": f"{url}/storefront/index.html"}}
    parts = {"aws": "up", "api": "up", "personalize": "down"}
    here = SimpleNamespace(
        stacks=outputs, url_of=str, aws_endpoint="http://127.0.0.1:4566", personalize_endpoint="http://127.0.0.1:4568",
        parts=lambda: parts,
    )  # fmt: skip
    assert not local._show_endpoints(here, as_json=False)


@contextlib.contextmanager
def instead(module: Any, **names: Any) -> Iterator[None]:
    """Other functions in a module of commands: what a deployment would tell."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in names.items():
            patch.setattr(module, name, value)
        yield


def reports(_: Path) -> None:
    run = "2026-05-01T03-00-12-a1b2c3d4-e5f6-7890-abcd-ef1234567890"
    told = [{"run": run, "written": datetime(2026, 5, 1, tzinfo=UTC)}]
    with instead(report_command, target_of=lambda *_: None, _reports=lambda _: told):
        assert CliRunner().invoke(app, ["report", "--list"]).exit_code == 0


def segments(_: Path) -> None:
    users = {"trending-this-week-end": [f"customer-{n:012}" for n in range(12)], "x": []}
    config = SimpleNamespace(segments={"fans-of-outdoor-cooking": None})
    runs = SimpleNamespace(segment=lambda *_: ("20260501T030012345Z", users))
    with instead(batch, target_of=lambda *_: None, config_of=lambda _: config, runs=runs):
        assert CliRunner().invoke(app, ["segment", "fans-of-outdoor-cooking"]).exit_code == 0


def archived(_: Path) -> None:
    told = {"events read from the archive": 123_456_789, "rejected: the event has no item and is no visit": 1_234, "erased": 0}
    with instead(batch, runs=SimpleNamespace(rebuild_interactions=lambda *_: told)), instead(load, target_of=lambda *_: None):
        assert CliRunner().invoke(app, ["load", "archive"]).exit_code == 0


def uploaded(folder: Path) -> None:
    (folder / "data").mkdir(exist_ok=True)
    for kind in ("interactions", "items", "users"):
        (folder / "data" / f"{kind}.csv").write_text("USER_ID\n")
    sizes = {"interactions": 123_456_789_012, "items": 1_234_567, "users": 0}
    upload = SimpleNamespace(upload=lambda *_: sizes)
    with instead(load, target_of=lambda *_: None, load=upload):
        done = CliRunner().invoke(app, ["load", str(folder / "data"), "--unchecked", "-c", str(SHOP)])
    assert done.exit_code == 0


def dead_letters(_: Path) -> None:
    found = Counter({LONG: 123_456, "ResourceNotFoundException: the event type is unknown": 1})
    with instead(events, target_of=lambda *_: None, redrive=SimpleNamespace(reasons=lambda _: found)):
        assert CliRunner().invoke(app, ["redrive", "--list"]).exit_code == 0


def demonstration(_: Path) -> None:
    told = {"NAME": LIST[0]["title"], "YEAR": 1962, "GENRES": ["Film-Noir", "Thriller", "Documentary"]}
    items = [{"item_id": f"A{n:09}", "attributes": {**told, "NAME": f"{told['NAME']} {n}"}} for n in range(3)]
    demo._show_data(Counts(943, 1682, 100_000))
    demo._show_change("943", items[:2], items[1:], "NAME")
    demo._show_list("943", items, 943, "batch", "NAME")


SHOWN = [
    *(metrics, approval, recommendations, use, lists, variants, checks, steps, evaluated, costs, understood),
    *(status, reports, segments, archived, uploaded, dead_letters, demonstration),
]


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("show", SHOWN)
def test_a_table_fits(width: int, show: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    printed, asked = drawn(width, monkeypatch, lambda: show(tmp_path))
    assert asked
    frames = [line for line in printed.splitlines() if line[:1] in "│┃┏┡└"]
    assert max((cell_len(line) for line in frames), default=0) <= width, printed  # none where each row became lines
    words = set(printed.replace("│", " ").replace("┃", " ").replace(": ", " ").split())
    for title, columns, rows in asked:
        wanted = {
            word
            for text in [*columns, *(console.shown(cell) for row in rows for cell in row)]
            for word in text.replace(": ", " ").split()
        }
        assert wanted <= words, f"{title}: {sorted(wanted - words)[:5]} are not whole in\n{printed}"


def test_what_fits_nowhere_is_shown_whole_in_lines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    printed, asked = drawn(80, monkeypatch, lambda: addresses(tmp_path))
    assert asked[0][2][0][1] in printed.split()


def drawn(width: int, monkeypatch: pytest.MonkeyPatch, show: Callable[[], None]) -> tuple[str, list[tuple[str, Any, Any]]]:
    """What is printed, and the tables that were asked for."""
    out, asked, real = io.StringIO(), [], console.show_table

    def recorded(title: str, columns: Any, rows: Any) -> None:
        asked.append((title, columns, rows))
        real(title, columns, rows)

    monkeypatch.setattr(console, "results", Console(file=out, width=width, highlight=False, soft_wrap=True))
    commands = ("train", "batch", "experiment", "preflight", "verify", "init", "local", "report", "load", "events", "demo")
    for module in ("console", "cost.report", *(f"commands.{name}" for name in commands)):
        monkeypatch.setattr(f"reco.{module}.show_table", recorded)
    show()
    return out.getvalue(), asked


@pytest.mark.parametrize("command", [None, *sorted(each.name or "" for each in app.registered_commands)])
def test_help_fits_and_has_examples(command: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command has two examples at least; all are in groups."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERMINAL_WIDTH", "80")
    said = CliRunner().invoke(app, [*([command] if command else []), "--help"]).output
    assert max(cell_len(line) for line in said.splitlines()) <= 80
    assert "…" not in said
    if command:
        assert said.partition("Examples:")[2].count(f"reco {command}") >= 2
    else:
        assert "─ Commands ─" not in said
        assert "─ Start: a deployment on this machine ─" in said
