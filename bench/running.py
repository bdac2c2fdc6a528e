"""Runs benchmarks one after the other, each in a process of its own, and keeps what they gave: `<name>.json` and how it went."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from bench.benchmarks import Benchmark, Figures, Size
from reco.console import progress, say
from reco.local.synth import ROOT

#: Seconds after which a benchmark is ended.
_LIMITS: dict[Size, int] = {"small": 600, "full": 3600}
_PACKAGES = ("aws-cdk-lib", "boto3", "moto", "numpy", "pydantic", "pyspark", "scipy")


@dataclass(frozen=True)
class Outcome:
    """How a benchmark went. `problem` is its last words, if it failed; `load` the machine's load average when it began."""

    day: str
    seconds: float
    load: float
    problem: str = ""


def run_all(benchmarks: Sequence[Benchmark], size: Size, folder: Path) -> None:
    """Run them; one that fails does not end the others. Leaves its last words in its log and its outcome."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=progress, transient=True) as bar:
        for number, benchmark in enumerate(benchmarks, 1):
            task = bar.add_task(f"{number}/{len(benchmarks)} {benchmark.title}")
            outcome = _run_one(benchmark, size, folder)
            bar.remove_task(task)
            (folder / f"{benchmark.name}.outcome.json").write_text(json.dumps(asdict(outcome), indent=2) + "\n")
            say(f"  {benchmark.title}: {outcome.problem or 'done'} ({outcome.seconds:.0f} s)")
    (folder / "machine.json").write_text(json.dumps(machine(), indent=2) + "\n")


def _run_one(benchmark: Benchmark, size: Size, folder: Path) -> Outcome:
    file, log = folder / f"{benchmark.name}.json", folder / f"{benchmark.name}.log"
    file.unlink(missing_ok=True)
    load, began = os.getloadavg()[0], time.monotonic()
    command = [sys.executable, *benchmark.command(size), "--json", str(file)]
    with log.open("w") as output, ended_with_us(command, output) as process:
        try:
            code = process.wait(timeout=_LIMITS[size])
            problem = _last_words(log, code) if code else ""
        except subprocess.TimeoutExpired:
            problem = f"ended after {_LIMITS[size]} s"
    if not problem and not file.exists():
        problem = "wrote no figures"
    return Outcome(date.today().isoformat(), round(time.monotonic() - began, 1), round(load, 1), problem)


@contextlib.contextmanager
def ended_with_us(command: list[str], output: IO[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process with all that it starts: none of it outlives the block."""
    process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        yield process
    finally:
        for sign in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, sign)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=20)


def _last_words(log: Path, code: int) -> str:
    """The last line that a benchmark wrote before it failed, cut, without where this folder is."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    said = lines[-1].replace(f"{ROOT}/", "") if lines else "no output"
    return f"exit code {code}: {textwrap.shorten(said, 160, placeholder=' ...')}"


def read_back(benchmarks: Sequence[Benchmark], folder: Path) -> dict[str, tuple[Outcome, Figures | None]]:
    """What earlier runs left in the folder, by the benchmark's name."""
    found = {}
    for benchmark in benchmarks:
        outcome, file = folder / f"{benchmark.name}.outcome.json", folder / f"{benchmark.name}.json"
        if outcome.exists():
            figures = json.loads(file.read_text()) if file.exists() else None
            found[benchmark.name] = (Outcome(**json.loads(outcome.read_text())), figures)
    return found


def machine() -> dict[str, str]:
    """What the figures depend on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        **{package: found for package in _PACKAGES if (found := version_of(package))},
    }


def _processor() -> str:
    """The model's name, where the system tells it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
