"""The Personalize emulator at the size of a real shop: imports, trainings, and answers over HTTP.

    python -m bench.emulator --json FILE [--sizes small|full] [--recipes aws-sims,...]

A synthetic shop (bench.generator) is imported from S3, every recipe is trained on it, and campaigns are asked one
call after the other over a kept-alive connection, with and without a filter. Seconds are wall time as a client sees
it: from the Create call to ACTIVE, or from request to answer. Processor seconds and memory (the greatest sum of what
is resident) are those of the emulator and its job processes.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import boto3
import numpy as np
from moto.server import ThreadedMotoServer
from rich.console import Console
from rich.table import Table

from bench.generator import SCHEMAS, Shop
from personalize_emulator.clock import DURATIONS
from personalize_rules.recipes import RECIPES
from tests.harness.processes import processor_seconds

_RECIPES_MEASURED = (
    "aws-user-personalization-v2",
    "aws-user-personalization",
    "aws-personalized-ranking-v2",
    "aws-similar-items",
    "aws-sims",
    "aws-semantic-similarity",
    "aws-popularity-count",
    "aws-trending-now",
    "aws-item-affinity",
    "aws-item-attribute-affinity",
)
_SIZES = {
    "small": ((5_000, 1_000, 50_000), (5_000, 1_000, 500_000)),
    "full": ((50_000, 10_000, 500_000), (50_000, 10_000, 5_000_000), (50_000, 100_000, 500_000), (50_000, 100_000, 5_000_000)),
}
FILTER = 'INCLUDE ItemID WHERE Items.GENRES IN ($GENRE) | EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("Purchase")'
ROLE = "arn:aws:iam::123456789012:role/personalize"
BUCKET = "bench"
CALLS, WARM_UP = 1_000, 50
_RANKED = 100
_SAMPLE_SECONDS = 0.05
_WORK = ("seconds", "cpu_seconds", "peak_mib")

Figures = dict[str, Any]


@dataclass(frozen=True)
class Size:
    """The size of a shop."""

    users: int
    items: int
    interactions: int

    @property
    def name(self) -> str:
        return f"{_short(self.interactions)} interactions, {_short(self.items)} items, {_short(self.users)} users"


class _Usage:
    """What a process and its children use of the machine."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def resident_mib(self) -> int:
        return sum(_resident_kib(pid) for pid in (self._pid, *_children(self._pid))) // 1024

    def cpu_seconds(self) -> float:
        """Since the start, with the children that have ended."""
        return sum(map(processor_seconds, (self._pid, *_children(self._pid))))

    @contextmanager
    def measured(self, into: Figures) -> Iterator[None]:
        """Adds to `into` the wall and processor seconds of the block, and the peak of the memory meanwhile."""
        samples, ended = [self.resident_mib()], threading.Event()

        def sample() -> None:
            while not ended.wait(_SAMPLE_SECONDS):
                samples.append(self.resident_mib())

        sampler, begin, cpu = threading.Thread(target=sample, daemon=True), time.perf_counter(), self.cpu_seconds()
        sampler.start()
        yield
        wall, cpu = time.perf_counter() - begin, self.cpu_seconds() - cpu
        into |= {"seconds": round(wall, 2), "cpu_seconds": round(cpu, 2), "peak_mib": max(samples)}
        ended.set()
        sampler.join()


class _Emulator:
    """An emulator in a process of its own, whose resources are ACTIVE as soon as their work is done."""

    def __init__(self, data: Path, s3_endpoint: str) -> None:
        at_once = json.dumps(dict.fromkeys(DURATIONS, (0, 0)))
        quotas = json.dumps({"recommendations_per_second": 1_000_000, "solutions_per_dataset_group": 100})
        options = ["--port", "0", "--data", str(data), "--speed", "1", "--durations", at_once, "--quotas", quotas]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "personalize_emulator", *options],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "AWS_ENDPOINT_URL_S3": s3_endpoint},
        )
        assert self._process.stdout is not None
        endpoint = self._process.stdout.readline().split()[-1]
        self.usage = _Usage(self._process.pid)
        self.connection = HTTPConnection(urlsplit(endpoint).netloc, timeout=60)
        self.client = _client("personalize", endpoint)

    def __enter__(self) -> _Emulator:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    def create(self, member: str, **request: Any) -> str:
        """The ARN of a new resource, when it is ACTIVE. `member` is its name in boto3: "dataset_group"."""
        created = getattr(self.client, f"create_{member}")(**request)
        camel = member.split("_")[0] + "".join(word.title() for word in member.split("_")[1:])
        arn: str = created[f"{camel}Arn"]
        while True:
            shown = getattr(self.client, f"describe_{member}")(**{f"{camel}Arn": arn})[camel]
            if shown["status"] == "ACTIVE":
                return arn
            if shown["status"].endswith("FAILED"):
                raise SystemExit(f"{arn}: {shown['failureReason']}")
            time.sleep(_SAMPLE_SECONDS)

    def latencies(self, path: str, requests: list[Figures]) -> list[float]:
        """Milliseconds of each request."""
        taken = []
        for request in requests:
            body = json.dumps(request)
            begin = time.perf_counter()
            self.connection.request("POST", path, body, {"Content-Type": "application/json"})
            answer = self.connection.getresponse()
            text = answer.read()
            taken.append((time.perf_counter() - begin) * 1000)
            if answer.status != 200:
                raise SystemExit(f"{path}: {text.decode()}")
        return taken[WARM_UP:]


def measure(size: Size, recipes: list[str], s3: Any, s3_endpoint: str, console: Console) -> tuple[Figures, dict[str, Figures]]:
    """The figures of the import, and those of each recipe."""
    shop = Shop(size.users, size.items, size.interactions)
    upload(shop, s3)
    with TemporaryDirectory() as folder, _Emulator(Path(folder), s3_endpoint) as emulator:
        group = emulator.create("dataset_group", name="bench")
        imports = load(emulator, group)
        console.print(f"  import of interactions: {imports['INTERACTIONS']['seconds']} s")
        arn = emulator.create("filter", name="bench", datasetGroupArn=group, filterExpression=FILTER)
        figures = {}
        for recipe in recipes:
            figures[recipe] = _try_recipe(emulator, group, recipe, arn, shop)
            console.print(f"  {recipe}: {figures[recipe]['training']['seconds']} s")
    return imports, figures


def upload(shop: Shop, s3: Any) -> None:
    for kind in SCHEMAS:
        with TemporaryDirectory() as folder, (Path(folder) / "data.csv").open("w+b") as file:
            getattr(shop, f"write_{kind.lower()}")(file)
            file.seek(0)
            s3.upload_fileobj(file, BUCKET, f"{kind}.csv")


def load(emulator: _Emulator, group: str) -> Figures:
    """Seconds and memory of the import of each dataset."""
    imports: Figures = {}
    for kind, text in SCHEMAS.items():
        schema = emulator.client.create_schema(name=kind, schema=text)["schemaArn"]
        dataset = emulator.create("dataset", name=kind, schemaArn=schema, datasetGroupArn=group, datasetType=kind)
        source = {"dataLocation": f"s3://{BUCKET}/{kind}.csv"}
        with emulator.usage.measured(imports.setdefault(kind, {})):
            emulator.create("dataset_import_job", jobName=kind, datasetArn=dataset, dataSource=source, roleArn=ROLE)
    return imports


def _try_recipe(emulator: _Emulator, group: str, name: str, filter_arn: str, shop: Shop) -> Figures:
    recipe = RECIPES[name]
    solution = emulator.create("solution", name=name, datasetGroupArn=group, recipeArn=recipe.arn, performAutoTraining=False)
    training: Figures = {}
    with emulator.usage.measured(training):
        version = emulator.create("solution_version", solutionArn=solution)
    shown = emulator.client.get_solution_metrics(solutionVersionArn=version)["metrics"]
    figures: Figures = {"training": training, "metrics": shown}
    if recipe.type == "USER_SEGMENTATION":
        return figures
    campaign = emulator.create("campaign", name=name, solutionVersionArn=version)
    path = "/personalize-ranking" if recipe.type == "PERSONALIZED_RANKING" else "/recommendations"
    for name, asked in (("plain", None), ("filtered", filter_arn)):
        figures[name] = percentiles(emulator.latencies(path, requests(campaign, path, shop, asked)))
    emulator.client.delete_campaign(campaignArn=campaign)
    return figures | {"serving_mib": emulator.usage.resident_mib()}


def requests(campaign: str, path: str, shop: Shop, filter_arn: str | None = None) -> list[Figures]:
    """Requests of users drawn at random, about items drawn at random."""
    random = np.random.default_rng(1)
    made = []
    for user in random.integers(0, shop.users, WARM_UP + CALLS).tolist():
        request: Figures = {"campaignArn": campaign, "userId": f"u{user}"}
        if path == "/personalize-ranking":
            request["inputList"] = [f"i{item}" for item in random.choice(shop.items, _RANKED, replace=False).tolist()]
        else:
            request["itemId"] = f"i{random.integers(0, shop.items)}"
        if filter_arn:
            request |= {"filterArn": filter_arn, "filterValues": {"GENRE": f'"genre{random.integers(0, shop.clusters)}"'}}
        made.append(request)
    return made


def percentiles(milliseconds: list[float]) -> dict[str, float]:
    return {f"p{p}_ms": round(float(np.percentile(milliseconds, p)), 2) for p in (50, 99)}


def growth(results: dict[str, dict[str, Figures]], sizes: list[Size]) -> dict[str, dict[str, Figures]]:
    """Per recipe and number of items: by what the figures of the most interactions are greater than of the fewest."""
    found: dict[str, dict[str, Figures]] = {}
    for items in sorted({size.items for size in sizes}):
        alike = sorted((size for size in sizes if size.items == items), key=lambda size: size.interactions)
        few, many = alike[0], alike[-1]
        for recipe, by_size in results.items():
            if few.name in by_size and many.name in by_size:
                before, after = by_size[few.name]["training"], by_size[many.name]["training"]
                ratios = {name: round(after[name] / max(before[name], 0.01), 1) for name in _WORK}
                found.setdefault(recipe, {})[f"{items} items"] = {"interactions": many.interactions // few.interactions} | ratios
    return found


def tables(results: dict[str, dict[str, Figures]], imports: dict[str, Figures], sizes: list[Size]) -> Iterator[Table]:
    """A table per size: seconds and peak MiB of the work, then milliseconds of an answer without and with a filter."""
    for size in sizes:
        shown = Table(title=size.name, title_justify="left", title_style="bold")
        shown.add_column("", no_wrap=True)
        for column in ("s", "CPU s", "MiB", "p50", "p99", "p50 f", "p99 f"):
            shown.add_column(column, justify="right")
        for kind, figures in imports[size.name].items():
            shown.add_row(f"import {kind.lower()}", *(str(figures[name]) for name in _WORK))
        for recipe, by_size in results.items():
            figures = by_size[size.name]
            latencies = [figures.get(when, {}).get(p, "") for when in ("plain", "filtered") for p in ("p50_ms", "p99_ms")]
            shown.add_row(recipe, *(str(figures["training"][name]) for name in _WORK), *map(str, latencies))
        yield shown


def _client(service: str, endpoint: str) -> Any:
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")  # noqa: S106
    return session.client(service, endpoint_url=endpoint)  # type: ignore[call-overload]


def _resident_kib(pid: int) -> int:
    """0 for a process that has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, task.read_text().split())
        except OSError:
            continue  # a thread that has just ended
    return found


def _short(number: int) -> str:
    return f"{number / 1_000_000:g}M" if number >= 500_000 else f"{number / 1_000:g}k"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.emulator", description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, required=True, help="where the figures go")
    parser.add_argument("--sizes", choices=_SIZES, default="full", help="small takes a minute (default: %(default)s)")
    parser.add_argument("--recipes", default=",".join(_RECIPES_MEASURED), help="names, separated by commas")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the emulator ends too
    console = Console(width=110)
    recipes = arguments.recipes.split(",")
    sizes = [Size(*numbers) for numbers in _SIZES[arguments.sizes]]
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else a line per request of S3
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    s3 = _client("s3", f"http://{host}:{port}")
    s3.create_bucket(Bucket=BUCKET)
    imports: dict[str, Figures] = {}
    results: dict[str, dict[str, Figures]] = {recipe: {} for recipe in recipes}
    loads: dict[str, float] = {}
    for size in sizes:
        loads[size.name] = os.getloadavg()[0]
        console.print(f"[bold]{size.name}[/bold] (load of the machine: {loads[size.name]:.1f})")
        imports[size.name], measured = measure(size, recipes, s3, f"http://{host}:{port}", console)
        for recipe, figures in measured.items():
            results[recipe][size.name] = figures
    server.stop()
    about = {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version(), "load_before": loads}
    report = {"about": about, "sizes": {size.name: asdict(size) for size in sizes}, "imports": imports, "recipes": results}
    report["growth"] = growth(results, sizes)
    arguments.json.write_text(json.dumps(report, indent=2) + "\n")
    for shown in tables(results, imports, sizes):
        console.print(shown)


if __name__ == "__main__":
    main()
