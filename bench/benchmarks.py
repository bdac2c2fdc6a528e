"""The benchmarks, declared: what each compares, how it is run at either size, and what its figures should be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from matplotlib.figure import Figure

from bench import plots

Figures: TypeAlias = dict[str, Any]
Size = Literal["small", "full"]


@dataclass(frozen=True)
class Measure:
    """One figure of a benchmark's JSON, and the limit that it should keep, where there is one."""

    what: str
    read: Callable[[Figures], float]
    at_most: float | None = None
    at_least: float | None = None
    unit: str = ""

    def value(self, figures: Figures) -> float | None:
        """None: not measured at the size that was run (not there, or null)."""
        try:
            return float(self.read(figures))
        except (KeyError, IndexError, TypeError):
            return None

    def is_met(self, value: float) -> bool | None:
        """None: there is no limit."""
        if self.at_most is None and self.at_least is None:
            return None
        return (self.at_most is None or value <= self.at_most) and (self.at_least is None or value >= self.at_least)


@dataclass(frozen=True)
class Benchmark:
    """A module that writes its figures with `--json FILE`. `arguments` are those of each size, `page` says more about it."""

    name: str
    title: str
    compares: str
    module: str
    page: str
    measures: tuple[Measure, ...]
    arguments: dict[Size, tuple[str, ...]]
    draw: Callable[[Figures], Figure] | None = None

    def command(self, size: Size) -> list[str]:
        return ["-m", self.module, *self.arguments[size]]


def at(*path: str) -> Callable[[Figures], float]:
    """Reads the figure below these keys."""

    def read(figures: Figures) -> float:
        found: Any = figures
        for key in path:
            found = found[key]
        return float(found)

    return read


def ratio(above: Callable[[Figures], float], below: Callable[[Figures], float]) -> Callable[[Figures], float]:
    """Reads how many times the second figure the first is."""
    return lambda figures: above(figures) / below(figures)


def ndcg(kind: str, name: str) -> Callable[[Figures], float]:
    return at(kind, name, "normalized_discounted_cumulative_gain_at_10", "mean")


def _faults_p99(figures: Figures) -> float:
    """How much of the time that it may take a slow answer takes."""
    return float(figures["faults_ms"]["p99"] / (figures["time_budget_ms"] + figures["well_ms"]["p99"]))


def _exchanges_beyond(figures: Figures) -> float:
    """Full shuffles of all jobs that their plans could do without."""
    return float(sum(max(0, count - figures["necessary"][job]) for job, count in figures["exchanges"].items()))


_ALWAYS: dict[Size, tuple[str, ...]] = {"small": (), "full": ()}
_PERSONAL = ndcg("ml-100k, for a user", "aws-user-personalization-v2")
RECIPE = ("recipes", "aws-user-personalization-v2")
_SMALL_SHOP = "0.5M interactions, 1k items, 5k users"
SHOP_5M, SHOP_5M_100K = (f"5M interactions, {items} items, 50k users" for items in ("10k", "100k"))

BENCHMARKS = (
    Benchmark(
        "pipeline",
        "The train pipeline",
        "The train state machine under the waiting times of AWS (imports 12 minutes, trainings 45, campaigns 8), counted "
        "from execution histories, beside what the official solution needs for the same resources (computed: each of its states "
        "once, a check a minute for each resource).",
        "bench.pipeline",
        "training.md",
        (
            Measure("states", at("states"), at_most=40),
            Measure("functions", at("functions"), at_most=8),
            Measure(
                "transitions of a first run, beside the official solution's",
                ratio(at("transitions", "first"), at("official", "transitions")),
                at_most=0.5,
                unit="×",
            ),
            Measure("transitions when nothing changed", at("transitions", "unchanged"), at_most=40),
        ),
        _ALWAYS,
        plots.pipeline,
    ),
    Benchmark(
        "ingestion",
        "Ingestion",
        "The CPU time of `put_events` beside `json.loads` of the same bytes, and beside a handler that calls PutEvents for each "
        "record (both against the same stub); its calls beside the least possible number; seconds from the API's 202 to a "
        "recommendation that has changed.",
        "bench.ingestion",
        "ingestion.md",
        (
            Measure("own code beside `json.loads`", at("own_vs_json_loads"), at_most=2, unit="×"),
            Measure(
                "a call for each record, beside ours, on chunks of 10",
                at("end_to_end_vs_naive", "chunks_of_10"),
                at_least=8,
                unit="×",
            ),
            Measure(
                "a call for each record, beside ours, on bursts of 3",
                at("end_to_end_vs_naive", "bursts_of_3"),
                at_least=2.4,
                unit="×",
            ),
            Measure("calls beside the least possible number", at("calls_vs_least"), at_most=1.1, unit="×"),
            Measure("event to changed recommendation, p50", at("freshness_s", "p50"), unit=" s"),
            Measure("event to changed recommendation, p99", at("freshness_s", "p99"), at_most=2, unit=" s"),
        ),
        _ALWAYS,
    ),
    Benchmark(
        "throughput",
        "Throughput of ingestion",
        "Events at a steady rate through the whole of ingestion on one machine, the local AWS and the clients included: how many "
        "a second the API accepts, how long after that Personalize has them, and whose processor time it takes.",
        "bench.throughput",
        "ingestion.md",
        (
            Measure("events a second that were sent", at("rate")),
            Measure("that the API accepted", at("accepted_per_s")),
            Measure("lag, p99", at("lag_s", "p99"), at_most=3, unit=" s"),
            *(
                Measure(f"processor time of an event: {who}", at("cpu_us_per_event", who), unit=" µs")
                for who in ("local AWS", "Personalize", "put_events", "clients")
            ),
        ),
        {"small": ("--rate", "1000", "--seconds", "20"), "full": ("--rate", "2000", "--seconds", "60")},
    ),
    Benchmark(
        "chaos",
        "Nothing is lost",
        "Events from eight clients through the whole of ingestion, and puts and patches of items and users, while Personalize "
        "throttles 10 % of the calls, fails 5 %, stalls 1 % and is killed, functions are killed, and some of all that is sent is "
        "malformed: where each accepted thing ended.",
        "bench.chaos",
        "ingestion.md",
        (
            Measure("accepted events", at("accepted")),
            Measure("in Personalize", at("in_personalize")),
            Measure("for the archive alone, by their type", at("archive_only")),
            Measure("dead letters, each with its reason", at("dead_lettered")),
            Measure("in the archive, beside accepted", ratio(at("archived"), at("accepted")), at_least=1, unit="×"),
            Measure("lost", at("lost"), at_most=0),
            Measure("counted twice", at("counted_twice"), at_most=0),
            Measure("accepted puts and patches of items and users", at("records_accepted")),
            Measure("lost of these", at("records_lost"), at_most=0),
            Measure("stuck for more than a minute", at("stuck"), at_most=0),
            Measure("items that the catalogue has otherwise than Personalize", at("catalogue_differs"), at_most=0),
            Measure("calls made again, beside those needed", at("resent_ratio"), unit="×"),
        ),
        {"small": ("--events", "5000"), "full": ("--events", "100000")},
    ),
    Benchmark(
        "serving",
        "Serving",
        "A request for 25 items out of 100 candidates with five rules, beside a bare `get_recommendations` of boto3 against the "
        "same stub; 100 attributes are in the function's memory.",
        "bench.serving",
        "serving.md",
        (
            Measure("our own share beside the bare call, p50", at("vs_bare_boto3", "own_p50"), at_most=0.5, unit="×"),
            Measure("the whole request beside the bare call, p50", at("vs_bare_boto3", "all_p50"), at_most=0.85, unit="×"),
            Measure("the whole request beside the bare call, p99", at("vs_bare_boto3", "all_p99"), at_most=1.1, unit="×"),
            Measure(
                "the same with 500 candidates, p50",
                ratio(at("at_500_candidates", "all_ms", "p50"), at("at_500_candidates", "bare_boto3_ms", "p50")),
                at_most=1.1,
                unit="×",
            ),
            Measure("requests a second, one after the other", at("requests_per_s")),
            Measure("import of the function's modules", at("import_ms"), at_most=150, unit=" ms"),
            Measure("processor time of a new worker's first answer", at("cold_ms"), at_most=278, unit=" ms"),
            Measure("layer and code, zipped", at("zipped_mb"), at_most=15, unit=" MB"),
        ),
        _ALWAYS,
        plots.serving,
    ),
    Benchmark(
        "catalogue",
        "Attributes for serving",
        "A worker that answers ten requests a second looks up 100 candidates each: in the table, each item kept for a minute, or "
        "in a copy of the whole catalogue in its memory, read anew each minute.",
        "bench.catalogue",
        "serving.md",
        tuple(
            measure
            for size, said in (("1000", "1,000"), ("10000", "10,000"), ("100000", "100,000"))
            for measure in (
                Measure(f"{said} items, from the table: calls a request", at(size, "table", "calls_a_request")),
                Measure(f"{said} items, from the table: processor time", at(size, "table", "cpu_ms_a_request"), unit=" ms"),
                Measure(f"{said} items, in memory: processor time", at(size, "memory", "cpu_ms_a_request"), unit=" ms"),
                Measure(f"{said} items, in memory: a reading stops the worker for", at(size, "memory", "read_s"), unit=" s"),
            )
        ),
        _ALWAYS,
    ),
    Benchmark(
        "faults",
        "Serving while Personalize fails",
        "Requests over HTTP while Personalize throttles a fifth of the calls, stalls a twentieth past the time budget and, "
        "half-way, fails every call for ten seconds. The p99 is compared with the budget and the time while all is well.",
        "bench.faults",
        "serving.md",
        (
            Measure("requests", at("requests")),
            Measure("answers of 500 and above", at("server_errors"), at_most=0),
            Measure("lists that are not full", at("short_lists"), at_most=0),
            Measure("an answer, p50", at("faults_ms", "p50"), unit=" ms"),
            Measure("an answer, p99", at("faults_ms", "p99"), unit=" ms"),
            Measure("the same while all is well, p99", at("well_ms", "p99"), unit=" ms"),
            Measure("p99 beside time budget and p99 while all is well", _faults_p99, at_most=1, unit="×"),
        ),
        {"small": ("--requests", "1000"), "full": ("--requests", "10000")},
    ),
    Benchmark(
        "storefront",
        "The storefront",
        "A real Chromium on a shop of this machine: from the beginning of the navigation to the first list, and from a click to "
        "the list that has changed, for visitors with nothing cached.",
        "bench.storefront",
        "storefront.md",
        (
            Measure("first list, p50", at("first_list_ms", "p50"), at_most=500, unit=" ms"),
            Measure("first list, slowest", at("first_list_ms", "max"), unit=" ms"),
            Measure("a new visitor's click to changed list, slowest", at("changed_ms", "max"), at_most=2000, unit=" ms"),
            Measure(
                "a persona's click, three in a row, to changed list, slowest", at("journey_ms", "max"), at_most=2000, unit=" ms"
            ),
            Measure("visits whose list no click changed within four seconds", at("visits_unchanged"), at_most=0),
            Measure("a persona's clicks after which the list stayed as it was, of 15", at("clicks_unchanged")),
            Measure("a page", at("page_kb"), at_most=150, unit=" KB"),
        ),
        _ALWAYS,
    ),
    Benchmark(
        "batch",
        "Batch lists",
        "The function that loads batch lists into DynamoDB, beside a bare loop over boto3's `batch_writer` on the same file.",
        "bench.batch",
        "batch.md",
        (
            Measure("lines a second and core", at("lines_per_s")),
            Measure("CPU of a line, beside `batch_writer`", at("cpu_vs_batch_writer"), at_most=1.2, unit="×"),
            Measure("time of the file, beside `batch_writer`", at("time_vs_batch_writer"), at_most=0.8, unit="×"),
            Measure("peak memory at 100,000 lines", at("peak_mb", "100000"), unit=" MB"),
            Measure("memory at 100,000 lines beside 10,000", ratio(at("peak_mb", "100000"), at("peak_mb", "10000")), unit="×"),
            Measure(
                "memory at 1,000,000 lines beside 100,000",
                ratio(at("peak_mb", "1000000"), at("peak_mb", "100000")),
                at_most=1.1,
                unit="×",
            ),
        ),
        {"small": ("--sizes", "10000,100000", "--spark-sizes", ""), "full": ("--spark-sizes", "")},
        plots.loader_memory,
    ),
    Benchmark(
        "spark",
        "Spark jobs",
        "The four Glue jobs on local Spark with two cores, starts included: their time together as the archive grows, which "
        "should be no more than in proportion, and the exchanges in their plans beside those that they can't do without.",
        "bench.spark",
        "batch.md",
        (
            Measure("100,000 events", at("spark_s", "100000"), unit=" s"),
            Measure("1M events", at("spark_s", "1000000"), unit=" s"),
            Measure("5M events", at("spark_s", "5000000"), unit=" s"),
            Measure("20M events", at("spark_s", "20000000"), unit=" s"),
            Measure("20M events beside 1M", ratio(at("spark_s", "20000000"), at("spark_s", "1000000")), at_most=20, unit="×"),
            Measure("power of the number of events with which the time grows", at("exponent"), at_most=1),
            Measure("exchanges beyond the necessary", _exchanges_beyond, at_most=0),
        ),
        {"small": ("--sizes", "100000,1000000"), "full": ()},
        plots.spark_seconds,
    ),
    Benchmark(
        "scale",
        "Growth by simulation",
        "The example's busiest hour at many times its size, simulated with the figures of these benchmarks, the config's "
        "defaults and the quotas of an account as it comes; then with `api.throttle` as high as the config takes it.",
        "bench.scale",
        "scale.md",
        tuple(
            Measure(f"{what}, {int(size):,} times, {said}", at(run, size, *keys), unit=unit)
            for run, said in (("as_shipped", "as shipped"), ("throttle_raised", "throttle raised"))
            for what, keys, unit in (
                ("lag of an event, p99", ("lag_s", "p99"), " s"),
                ("share of answers that the API refuses", ("answers_refused",), ""),
                ("share of answers by fallbacks", ("answers_of_fallbacks",), ""),
            )
            for size in ("1", "10", "100", "1000")
        ),
        {"small": ("--seconds", "5"), "full": ()},
    ),
    Benchmark(
        "emulator",
        "The Personalize emulator",
        "Imports, trainings and answers over HTTP, one call after the other; the filter is on a category and on purchases.",
        "bench.emulator",
        "personalize-emulator.md",
        (
            Measure(
                "training of User-Personalization-v2, 5M interactions",
                at(*RECIPE, SHOP_5M, "training", "seconds"),
                at_most=120,
                unit=" s",
            ),
            Measure("its memory", at(*RECIPE, SHOP_5M, "training", "peak_mib"), at_most=4096, unit=" MiB"),
            Measure("an answer at 10k items, filtered, p50", at(*RECIPE, SHOP_5M, "filtered", "p50_ms"), at_most=5, unit=" ms"),
            Measure("an answer at 10k items, filtered, p99", at(*RECIPE, SHOP_5M, "filtered", "p99_ms"), at_most=15, unit=" ms"),
            Measure("an answer at 100k items, filtered, p99", at(*RECIPE, SHOP_5M_100K, "filtered", "p99_ms"), unit=" ms"),
            Measure("an answer at 1k items, filtered, p99", at(*RECIPE, _SMALL_SHOP, "filtered", "p99_ms"), unit=" ms"),
            Measure(
                "time of training as interactions grow tenfold, 1k items",
                at("growth", RECIPE[1], "1000 items", "seconds"),
                unit="×",
            ),
            Measure(
                "time of training as interactions grow tenfold, 10k items",
                at("growth", RECIPE[1], "10000 items", "seconds"),
                unit="×",
            ),
        ),
        {"small": ("--sizes", "small"), "full": ("--sizes", "full")},
        plots.emulator,
    ),
    Benchmark(
        "accuracy",
        "Accuracy of the emulator's recipes",
        "NDCG@10 on MovieLens 100k beside simple and well-known recommenders, on the same held-out events of the same users.",
        "bench.accuracy",
        "accuracy.md",
        tuple(
            Measure(f"User-Personalization-v2 beside {name}", ratio(_PERSONAL, ndcg("ml-100k, for a user", key)), unit="×")
            for name, key in {
                "popularity, seen removed": "popularity",
                "item-kNN": "item-kNN",
                "`implicit`'s BPR": "implicit BPR",
                "`implicit`'s ALS": "implicit ALS",
                "EASE": "EASE",
            }.items()
        ),
        {"small": ("--seeds", "1", "--sets", "ml-100k"), "full": ()},
        plots.accuracy,
    ),
)
