"""Related items: which pairs are counted, what a training chooses among them, and how it stands beside plain item-kNN."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from threadpoolctl import threadpool_limits

from bench.baselines import item_knn
from bench.planted import Planted, groceries, sessions, write_csvs
from personalize_emulator.datasets import DatasetStore, TrainingData
from personalize_emulator.metrics import Answer, ranking_metrics
from personalize_emulator.recipes import Query, TrainingOptions, pairs, train
from personalize_emulator.recipes.blend import AGAIN, SUPPRESS, Blend, Case, Trials, choose, widened
from personalize_emulator.recipes.events import Events, prepare
from personalize_emulator.recipes.holdout import Case as Held
from personalize_emulator.recipes.holdout import split, with_earlier
from personalize_emulator.recipes.model import best
from personalize_emulator.recipes.training import try_out
from personalize_emulator.recipes.transitions import DECAY, WINDOW
from tests.personalize_emulator.market import DAY, START, make_market, make_store

NDCG = "normalized_discounted_cumulative_gain_at_25"
RECIPES = ("aws-similar-items", "aws-sims")
ALL_HISTORIES = {"min_user_history_length_percentile": "0.0", "max_user_history_length_percentile": "1.0"}


def some_events(users: int = 30, items: int = 40, seed: int = 5) -> Events:
    random = np.random.default_rng(seed)
    lengths = random.integers(1, 30, users)
    of_users = np.repeat(np.arange(users, dtype=np.int32), lengths)
    size = len(of_users)
    chosen = random.integers(items, size=size).astype(np.int32)
    return Events(of_users, chosen, np.arange(size), np.ones(size, np.float32), np.arange(size), users, items)


@pytest.mark.parametrize("least", [1, 2])
def test_pairs_are_counted_as_one_would_by_hand(monkeypatch: pytest.MonkeyPatch, least: int) -> None:
    monkeypatch.setattr(pairs, "ITEMS_PER_BLOCK", 7)
    events = some_events()
    together = np.zeros((events.n_items, events.n_items))
    after, near = np.zeros_like(together), np.zeros_like(together)
    for user in range(events.n_users):
        own = events.items[events.users == user]
        for one in set(own):
            for other in set(own) - {one}:
                together[one, other] += 1
        for place, one in enumerate(own):
            for distance, other in enumerate(own[place + 1 : place + 1 + WINDOW]):
                after[one, other] += DECAY**distance * (one != other)
                near[one, other] += (one != other) / (distance + 1)
    near += near.T
    enough = together >= least
    found = pairs.count(events, least, dict.fromkeys(("together", "after", "before", "near"), (0.0, 0.3)))
    assert np.allclose(found["together"].counts.toarray(), together * enough)
    assert np.allclose(found["after"].counts.toarray(), after * enough, atol=1e-4)
    assert np.allclose(found["before"].counts.toarray(), after.T * enough, atol=1e-4)
    assert np.allclose(found["near"].counts.toarray(), near * enough, atol=1e-4)
    assert np.allclose(found["near"].popularity, near.sum(axis=0) + pairs.RARE)
    assert np.allclose(found["after"].popularity, after.sum(axis=0) + pairs.RARE)
    assert np.allclose(found["before"].popularity, after.sum(axis=1) + pairs.RARE)


def test_of_many_pairs_the_strongest_by_any_discount_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "NEIGHBOURS", 5)
    events = some_events()
    one, other, both = (
        pairs.count(events, 1, {"together": some})["together"].counts.toarray() > 0 for some in ((0.0,), (1.0,), (0.0, 1.0))
    )
    assert one.sum(axis=1).max() == other.sum(axis=1).max() == 5
    assert (one != other).any()
    assert np.array_equal(both, one | other)


@pytest.mark.parametrize("name", ["together", "near"])
def test_what_goes_with_the_same_items_is_near_without_ever_coming_together(name: str) -> None:
    rows = [(user, item) for user in range(60) for item in (user % 2, *range(2 + 4 * (user % 2 > 1), 6))]
    users, items = np.array([*rows, *((60 + n, 6 + n % 3) for n in range(60))], np.int32).T
    size = len(users)
    events = Events(users, items, np.arange(size), np.ones(size, np.float32), np.arange(size), 120, 9)
    found = pairs.count(events, 1, {"together": (0.5,), "near": (0.5,)})[name]
    assert found.counts[0, 1] == 0
    values, vectors = pairs.smoothed(found, 3, seed=0)
    near = (vectors * values) @ vectors.T
    assert near[0, 1] > 0.05 > abs(near[0, 7])


def test_earlier_cases_end_where_a_later_one_begins() -> None:
    cases = [Held(0, 0, 18, 20), Held(1, 20, 21, 22)]
    found = with_earlier(cases)
    assert found == [*(Held(0, 0, 18 - by, 20 - by) for by in (0, 2, 4, 6, 8)), Held(1, 20, 21, 22)]
    assert len(with_earlier(cases * 600)) == 1200  # there are enough


def trials_of(seed: int, cases: int = 60, items: int = 80) -> Trials:
    """Cases in which one part puts the item that is wanted and 24 fixed others first, and the other it and 24 of any."""
    random = np.random.default_rng(seed)

    def case() -> Case:
        wanted = int(random.integers(items))
        fixed = (np.arange(items) < 25) * np.float32(0.5)
        other = random.random(items).astype(np.float32) * np.float32(0.5)
        fixed[wanted] = other[wanted] = 1
        return Case(lambda name, setting: fixed if name == "fixed" else other, np.array([], np.int64), np.array([wanted]))

    return Trials([case() for _ in range(cases)], {"fixed": (None,), "other": (None,)})


def test_of_blends_as_good_the_one_that_recommends_more_items_is_taken() -> None:
    trials = trials_of(0)
    start = Blend({"fixed": 1.0, "other": 0.0, AGAIN: SUPPRESS}, dict.fromkeys(("fixed", "other", AGAIN)))
    chosen = choose(trials, start)
    wide = widened(trials, chosen)
    assert chosen == start  # nothing is better
    assert np.array_equal(trials.gains(wide), trials.gains(chosen))
    assert trials.gains_and_coverage(wide)[1] > 1.2 * trials.gains_and_coverage(chosen)[1]
    assert widened(Trials([], trials.options), start) == start


def test_what_is_worse_is_not_taken_for_more_items() -> None:
    trials = trials_of(0)
    wrong = Blend({"fixed": 0.0, "other": 0.0, AGAIN: SUPPRESS}, dict.fromkeys(("fixed", "other", AGAIN)))
    right = wrong.changed("fixed", 1.0, None)
    assert trials.gains(right).mean() > trials.gains(wrong).mean()
    assert trials.gains(widened(trials, right)).mean() == trials.gains(right).mean()


def test_what_follows_an_item_comes_before_what_precedes_it_where_order_tells(tmp_path: Path) -> None:
    """Stories of 40 parts, read in order from anywhere: the next part is what is wanted."""
    random = np.random.default_rng(1)
    rows: list[list[Any]] = []
    for user in range(150):
        begin = int(random.integers(28))
        rows += [[f"u{user}", f"i{begin + place}", START + DAY * place, "Watch", 1.0, "TV"] for place in range(12)]
    data = make_store(tmp_path, {"INTERACTIONS": rows}).training_data()
    for recipe in RECIPES:
        model = train(data, TrainingOptions(recipe)).model
        first = [model.item_ids[i] for i in best(model.scores(Query(item_id="i20")), 3)]
        assert first[0] == "i21"
        assert "i19" not in first[:2]


def test_a_popularity_discount_that_is_set_is_obeyed(tmp_path: Path) -> None:
    data = make_market(tmp_path).training_data()
    counts = np.bincount(data.interactions.items)
    popularity = dict(zip(data.interactions.item_ids, counts, strict=False))

    def popular(discount: str) -> float:
        model = train(data, TrainingOptions("aws-sims", hyperparameters={"popularity_discount_factor": discount})).model
        lists = [best(model.scores(Query(item_id=item)), 5) for item in model.item_ids[:60]]
        return float(np.mean([popularity.get(model.item_ids[i], 0) for listed in lists for i in listed]))

    assert popular("0.0") > popular("1.0")


@pytest.mark.parametrize(
    ("make", "least"), [(lambda: groceries(users=250, items=300), 1.0), (lambda: sessions(users=400, items=600), 0.97)]
)
def test_no_training_is_worse_than_item_knn(tmp_path: Path, make: Callable[[], Planted], least: float) -> None:
    """Asked about the newest item of each test user; what is less than 1 allows for how few there are."""
    store = DatasetStore(tmp_path / "store", write_csvs(make(), tmp_path))
    for kind, file in (("INTERACTIONS", "interactions.csv"), ("ITEMS", "items.csv")):
        with (tmp_path / file).open("rb") as opened:
            store.import_csv(kind, [(file, opened)], "FULL")  # type: ignore[arg-type]
    data = store.training_data()
    with threadpool_limits(1):
        similar, sims, knn = np.mean([draw(data, seed) for seed in range(2)], axis=0)
    assert similar > least * knn
    assert sims > least * knn


def draw(data: TrainingData, seed: int) -> tuple[float, float, float]:
    """NDCG@25 of Similar-Items, SIMS and item-kNN on the same hold-out."""
    found = []
    for recipe in RECIPES:
        options = TrainingOptions(recipe, seed=seed, hyperparameters=ALL_HISTORIES)
        prepared = prepare(data, options)
        trial = try_out(prepared, data, options)
        found.append(ranking_metrics(trial.answers, len(prepared.item_ids))[NDCG])
    held = split(prepared.events, seed)
    training = held.training.matrix()
    training.data[:] = 1
    newest = [int(prepared.events.items[case.hidden - 1]) for case in held.test]
    cells = (np.ones(len(newest)), (np.arange(len(newest)), newest))
    scores = item_knn(training, seed)(sparse.csr_array(cells, shape=(len(newest), prepared.events.n_items)))
    scores[np.arange(len(newest)), newest] = -np.inf
    answers = [Answer(best(row, 25), given.relevant) for row, given in zip(scores, trial.answers, strict=True)]
    return found[0], found[1], ranking_metrics(answers, 1)[NDCG]
