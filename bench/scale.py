"""What growth breaks: the example (config/shop.yaml, config/traffic.yaml) in its busiest hour, at many times its size.

    python -m bench.scale [--sizes 1,10,100,1000] [--seconds 20] [--surge 1] [--seed 1] [--json scale.json]

A discrete-event simulation of ingestion and serving: with the config's defaults and the quotas of an account as it comes;
the same where pages make all calls, and not servers; with `api.throttle` raised to the most that the config takes; and
without quotas, which shows what to ask for. Then the arithmetic of a batch run and of the archive. Figures are those of the
last benchmarks (.cache/bench), else those below, each with where it was measured; what nobody has measured is named as
assumed.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench import scale_page
from bench.scale_model import Cost, EventSource, Limits, Load, Simulation
from lambdas.aws.clients import PARALLEL_PUTS
from lambdas.batch.load_counts import Counts
from lambdas.config import Config
from lambdas.config.api import Api, Throttle
from lambdas.config.file import load_config
from personalize_rules.limits import EVENTS_PER_CALL, MAX_BATCH_BYTES, MAX_BATCH_FILES
from reco.cost.inputs import ROOT, TRAFFIC, Traffic, load_prices, load_traffic

_SIZES = (1, 10, 100, 1000)
#: Seconds before and behind those that are looked at: buckets are full at first, and what is on its way arrives.
WARM_UP, COOL_DOWN = 3.0, 5.0
#: The runs: with the defaults; the same through the browsers' API; with the highest `api.throttle`; and without quotas.
SHIPPED, PAGES, RAISED, UNLIMITED = "as_shipped", "from_pages", "throttle_raised", "without_quotas"

# Quotas of an account as it comes. docs/scale.md has the page of AWS for each.
API_RATE, API_BURST = 10_000, 5_000
_WORKERS = 1_000
CAMPAIGN_TPS, RUNTIME_TPS, PUT_EVENTS_TPS = 500, 2_500, 1_000
SHARD_RECORDS, SHARD_BYTES, LEAST_SHARDS = 1_000, 1_048_576, 4
NEW_TABLE_WRITES, TABLE_WRITES = 4_000, 40_000
STATE_BYTES = 262_144

# As the stacks have it: stacks/ingestion.py, batch.py, spark.py, statemachines/batch.asl.yaml, glue/batch_input.py.
EVENT_SOURCE = EventSource(poll=1.0, batch=500, window=1.0, factor=2)
MEMORY_MB, PROCESSOR_MB = 1_024, 1_769
LOADERS, LINES_PER_FILE = 10, 50_000

_MOST_THROTTLE = Throttle(rate=10_000, burst=5_000)


@dataclass(frozen=True)
class Figure:
    """What the simulation is fed with, and where it is from."""

    value: float
    unit: str
    source: str


#: Where no benchmark has been run here: name, keys of the JSON, figure.
_PAGE = "docs/benchmarks.md, 24 November 2026"
_KEPT: dict[str, tuple[str, tuple[str, ...], Figure]] = {
    "answer": ("serving", ("all_ms", "p50"), Figure(2.0, "ms", f"{_PAGE}: 500 requests a second")),
    "event": ("ingestion", ("processor_time", "event_us"), Figure(12.4, "us", "bench.ingestion, 30 November 2026")),
    "call": ("ingestion", ("processor_time", "call_ms"), Figure(0.90, "ms", "bench.ingestion, 30 November 2026")),
    "loader": ("batch", ("lines_per_s",), Figure(7345, "lines/s", _PAGE)),
    "spark_20M": ("spark", ("spark_s", "20000000"), Figure(1444, "s", _PAGE)),
    "spark_power": ("spark", ("exponent",), Figure(0.728, "", _PAGE)),
}
#: Of the services, whose latency no benchmark here can know.
_ASSUMED = {"put_events": Figure(20, "ms", "assumed"), "tables": Figure(10, "ms", "assumed")}


def figures(cache: Path) -> dict[str, Figure]:
    """The newest of the benchmarks that ran here; else the page's."""
    found = dict(_ASSUMED)
    for name, (benchmark, keys, known) in _KEPT.items():
        found[name] = known
        for size in ("full", "small"):
            file = cache / size / f"{benchmark}.json"
            if (value := _read(file, keys)) is not None:
                found[name] = Figure(value, known.unit, f"{cache.name}/{size}/{file.name}")
                break
    return found


def _read(file: Path, keys: Sequence[str]) -> float | None:
    try:
        found: Any = json.loads(file.read_text())
        for key in keys:
            found = found[key]
        return float(found)
    except (OSError, ValueError, KeyError, TypeError):
        return None


@dataclass(frozen=True)
class Shop:
    """The example, and the figures."""

    config: Config
    traffic: Traffic
    figures: dict[str, Figure]

    def load(self, size: float, surge: float = 1.0) -> Load:
        """Of the busiest hour: events have the shape of the requests."""
        hours = [sum(self.traffic.hours_of(name)[hour] for name in self.config.placements) for hour in range(24)]
        busiest = hours.index(max(hours))
        answers: dict[str, float] = {}
        for name, placement in self.config.placements.items():
            rate = self.traffic.hours_of(name)[busiest] * size * surge
            answers[placement.solution] = answers.get(placement.solution, 0.0) + rate
        events = self.traffic.events_per_day / 86_400 * max(hours) / statistics.mean(hours) * size
        per_post = max(1, round(self.traffic.events_per_call))
        size_bytes = round(self.traffic.event_bytes)
        # On demand, a stream has room for twice the most that it was sent in 30 days; a surge is not among these.
        wanted = 2 * max(events / SHARD_RECORDS, events * size_bytes / SHARD_BYTES)
        second = self.traffic.assumptions.campaign_calls_per_request - 1
        return Load(events * surge / per_post, per_post, size_bytes, answers, second, max(LEAST_SHARDS, math.ceil(wanted)))

    def calls_per_day(self, size: float) -> float:
        """Of the API: posts and answers of a mean day."""
        answers = sum(sum(self.traffic.hours_of(name)) * 3600 for name in self.config.placements)
        return size * (self.traffic.events_per_day / self.traffic.events_per_call + answers)

    def cost(self) -> Cost:
        """Times of a function of 1,024 MB, which has so much of a processor as its memory is of 1,769 MB."""
        slower = PROCESSOR_MB / MEMORY_MB
        known = self.figures
        assumed = self.traffic.assumptions
        own = known["answer"].value / 1000 * slower
        wait = max(assumed.recommend_milliseconds / 1000 - own, 0.001) / assumed.campaign_calls_per_request
        put = known["put_events"].value / 1000
        return Cost(
            event_cpu=known["event"].value / 1e6 * slower,
            call_cpu=known["call"].value / 1000 * slower,
            put_events=lambda random: random.expovariate(1 / put),
            tables=known["tables"].value / 1000,
            answer_cpu=own,
            campaign=lambda random: random.expovariate(1 / wait),
        )


def limits(run: str) -> Limits:
    """Of one of the runs."""
    none = (math.inf, math.inf)
    if run == UNLIMITED:
        return Limits(none, none, math.inf, math.inf, math.inf, math.inf, SHARD_RECORDS, SHARD_BYTES)
    throttle = {SHIPPED: Api().throttle, PAGES: Api().browser_throttle, RAISED: _MOST_THROTTLE}[run]
    return Limits(
        api=(throttle.rate, throttle.burst),
        account_api=(API_RATE, API_BURST),
        workers=_WORKERS,
        campaign=CAMPAIGN_TPS,
        campaigns=RUNTIME_TPS,
        put_events=PUT_EVENTS_TPS,
        shard_records=SHARD_RECORDS,
        shard_bytes=SHARD_BYTES,
    )


def simulate(shop: Shop, size: float, run: str, *, seconds: float, surge: float, seed: int) -> dict[str, Any]:
    """One size, for some seconds."""
    load, allowed = shop.load(size, surge), limits(run)
    made = Simulation(load, allowed, EVENT_SOURCE, shop.cost(), threads=PARALLEL_PUTS, seed=seed, warm_up=WARM_UP)
    seen = made.run(seconds, COOL_DOWN)
    counts = seen.counts
    return {
        "calls_per_day": shop.calls_per_day(size) * surge,
        "posts_per_s": load.posts,
        "events_per_s": load.posts * load.events_per_post,
        "shards": load.shards,
        "lag_s": _spread(seen.lags),
        "lag_grows": bool(seen.waiting),
        "posts_refused": _share(counts["posts refused"] + counts["posts throttled by a shard"], counts["posts"]),
        "put_events_calls": counts["puts"],
        "put_events_throttled": _share(counts["puts throttled"], counts["puts"]),
        "answers_per_s": sum(load.answers.values()),
        "answer_ms": {key: 1000 * value for key, value in _spread(seen.answers).items()},
        "concurrency": {"mean": made.workers.mean(), "most": made.workers.most},
        "answers_refused": _share(counts["answers refused"], counts["answers"]),
        "answers_without_a_worker": _share(counts["answers without a worker"], counts["answers"]),
        "answers_of_fallbacks": _share(counts["answers of fallbacks"], counts["answers"]),
        "most_calls_per_s": {what: peaks.most() for what, peaks in sorted(seen.calls.items())},
        "used": _used(shop, load, allowed),
    }


def _used(shop: Shop, load: Load, allowed: Limits) -> dict[str, float]:
    """What is asked for beside what there is, also of what a narrower place before it keeps away."""
    answers, calls = sum(load.answers.values()), {name: rate * (1 + load.second_call) for name, rate in load.answers.items()}
    api, seconds = load.posts + answers, shop.traffic.assumptions.recommend_milliseconds / 1000
    return {
        "throttle": api / allowed.api[0],
        "API Gateway": api / allowed.account_api[0],
        "Lambda": answers * seconds / allowed.workers,
        **{f"campaign {name}": rate / allowed.campaign for name, rate in calls.items()},
        "all campaigns": sum(calls.values()) / allowed.campaigns,
        "PutEvents": load.posts * math.ceil(load.events_per_post / EVENTS_PER_CALL) / allowed.put_events,
        "shards": load.posts * load.events_per_post / load.shards / SHARD_RECORDS,
    }


def _spread(values: Sequence[float]) -> dict[str, float]:
    if len(values) < 2:
        return dict.fromkeys(("p50", "p99"), values[0] if values else 0.0)
    parts = statistics.quantiles(values, n=100, method="inclusive")
    return {"p50": parts[49], "p99": parts[98]}


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def batch_run(shop: Shop, size: float) -> dict[str, Any]:
    """The lists of one run: a line of input for each user, a file of output for each of the input, a row for each list."""
    lists = shop.traffic.batch.users_per_run * size
    line = len(json.dumps({"userId": "u" + "0" * 9}, separators=(",", ":"))) + 1
    files = min(math.ceil(lists / LINES_PER_FILE), MAX_BATCH_FILES)
    counts = Counts(lines=LINES_PER_FILE, written=LINES_PER_FILE)
    loaded = len(json.dumps({"counts": counts.model_dump()}, separators=(",", ":"))) + 1
    lost = len(json.dumps({"key": "part-00000-" + "0" * 36 + "-c000.json.out", "error": "E" * 100})) + 1
    units = lists * math.ceil(shop.traffic.assumptions.list_bytes / 1024)
    return {
        "lists": lists,
        "input_gb": lists * line / 1e9,
        "refused": lists * line > MAX_BATCH_BYTES,
        "files": files,
        "state_bytes": files * loaded,
        "state_bytes_if_all_fail": files * lost,
        "write_units": units,
        "minutes_of_loaders": lists / (LOADERS * shop.figures["loader"].value) / 60,
        "minutes_of_a_new_table": units / NEW_TABLE_WRITES / 60,
        "minutes_of_the_tables_quota": units / TABLE_WRITES / 60,
        "dollars": load_prices()["dynamodb_writes"].dollars(units),
    }


def archive(shop: Shop, size: float) -> dict[str, Any]:
    """The Spark jobs over all that is kept: between the growth that was measured and growth in proportion."""
    days = shop.config.archive.keep_days or 365
    events = shop.traffic.events_per_day * days * size
    hours = shop.figures["spark_20M"].value / 3600
    times = events / 20e6
    return {
        "events": events,
        "hours_at_least": hours * times ** min(shop.figures["spark_power"].value, 1),
        "hours_at_most": hours * times,
    }


def run(shop: Shop, sizes: Sequence[int], *, seconds: float, surge: float, seed: int) -> dict[str, Any]:
    """All runs of all sizes, by name and size."""

    def simulated(name: str) -> dict[str, Any]:
        return {str(size): simulate(shop, size, name, seconds=seconds, surge=surge, seed=seed) for size in sizes}

    return {
        "figures": {name: asdict(figure) for name, figure in shop.figures.items()},
        "seconds": seconds,
        "surge": surge,
        **{name: simulated(name) for name in (SHIPPED, PAGES, RAISED, UNLIMITED)},
        "batch_run": {str(size): batch_run(shop, size) for size in sizes},
        "archive": {str(size): archive(shop, size) for size in sizes},
    }


def example(cache: Path = Path(".cache/bench")) -> Shop:
    return Shop(load_config(ROOT / "config" / "shop.yaml"), load_traffic(TRAFFIC), figures(cache))


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.scale", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default=",".join(map(str, _SIZES)), help="times the example, by commas")
    parser.add_argument("--seconds", type=float, default=20, help="of the busiest hour")
    parser.add_argument("--surge", type=float, default=1, help="times the busiest hour, as on a day of sales")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cache", type=Path, default=Path(".cache/bench"), help="where benchmarks keep their figures")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(",")]
    made = run(example(options.cache), sizes, seconds=options.seconds, surge=options.surge, seed=options.seed)
    scale_page.show(made)
    if options.json:
        options.json.write_text(json.dumps(made, indent=2) + "\n")


if __name__ == "__main__":
    main()
