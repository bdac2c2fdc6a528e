"""The table of the README: the project's parts beside what one would use instead, each pair measured in one run.

It stands between two comments and is written anew with the benchmarks' page; a row whose benchmark has not run says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.benchmarks import Figures, at, ndcg, ratio
from bench.running import Outcome

BEGIN, END = "<!-- beside others: written by `make bench` -->", "<!-- end -->"
_LIBRARIES = {"item-kNN": "item-kNN", "implicit ALS": "`implicit`'s ALS", "implicit BPR": "`implicit`'s BPR", "EASE": "EASE"}


@dataclass(frozen=True)
class _Peer:
    """`read` gives ours divided by theirs; `more_is_better` says which side of 1 wins."""

    what: str
    beside: str
    benchmark: str
    read: Callable[[Figures], float]
    unit: str
    more_is_better: bool = False

    def row(self, figures: Figures | None) -> str:
        try:
            value = self.read(figures or {})
        except (KeyError, IndexError, TypeError):
            return f"| {self.what} | {self.beside} | not measured | |"
        wins = value > 1 if self.more_is_better else value < 1
        return f"| {self.what} | {self.beside} | {value:.2f}× {self.unit} | {'loses ' if not wins else ''}|"


def _inverse(read: Callable[[Figures], float]) -> Callable[[Figures], float]:
    return lambda figures: 1 / read(figures)


_TIME, _FOR_A_USER, _FOR_AN_ITEM = "the time", "ml-100k, for a user", "ml-100k, for an item"
_PEERS = (
    _Peer(
        "a request with five rules and attributes",
        "a bare `get_recommendations` of boto3",
        "serving",
        at("vs_bare_boto3", "all_p50"),
        _TIME,
    ),
    _Peer(
        "the same",
        "a function that asks Personalize and DynamoDB by boto3, without rules",
        "serving",
        at("vs_plain_function"),
        _TIME,
    ),
    _Peer(
        "events from a stream to PutEvents, ten of a session at once",
        "a call for each record",
        "ingestion",
        _inverse(at("end_to_end_vs_naive", "chunks_of_10")),
        _TIME,
    ),
    _Peer(
        "the same, three of a session at once",
        "a call for each record",
        "ingestion",
        _inverse(at("end_to_end_vs_naive", "bursts_of_3")),
        _TIME,
    ),
    _Peer("batch lists into DynamoDB", "boto3's `batch_writer`", "batch", at("time_vs_batch_writer"), _TIME),
    _Peer("the same", "boto3's `batch_writer`", "batch", at("cpu_vs_batch_writer"), "the processor time"),
    *(
        _Peer(
            "User-Personalization-v2 of the emulator",
            shown,
            "accuracy",
            ratio(ndcg(_FOR_A_USER, "aws-user-personalization-v2"), ndcg(_FOR_A_USER, key)),
            "the NDCG@10",
            more_is_better=True,
        )
        for key, shown in _LIBRARIES.items()
    ),
    *(
        _Peer(
            "Similar-Items of the emulator",
            "item-kNN",
            "accuracy",
            ratio(at(_FOR_AN_ITEM, "aws-similar-items", measure, "mean"), at(_FOR_AN_ITEM, "item-kNN", measure, "mean")),
            f"the {said}",
            more_is_better=True,
        )
        for measure, said in {"normalized_discounted_cumulative_gain_at_10": "NDCG@10", "coverage": "coverage"}.items()
    ),
)


def table(results: Mapping[str, tuple[Outcome, Figures | None]]) -> str:
    rows = [peer.row(results[peer.benchmark][1] if peer.benchmark in results else None) for peer in _PEERS]
    return "\n".join(["| ours | beside | | |", "|---|---|---|---|", *rows])


def write(file: Path, results: Mapping[str, tuple[Outcome, Figures | None]]) -> None:
    """Put the table between the comments of the file."""
    between = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    file.write_text(between.sub(lambda _: f"{BEGIN}\n{table(results)}\n{END}", file.read_text()))
