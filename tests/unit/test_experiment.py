"""Experiments: how users are split, what the statistics say of known effects, and the SQL over archive files."""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2_contingency, chisquare, norm

from lambdas.config import Experiment
from lambdas.serving.recommend.experiments import variant_of
from reco.commands.experiment import report
from reco.experiments import archive
from reco.experiments.statistics import Counts, compare, comparisons, critical, rate, split_probability, users_needed, verdict

MONDAY = date(2026, 11, 23)
MIDDAY = 1_795_435_200_000


def split(name: str, **weights: float) -> Experiment:
    return Experiment.model_validate({"name": name, "variants": {key: {"weight": weight} for key, weight in weights.items()}})


@pytest.mark.parametrize("weights", [{"a": 1, "b": 1}, {"a": 90, "b": 10}, {"a": 2, "b": 1, "c": 0.5}])
def test_users_are_split_by_the_weights(weights: dict[str, float]) -> None:
    plan = split("home-page", **weights)
    found = Counter(variant_of(plan, f"user-{n}") for n in range(100_000))
    expected = [100_000 * weight / sum(weights.values()) for weight in weights.values()]
    assert chisquare([found[name] for name in weights], expected).pvalue > 0.001


def test_a_user_keeps_the_variant_and_experiments_are_independent() -> None:
    one, other = split("one", a=1, b=1), split("other", a=1, b=1)
    pairs = Counter((variant_of(one, f"u{n}"), variant_of(other, f"u{n}")) for n in range(100_000))
    assert chi2_contingency([[pairs["a", "a"], pairs["a", "b"]], [pairs["b", "a"], pairs["b", "b"]]]).pvalue > 0.001
    # Who is in which variant must not change with a release: these are the variants of today.
    assert "".join(variant_of(one, f"u{n}") for n in range(20)) == "aaaaaaaababaababaabb"
    ids = [f"u{n}" for n in range(10_000)]
    kept, larger = [user for user in ids if variant_of(one, user) == "a"], split("one", a=3, b=1)
    assert {variant_of(larger, user) for user in kept} == {"a"}, "a larger share keeps those who had it"


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    random.seed(7)
    inside = differs = 0
    for _ in range(2000):
        first, second = (sum(random.random() < share for _ in range(400)) for share in (0.05, 0.08))
        inside += rate(first, 400).low <= 0.05 <= rate(first, 400).high
        found = compare((first, 400), (second, 400), critical(1))
        differs += found.low <= 0.03 <= found.high
    assert 0.93 < inside / 2000 < 0.975
    assert 0.93 < differs / 2000 < 0.975


def test_textbook_values() -> None:
    wilson = rate(81, 263)
    assert (round(wilson.low, 4), round(wilson.high, 4)) == (0.2553, 0.3662)  # Newcombe 1998, table I, method 3
    newcombe = compare((48, 80), (56, 70), critical(1))
    assert (round(newcombe.low, 4), round(newcombe.high, 4)) == (0.0524, 0.3339)  # Newcombe 1998b, table II, (a), method 10
    needed = users_needed((0.10, 0.12), (1, 1), critical(1))
    assert needed == pytest.approx(2 * (norm.ppf(0.975) + norm.ppf(0.8)) ** 2 * (0.09 + 0.1056) / 0.0004, rel=0.01)


@pytest.mark.parametrize("rates", [(0.10, 0.12), (0.12, 0.10), (0.02, 0.03), (0.001, 0.002), (0.9, 0.95), (0.5, 0.4)])
@pytest.mark.parametrize("weights", [(1, 1), (9, 1), (1, 9), (99, 1), (1, 99), (2, 0.5)])
def test_the_users_that_are_promised_tell_a_difference_in_80_of_100_experiments(
    rates: tuple[float, float], weights: tuple[float, float]
) -> None:
    """As the report decides, drawn two thousand times; whether they are yet to come or the half of them is there already."""
    dice, z = np.random.default_rng(5), critical(1)
    needed = users_needed(rates, weights, z)
    assert needed is not None
    users = [round(needed * weight / sum(weights)) for weight in weights]
    drawn = zip(*(dice.binomial(n, share, 2000).tolist() for n, share in zip(users, rates, strict=True)), strict=True)
    intervals = [compare((first, users[0]), (second, users[1]), z) for first, second in drawn]
    told = sum(found.low > 0 or found.high < 0 for found in intervals)
    assert 0.77 < told / 2000 < 0.83
    half = (users[0] // 2, users[1] // 2)
    assert users_needed(rates, weights, z, half) == pytest.approx(needed / 2, rel=0.02)


def test_the_smaller_arm_decides_how_long_an_experiment_takes() -> None:
    """A tenth of the users in one arm: more than twice the users of an equal split; a hundredth: more than twenty times."""
    variants = {weight: [Counts("a", weight, 900, 90, 90), Counts("b", 1, 100, 12, 12)] for weight in (1, 9, 99)}
    more = {weight: comparisons(counts, "converted")[0].more_users or 0 for weight, counts in variants.items()}
    assert more[9] > 2 * more[1]
    assert more[99] > 20 * more[1]
    assert comparisons([Counts("a", 9, 900, 0, 0), Counts("b", 1, 100, 100, 100)], "converted")[0].more_users is None
    assert users_needed((0.0, 1.0), (99, 1), critical(1)) is not None


def test_a_difference_is_told_once_there_are_users_enough() -> None:
    few, many = ([Counts("a", 1, n, n // 20, n // 10), Counts("b", 1, n, n // 20, n * 13 // 100)] for n in (200, 5000))
    (unclear,), (clear,) = comparisons(few, "converted"), comparisons(many, "converted")
    assert (unclear.is_significant, clear.is_significant, clear.more_users) == (False, True, None)
    assert 2000 < (unclear.more_users or 0) < 5000
    assert "does not differ significantly yet" in verdict(unclear, "conversion")
    assert verdict(clear, "conversion").startswith("b has a better conversion than a: +3.00 points [+1.7")
    assert verdict(comparisons(many, "clicked")[0], "click-through").startswith("b has the same click-through as a so far")
    assert comparisons([Counts("a", 1, 0, 0, 0), Counts("b", 1, 0, 0, 0)], "clicked")[0].is_significant is False


def test_a_split_that_is_not_as_planned_is_no_basis_for_a_verdict() -> None:
    lost = [Counts("a", 1, 5000, 250, 500), Counts("b", 1, 4500, 225, 900)]
    assert split_probability(lost) < 0.001
    told = report(lost, 0)
    assert told["sample_ratio"]["as_planned"] is False
    assert [sentence[:12] for sentence in told["verdicts"]] == ["Don't trust "]
    assert split_probability([Counts("a", 9, 9012, 0, 0), Counts("b", 1, 988, 0, 0)]) > 0.5


def write_archive(folder: Path, lines: list[dict[str, Any]], hour: str = "12") -> None:
    path = folder / f"events/year=2026/month=11/day=23/hour={hour}/archive-{len(list(folder.rglob('*.gz')))}.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode()))


def shown(variant: str, at: int = 0, **who: str) -> dict[str, Any]:
    body = {"experiment": "one", "variant": variant, "placement": "home"} | who
    return {"kind": "exposure", "received_at": MIDDAY + at, "id": f"x{at}", "body": body}


def did(event_type: str, at: int, **more: Any) -> dict[str, Any]:
    return {
        "kind": "event",
        "received_at": MIDDAY + at,
        "id": f"e{at}",
        "body": {"event_type": event_type, "session_id": "s"} | more,
    }


def asked(folder: Path, placements: list[str] | None = None) -> archive.Rows:
    return archive.run_in_duckdb(folder, archive.statement("one", placements or ["home"], "buy", MONDAY))


def test_what_counts_is_what_follows_an_exposure(tmp_path: Path) -> None:
    hour = 3_600_000
    lines = [
        shown("a", user_id="u1"),
        did("view", 10_000, user_id="u1", recommendation_id="RID-1"),
        did("buy", 20_000, user_id="u1", properties={"device": "phone"}),
        did("buy", 20_000, user_id="u1"),
        shown("a", user_id="before"),
        did("buy", -20_000, user_id="before", recommendation_id="RID-1"),
        did("buy", hour, user_id="before", timestamp=(MIDDAY - 20_000) / 1000, recommendation_id="RID-2"),
        shown("b", session_id="s1"),
        did("buy", 5_000, session_id="s1", user_id="later-known"),
        shown("b", user_id="other-placement") | {"body": shown("b", user_id="u9")["body"] | {"placement": "cart"}},
        shown("b", user_id="other") | {"body": shown("b", user_id="u9")["body"] | {"experiment": "two"}},
        shown("a", user_id="switched"),
        shown("b", at=hour, user_id="switched"),
        {"kind": "event", "received_at": 1, "id": "odd", "body": {"event_type": 5, "user_id": ["u1"]}},
        {"unknown": True},
    ]
    write_archive(tmp_path, lines)
    write_archive(tmp_path, [shown("a", at=hour, user_id="u1"), shown("b", at=hour, user_id="u'2")], hour="13")
    rows = asked(tmp_path)
    assert {row[0]: row[1:] for row in rows} == {"a": (2, 1, 1), "b": (2, 0, 1), None: (1, 0, 0)}
    assert {row[0]: row[1] for row in asked(tmp_path, ["home", "cart"])} == {"a": 2, "b": 3, None: 1}
    counted, switched = archive.counts(split("one", a=1, b=1, c=1), rows)
    assert ([one.users for one in counted], switched) == ([2, 2, 0], 1)


def test_a_known_effect_is_found(tmp_path: Path) -> None:
    """4,000 users a variant, of whom 10 % buy with one and 14 % with the other."""
    random.seed(11)
    plan, lines = split("one", a=1, b=1), []
    for n in range(8000):
        variant = variant_of(plan, f"u{n}")
        lines.append(shown(variant, at=n, user_id=f"u{n}"))
        if random.random() < {"a": 0.10, "b": 0.14}[variant]:
            lines.append(did("buy", n + 60_000, user_id=f"u{n}"))
    for first, last in pairwise(range(0, len(lines) + 2000, 2000)):
        write_archive(tmp_path, lines[first:last])
    told = report(archive.counts(plan, asked(tmp_path))[0], 0)
    (conversion,) = [one for one in told["comparisons"] if one["outcome"] == "converted"]
    assert conversion["told"]
    assert conversion["difference"]["low"] < 0.04 < conversion["difference"]["high"]
    assert told["sample_ratio"]["as_planned"]


def test_the_statement_holds_no_more_than_one_text() -> None:
    """Athena's dialect takes what DuckDB's takes, as long as neither's own functions are in it."""
    text = archive.statement("it's", ["home"], "buy", MONDAY)
    assert "'it''s'" in text
    for word in ("FILTER", "::", "QUALIFY", "epoch", "struct_extract", "element_at"):
        assert word not in text
