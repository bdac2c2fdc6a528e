"""The simulation of growth: against the formulas of queues that have one, and small, against what the services' quotas leave."""

from __future__ import annotations

import json
import math
import statistics
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bench import scale
from bench.scale_model import Cost, EventSource, Limits, Load, Simulation
from reco.cost.inputs import ROOT

NONE = (math.inf, math.inf)
SIZES = [1, 100]


def limits(workers: float = math.inf) -> Limits:
    return Limits(NONE, NONE, workers, *(5 * [math.inf]))


def cost(put_events: float = 0.0, campaign: Callable[[Random], float] = lambda _: 0.0) -> Cost:
    return Cost(0.0, 0.0, lambda _: put_events, 0.0, 0.0, campaign)


@pytest.mark.parametrize("used", [0.5, 0.7])
def test_records_that_wait_for_a_poller_wait_as_long_as_in_an_m_d_1_queue(used: float) -> None:
    """One event a batch, one batch at a time, one second each: the mean wait is used / 2 (1 - used) seconds."""
    load = Load(posts=used, events_per_post=1, event_bytes=1, answers={}, second_call=0, shards=1)
    one_by_one = EventSource(poll=0.0, batch=1, window=0.0, factor=1)
    made = Simulation(load, limits(), one_by_one, cost(put_events=1.0), threads=1, seed=7, warm_up=1000)
    lags = made.run(60_000).lags
    assert statistics.mean(lags) - 1 == pytest.approx(used / (2 * (1 - used)), rel=0.05)


def erlang_b(workers: int, load: float) -> float:
    blocked = 1.0
    for n in range(1, workers + 1):
        blocked = load * blocked / (n + load * blocked)
    return blocked


@pytest.mark.parametrize("seconds", [lambda _: 0.1, lambda random: random.expovariate(10)], ids=["constant", "exponential"])
def test_answers_are_refused_as_often_as_erlang_says(seconds: Callable[[Random], float]) -> None:
    """Forty answers a second of a tenth of one are four workers' work; of those that find five at work, none waits."""
    load = Load(posts=0, events_per_post=1, event_bytes=1, answers={"for-you": 40.0}, second_call=0, shards=1)
    source = EventSource(poll=1.0, batch=500, window=1.0, factor=2)
    made = Simulation(load, limits(workers=5), source, cost(campaign=seconds), threads=8, seed=3, warm_up=10)
    counts = made.run(2000).counts
    refused = counts["answers without a worker"] / counts["answers"]
    assert refused == pytest.approx(erlang_b(5, 4.0), rel=0.05)
    assert made.workers.mean() == pytest.approx(4.0 * (1 - refused), rel=0.03)  # Little's law
    assert made.workers.most == 5


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return scale.run(scale.example(tmp_path_factory.mktemp("no benchmarks")), SIZES, seconds=4, surge=1, seed=1)


def test_what_the_throttle_refuses_is_what_is_above_its_rate(made: dict[str, Any]) -> None:
    shipped, raised = made[scale.SHIPPED]["100"], made[scale.RAISED]["100"]
    asked = shipped["answers_per_s"] + shipped["events_per_s"] / 5
    assert shipped["answers_refused"] == pytest.approx(1 - 500 / asked, abs=0.03)
    assert max(shipped["used"], key=shipped["used"].__getitem__) == "throttle"
    assert raised["answers_refused"] == 0
    assert raised["answers_of_fallbacks"] > 0.05  # for-you is asked for more than 500 times a second
    assert raised["used"]["campaign for-you"] == pytest.approx(2 * 2.8 * 100 * 1.2 / 500)
    assert made[scale.UNLIMITED]["100"]["answers_of_fallbacks"] == 0


def test_pages_that_make_all_calls_reach_the_browsers_defaults(made: dict[str, Any]) -> None:
    """100,000 posts and 545,400 answers a day; in the busiest hour 2.6 and 14 a second, of which a hundred are let in."""
    one, hundred = made[scale.PAGES]["1"], made[scale.PAGES]["100"]
    assert one["calls_per_day"] == pytest.approx(645_400)
    assert one["answers_refused"] == 0
    assert hundred["answers_refused"] == pytest.approx(1 - 100 / 1657, abs=0.02)


def test_the_example_itself_fits_and_its_events_are_put_within_seconds(made: dict[str, Any]) -> None:
    one = made[scale.SHIPPED]["1"]
    assert one["answers_refused"] == one["posts_refused"] == one["answers_of_fallbacks"] == one["put_events_throttled"] == 0
    assert one["shards"] == 4
    assert one["answers_per_s"] == pytest.approx(5 * 2.8)
    assert 0 < one["lag_s"]["p50"] < one["lag_s"]["p99"] < 2.5
    assert not one["lag_grows"]


@pytest.mark.parametrize(
    ("run", "surge", "throttle"), [(scale.SHIPPED, 5, (2000, 4000)), (scale.PAGES, 1, (500, 1000))], ids=["servers", "pages"]
)
def test_at_ten_times_the_defaults_refuse_calls_and_what_the_page_says_to_set_does_not(
    run: str, surge: float, throttle: tuple[float, float]
) -> None:
    shop, page = scale.example(Path("none")), (ROOT / "docs" / "scale.md").read_text()
    assert f"{{rate: {throttle[0]}, burst: {throttle[1]}}}" in page
    assert scale.simulate(shop, 10, run, seconds=10, surge=surge, seed=1)["answers_refused"] == pytest.approx(0.4, abs=0.05)
    allowed = replace(scale.limits(run), api=throttle)
    seen = Simulation(shop.load(10, surge), allowed, scale.EVENT_SOURCE, shop.cost(), threads=8, seed=1).run(10)
    assert seen.counts["answers"] > 1000
    assert seen.counts["answers refused"] == seen.counts["posts refused"] == 0


def test_a_lag_that_grows_is_called_so() -> None:
    """Two posts a second to a quota of one: the longer it lasts, the longer they wait."""
    shop = scale.example(Path("none"))
    found = scale.simulate(shop, 1000, scale.RAISED, seconds=6, surge=1, seed=1)
    assert found["put_events_throttled"] > 0.1
    assert found["lag_grows"]
    assert found["lag_s"]["p99"] > 3


def test_a_batch_run_and_the_archive_by_hand(made: dict[str, Any]) -> None:
    """40 million lists of 2,000 bytes are 80 million write units; 24 bytes of input each."""
    run, kept = made["batch_run"]["100"], made["archive"]["1"]
    assert (run["lists"], run["files"], run["write_units"]) == (40e6, 800, 80e6)
    assert run["dollars"] == pytest.approx(80 * 0.625)
    assert run["input_gb"] == pytest.approx(0.96)
    assert not run["refused"]
    assert run["state_bytes"] < run["state_bytes_if_all_fail"] < scale.STATE_BYTES
    assert kept["events"] == 500_000 * 365
    assert kept["hours_at_most"] == pytest.approx(1444 / 3600 * 182.5 / 20)


def test_the_same_seed_says_the_same(made: dict[str, Any]) -> None:
    shop = scale.example(Path("none"))
    again = [scale.simulate(shop, 1, scale.SHIPPED, seconds=4, surge=1, seed=seed) for seed in (1, 2)]
    assert again[0] == made[scale.SHIPPED]["1"] != again[1]


def test_figures_are_those_of_the_last_benchmarks_where_they_are_kept(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "serving.json").write_text('{"all_ms": {"p50": 1.25}}')
    (tmp_path / "full" / "ingestion.json").write_text('{"own_vs_json_loads": 2}')
    found = scale.figures(tmp_path)
    assert (found["answer"].value, found["answer"].source) == (1.25, f"{tmp_path.name}/full/serving.json")
    assert found["event"].source.startswith("bench.ingestion")
    assert found["put_events"].source == "assumed"


def test_the_command_prints_tables_that_fit_and_writes_its_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "scale.json"
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", ["scale", "--sizes", "1,10", "--seconds", "1", "--json", str(file)])
    scale.main()
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    for title in (
        "Ingestion, as shipped",
        "Serving, as shipped",
        "pages make all calls",
        "A batch run",
        "The archive",
        "Made with",
    ):
        assert title in said
    assert json.loads(file.read_text())[scale.SHIPPED].keys() == {"1", "10"}
