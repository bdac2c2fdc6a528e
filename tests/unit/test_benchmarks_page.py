"""The benchmarks' page: what failed says so, what is not met says so, and one failing benchmark ends no other."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench import peers
from bench.benchmarks import Benchmark
from bench.running import Outcome, read_back, run_all

PIPELINE = {
    "states": 33,
    "functions": 9,
    "transitions": {"first": 172, "unchanged": 23},
    "official": {"states": 88, "functions": 26, "transitions": 344},
}
BATCH = {"lines_per_s": 4321, "cpu_vs_batch_writer": 1.1, "time_vs_batch_writer": 0.9, "peak_mb": {"10000": 100, "100000": 110}}
Done = subprocess.CompletedProcess[str]
Made = tuple[Path, Done, str]


def page_of(folder: Path, figures: dict[str, object], problems: dict[str, str]) -> tuple[Done, str]:
    """The page that `python -m bench --from-cache` makes of these."""
    kept = folder / "cache" / "small"
    kept.mkdir(parents=True)
    for name in {*figures, *problems}:
        outcome = Outcome("2026-01-02", 12.0, 0.5, problems.get(name, ""))
        (kept / f"{name}.outcome.json").write_text(json.dumps(dataclasses.asdict(outcome)))
        if name in figures:
            (kept / f"{name}.json").write_text(json.dumps(figures[name]))
    command = [sys.executable, "-m", "bench", "--from-cache", "--cache", str(folder / "cache"), "--page", str(folder / "page.md")]
    (folder / "README.md").write_text(f"above\n{peers.BEGIN}\nof the last run\n{peers.END}\nbelow\n")
    command += ["--readme", str(folder / "README.md")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    file = folder / "page.md"
    return done, file.read_text() if file.exists() else ""


def section(page: str, heading: str) -> str:
    return page.split(f"## {heading}\n")[1].split("\n## ")[0]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A page of two benchmarks that ran and one that failed."""
    folder = tmp_path_factory.mktemp("bench")
    problems = {"serving": "exit code 1: KeyError: 'x'"}
    return folder, *page_of(folder, {"pipeline": PIPELINE, "batch": BATCH}, problems)


def test_the_readme_says_where_others_win_and_what_was_not_measured(made: Made) -> None:
    folder, _, _ = made
    readme = (folder / "README.md").read_text()
    assert "of the last run" not in readme
    assert (readme.partition("\n")[0], readme.rpartition("\n")[0].rpartition("\n")[2]) == ("above", "below")
    assert "| batch lists into DynamoDB | boto3's `batch_writer` | 0.90× the time | |" in readme
    assert "| the same | boto3's `batch_writer` | 1.10× the processor time | loses |" in readme
    assert "| a request with five rules and attributes | a bare `get_recommendations` of boto3 | not measured | |" in readme


def test_figures_stand_beside_their_targets(made: Made) -> None:
    _, _, page = made
    pipeline = section(page, "The train pipeline")
    assert "| states | 33 | at most 40 | met |" in pipeline
    assert "| functions | 9 | at most 8 | **not met** |" in pipeline
    assert "| transitions of a first run, beside the official solution's | 0.5× | at most 0.5× | met |" in pipeline
    assert "| [The train pipeline](#the-train-pipeline) | 3 of 4 | 12 | 0.5 |" in page
    batch = section(page, "Batch lists")
    assert "| lines a second and core | 4,321 |  |  |" in batch
    assert "| memory at 1,000,000 lines beside 100,000 | not at this size | at most 1.1× | |" in batch
    assert "It was not run." in section(page, "Ingestion")
    assert "Measured on 2026-01-02; " in page


def test_plots_are_small_pictures_beside_the_page(made: Made) -> None:
    folder, _, page = made
    for name in ("pipeline", "batch"):
        picture = folder / "images" / f"bench-{name}.svg"
        assert f"(images/{picture.name})" in page
        assert picture.stat().st_size < 60_000
        text = " ".join(ElementTree.parse(picture).getroot().itertext())  # noqa: S314  our own file
        assert ("transitions" if name == "pipeline" else "lines of the file") in text


def test_a_failed_benchmark_says_so_and_the_command_fails(made: Made) -> None:
    _, done, page = made
    assert done.returncode == 1
    assert "**It failed**: exit code 1: KeyError: 'x'." in section(page, "Serving")
    assert "| [Serving](#serving) | **failed** |" in page


def test_without_figures_there_is_a_sentence(tmp_path: Path) -> None:
    done, page = page_of(tmp_path, {}, {})
    assert (done.returncode, page) == (1, "")
    assert "There are no figures in" in done.stderr


def test_one_that_fails_does_not_end_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bench_that_fails.py").write_text("print('so far'); raise SystemExit('out of luck ' * 99)")
    (tmp_path / "bench_that_works.py").write_text("import sys; open(sys.argv[-1], 'w').write('{\"states\": 1}')")
    (tmp_path / "bench_that_is_silent.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    table = [
        Benchmark(name, name, "", f"bench_that_{name}", "", (), {"small": (), "full": ()})
        for name in ("fails", "is_silent", "works")
    ]
    run_all(table, "small", tmp_path / "kept")
    found = read_back(table, tmp_path / "kept")
    assert found["fails"][0].problem.startswith("exit code 1: out of luck")
    assert len(found["fails"][0].problem) < 200
    assert found["fails"][1] is None
    assert found["is_silent"][0].problem == "wrote no figures"
    assert (found["works"][0].problem, found["works"][1]) == ("", {"states": 1})
