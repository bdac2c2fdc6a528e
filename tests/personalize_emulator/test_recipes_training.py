"""What a training gives: metrics, models, failures, and which part of the data it learned from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from personalize_emulator.datasets import TrainingData
from personalize_emulator.recipes import (
    Model,
    Query,
    TrainingFailed,
    TrainingOptions,
    TrainingResult,
    train,
)
from personalize_rules.recipes import RECIPES
from tests.personalize_emulator.market import (
    COLD,
    DAY,
    START,
    USERS,
    genre_of,
    interactions,
    items,
    make_market,
    make_store,
)

NDCG = "normalized_discounted_cumulative_gain_at_25"
RANKING_METRICS = {
    "coverage",
    "mean_reciprocal_rank_at_25",
    *(f"normalized_discounted_cumulative_gain_at_{k}" for k in (5, 10, 25)),
    *(f"precision_at_{k}" for k in (5, 10, 25)),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> TrainingData:
    return make_market(tmp_path_factory.mktemp("market")).training_data()


def fit(data: TrainingData, recipe: str, **options: Any) -> TrainingResult:
    return train(data, TrainingOptions(recipe, **options))


def ranked(model: Model, **query: Any) -> list[str]:
    """What the model recommends, best first."""
    scores = model.scores(Query(**query))
    return [model.ranked_ids[i] for i in np.argsort(-scores, kind="stable") if np.isfinite(scores[i])]


def history(store_data: TrainingData, user: str) -> Any:
    from personalize_emulator.datasets import History

    table = store_data.interactions
    rows = np.flatnonzero(table.user_ids[table.users] == user)
    return History(
        list(table.item_ids[table.items[rows]]),
        table.timestamps[rows].tolist(),
        [table.event_type_names[code] for code in table.event_types[rows]],
        table.event_values[rows].tolist(),
    )


@pytest.mark.parametrize(
    "recipe",
    [
        "aws-user-personalization-v2",
        "aws-user-personalization",
        "aws-personalized-ranking-v2",
        "aws-personalized-ranking",
        "aws-similar-items",
        "aws-sims",
        "aws-popularity-count",
    ],
)
def test_metrics_carry_the_documented_names_and_four_decimals(data: TrainingData, recipe: str) -> None:
    metrics = fit(data, recipe).metrics
    assert set(metrics) == RANKING_METRICS
    assert all(0 <= value <= 1 and value == round(value, 4) for value in metrics.values())


def test_personalization_beats_popularity_where_tastes_differ(data: TrainingData) -> None:
    personal, popular = fit(data, "aws-user-personalization-v2"), fit(data, "aws-popularity-count")
    assert personal.metrics[NDCG] > 1.5 * popular.metrics[NDCG]


def test_the_same_seed_gives_the_same_model_and_another_seed_another_hold_out(data: TrainingData) -> None:
    first, again, other = (fit(data, "aws-user-personalization", seed=seed) for seed in (3, 3, 4))
    query = Query("u1", history=history(data, "u1"))
    assert first.metrics == again.metrics != other.metrics
    assert np.array_equal(first.model.scores(query), again.model.scores(query))


def test_recommendations_follow_the_taste_of_the_history(data: TrainingData) -> None:
    model = fit(data, "aws-user-personalization-v2").model
    for user, genre in (("u0", "Comedy"), ("u1", "Drama")):
        first = ranked(model, user_id=user, history=history(data, user))[:5]
        assert sum(genre_of(item) == genre for item in first) >= 4


def test_whether_items_are_taken_again_is_learned(tmp_path: Path) -> None:
    once = make_market(tmp_path / "films").training_data()
    again = make_market(tmp_path / "groceries", repeats=True).training_data()
    for data, expected in ((once, 0), (again, 3)):
        model = fit(data, "aws-user-personalization").model
        past = history(data, "u7")
        first = ranked(model, user_id="u7", history=past)[:3]
        assert len(set(first) & set(past.item_ids)) == expected


@pytest.mark.parametrize("recipe", ["aws-user-personalization", "aws-user-personalization-v2", "aws-personalized-ranking"])
def test_shares_are_flat_where_nothing_is_to_be_known(tmp_path: Path, recipe: str) -> None:
    """People who take anything at random: no item is nearly certain."""
    random = np.random.default_rng(0)
    rows = [
        [f"u{user}", f"i{item}", START + DAY * place, "Watch", 1.0, "TV"]
        for user in range(100)
        for place, item in enumerate(random.integers(60, size=20))
    ]
    data = make_store(tmp_path, {"INTERACTIONS": rows}).training_data()
    model = fit(data, recipe).model
    scores = model.scores(Query("u1", history=history(data, "u1"))) / model.temperature
    shares = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
    assert shares.max() < 0.1


@pytest.mark.parametrize("recipe", sorted(RECIPES))
def test_a_saved_model_scores_as_before(tmp_path: Path, recipe: str) -> None:
    data = full_market(tmp_path / "data").training_data()
    model = fit(data, recipe).model
    model.save(tmp_path / "model")
    loaded = Model.load(tmp_path / "model")
    query = Query("u3", "i4", history(data, "u3"), {"FAVOURITE": "Comedy"}, {"DEVICE": "TV"})
    assert np.array_equal(model.scores(query), loaded.scores(query))
    assert list(loaded.ranked_ids) == list(model.ranked_ids)
    assert len(model.scores(query)) == len(model.ranked_ids)


def test_a_newcomer_gets_what_is_popular_with_people_of_the_same_attributes(data: TrainingData) -> None:
    model = fit(data, "aws-user-personalization-v2").model
    first = ranked(model, user_id="new", attributes={"FAVOURITE": "Horror"})[:10]
    assert sum(genre_of(item) == "Horror" for item in first) >= 8


def test_context_moves_the_order(data: TrainingData) -> None:
    model = fit(data, "aws-user-personalization-v2").model
    on = {device: ranked(model, user_id="new", context={"DEVICE": device})[:10] for device in ("Phone", "TV")}
    assert all(int(item[1:]) < 45 for item in on["Phone"])
    assert all(int(item[1:]) >= 45 for item in on["TV"])


def test_a_cold_item_gets_its_place_from_metadata_unless_they_are_excluded(data: TrainingData) -> None:
    fan, other = (Query(user, history=history(data, user)) for user in ("u2", "u0"))

    def standing(excluded: dict[Any, frozenset[str]]) -> float:
        model = fit(data, "aws-user-personalization", excluded_columns=excluded).model
        place = model.index[COLD]
        return float(model.scores(fan)[place] - model.scores(other)[place])

    known = standing({})
    unknown = standing({"ITEMS": frozenset({"GENRE", "PRICE"})})
    assert known > 0.5
    assert known > unknown + 0.3


def test_an_event_type_limits_what_is_learned(data: TrainingData) -> None:
    rows = [row for row in interactions() if not (row[1] == "i9" and row[3] == "Watch")]
    assert any(row[1] == "i9" for row in rows)
    table = data.interactions
    watch = table.event_type_names.index("Watch")
    drop = (table.item_ids[table.items] == "i9") & (table.event_types == watch)
    model = fit(without(data, drop), "aws-popularity-count", event_type="watch").model
    assert "i9" not in ranked(model)
    assert "i9" in ranked(fit(without(data, drop), "aws-popularity-count").model)


def test_a_threshold_leaves_out_lower_values(data: TrainingData) -> None:
    high = data.interactions.event_values >= 0.3
    model = fit(data, "aws-popularity-count", event_value_threshold=0.3).model
    expected = fit(without(data, ~high), "aws-popularity-count").model
    assert ranked(model) == ranked(expected)


def test_event_weights_are_measured_by_their_own_metric(data: TrainingData) -> None:
    config = [{"eventType": "Watch", "weight": 0.9}, {"eventType": "Click", "weight": 0.1}]
    metrics = fit(data, "aws-user-personalization-v2", events_config=config).metrics
    weighted = {f"normalized_discounted_cumulative_gain_with_event_weights_at_{k}" for k in (5, 10, 25)}
    assert set(metrics) == RANKING_METRICS | weighted
    only = [{"eventType": "Watch", "weight": 1.0}]
    table = data.interactions
    clicks = table.event_types == table.event_type_names.index("Click")
    expected = fit(without(data, clicks), "aws-user-personalization-v2").metrics
    measured = fit(data, "aws-user-personalization-v2", events_config=only).metrics
    assert {name: measured[name] for name in expected} == expected


def test_an_objective_lifts_dear_items_and_is_measured(data: TrainingData) -> None:
    price = {f"i{n}": float(n) for n in range(90)} | {COLD: 5.0}

    def mean_price(sensitivity: str) -> float:
        objective = {"itemAttribute": "PRICE", "objectiveSensitivity": sensitivity}
        result = fit(data, "aws-user-personalization", optimization_objective=objective)
        assert 0 < result.metrics["average_rewards_at_k"] <= 1
        first = ranked(result.model, user_id="u5", history=history(data, "u5"))[:10]
        return sum(price[item] for item in first) / 10

    assert mean_price("HIGH") > mean_price("LOW") >= mean_price("OFF")


def test_without_recency_old_events_weigh_as_much_as_new_ones(data: TrainingData) -> None:
    old_and_new = history(data, "u0")
    turned = replace(old_and_new, item_ids=["i0", "i3", "i6", "i9", "i12", "i15", "i1", "i4", "i7", "i10", "i13", "i16"])
    turned = replace(turned, timestamps=[0] * 12, event_types=["Watch"] * 12, event_values=[1.0] * 12)

    def share_of_new(hyperparameters: dict[str, str]) -> int:
        model = fit(data, "aws-user-personalization-v2", hyperparameters=hyperparameters).model
        first = ranked(model, user_id="u0", history=turned)[:20]
        return sum(genre_of(item) == "Drama" for item in first)

    assert share_of_new({}) > share_of_new({"apply_recency_bias": "false"})


def test_popularity_counts_people_and_not_events(tmp_path: Path) -> None:
    fan = [["u0", "i77", START + n, "Watch", 1.0, "TV"] for n in range(500)]
    data = make_store(tmp_path, {"INTERACTIONS": interactions() + fan}).training_data()
    assert ranked(fit(data, "aws-popularity-count").model)[0] != "i77"


def test_related_items_share_the_genre(data: TrainingData) -> None:
    for recipe in ("aws-sims", "aws-similar-items"):
        model = fit(data, recipe).model
        near = ranked(model, item_id="i3")
        assert "i3" not in near
        assert sum(genre_of(item) == "Comedy" for item in near[:10]) >= 9
        popular = ranked(fit(data, "aws-popularity-count").model)
        assert ranked(model, item_id="unheard-of")[:5] == popular[:5]


def test_similar_items_knows_a_cold_item_by_its_metadata_and_sims_does_not(data: TrainingData) -> None:
    near = ranked(fit(data, "aws-similar-items").model, item_id=COLD)[:10]
    assert sum(genre_of(item) == "Horror" for item in near) >= 9
    popular = ranked(fit(data, "aws-popularity-count").model)
    assert ranked(fit(data, "aws-sims").model, item_id=COLD)[:10] == popular[:10]


def test_trending_is_what_rises(tmp_path: Path) -> None:
    late = START + 40 * DAY
    steady = [[f"u{n}", "i5", late - 4000 + n, "Watch", 1.0, "TV"] for n in range(40)]
    steady += [[f"u{n}", "i5", late + n, "Watch", 1.0, "TV"] for n in range(40)]
    rising = [[f"u{n}", "i6", late + n, "Watch", 1.0, "TV"] for n in range(30)]
    data = make_store(tmp_path, {"INTERACTIONS": interactions() + steady + rising}).training_data()
    result = fit(data, "aws-trending-now", hyperparameters={"trend_discovery_frequency": "1 hour"})
    assert ranked(result.model)[0] == "i6"
    assert "trend_prediction_accuracy" in result.metrics


def test_trends_follow_new_events_at_an_update(tmp_path: Path) -> None:
    before = make_store(tmp_path / "before", {"INTERACTIONS": interactions()}).training_data()
    model = fit(before, "aws-trending-now").model
    late = START + 40 * DAY
    rising = [[f"u{n}", "brand-new", late + n, "Watch", 1.0, "TV"] for n in range(30)]
    after = make_store(tmp_path / "after", {"INTERACTIONS": interactions() + rising}).training_data()
    assert ranked(model.update(after))[0] == "brand-new"


def test_an_update_adds_new_items_without_moving_the_others(tmp_path: Path, data: TrainingData) -> None:
    model = fit(data, "aws-user-personalization").model
    new = [*items(), ["later", "Drama", 20.0, "A Drama", "Later", START + 17 * DAY]]
    after = make_store(tmp_path, {"INTERACTIONS": interactions(), "ITEMS": new}).training_data()
    updated = model.update(after)
    query = Query("u1", history=history(data, "u1"))
    assert list(updated.ranked_ids) == [*model.ranked_ids, "later"]
    fan = updated.scores(query)[-1]
    assert fan > updated.scores(Query("u0", history=history(data, "u0")))[-1]
    assert "later" not in model.index


def test_segments_hold_the_fans(data: TrainingData) -> None:
    result = fit(data, "aws-item-affinity")
    first = ranked(result.model, item_id="i2")[:15]
    assert sum(int(user[1:]) % 3 == 2 for user in first) >= 14
    had = {user for user, item, *_ in interactions() if item == "i2"}
    assert not had & set(first)  # nobody takes an item twice in this market
    assert set(result.metrics) == {"coverage", "hits_at_1_percent", "recall_at_1_percent"}
    assert len(result.model.ranked_ids) == USERS


def test_semantic_similarity_reads_the_text(data: TrainingData) -> None:
    result = fit(data, "aws-semantic-similarity")
    near = ranked(result.model, item_id="i3")[:10]
    assert sum(genre_of(item) == "Comedy" for item in near) == 10
    assert {"item_popularity", "item_freshness", "item_similarity"} <= set(result.metrics)


def test_semantic_similarity_reads_the_name_of_an_item(tmp_path: Path) -> None:
    rows = [[f"i{n}", "Drama", 1.0, "Alike", "Sequel" if n in (3, 77) else f"Only {n}", START] for n in range(90)]
    data = make_store(tmp_path, {"INTERACTIONS": interactions(), "ITEMS": rows}).training_data()
    assert ranked(fit(data, "aws-semantic-similarity").model, item_id="i3")[0] == "i77"


def test_users_of_the_longest_histories_can_be_left_out(tmp_path: Path) -> None:
    robot = [[f"u{USERS}", f"only-{n % 30}", START + n, "Watch", 1.0, "TV"] for n in range(300)]
    data = make_store(tmp_path, {"INTERACTIONS": interactions() + robot}).training_data()
    with_robot, without_robot = (
        fit(data, "aws-sims", hyperparameters={"max_user_history_length_percentile": share, "min_cointeraction_count": "1"}).model
        for share in ("1.0", "0.99")
    )
    assert ranked(with_robot, item_id="only-1")[0].startswith("only-")
    assert not ranked(without_robot, item_id="only-1")[0].startswith("only-")


def test_an_action_has_no_propensity_before_fifty_of_each_outcome(tmp_path: Path) -> None:
    data = full_market(tmp_path).training_data()
    result = fit(data, "aws-next-best-action")
    model = result.model
    fan, other = (model.scores(Query(user, history=history(data, user))) for user in ("u0", "u1"))
    comedy, rare = (list(model.ranked_ids).index(name) for name in ("comedy-pass", "rare"))
    assert fan[comedy] > 0.5 > other[comedy] > 0
    assert fan[rare] == other[rare] == 0
    assert result.metrics["area_under_curve"] > 0.7


def test_too_little_data_is_said_in_the_words_of_the_service(tmp_path: Path) -> None:
    few_users = [["u1", f"i{n % 50}", START + n, "Watch", 1.0, "TV"] for n in range(1200)]
    data = make_store(tmp_path, {"INTERACTIONS": few_users}).training_data()
    with pytest.raises(TrainingFailed, match="fewer than 25 users with at least 2 interactions each"):
        fit(data, "aws-user-personalization-v2")
    with pytest.raises(TrainingFailed, match="fewer than 1000 interactions"):
        fit(data, "aws-user-personalization-v2", event_type="Purchase")


def test_what_a_recipe_needs_and_does_not_find_fails_the_training(tmp_path: Path) -> None:
    data = make_store(tmp_path, {"INTERACTIONS": interactions()}).training_data()
    for recipe in ("aws-semantic-similarity", "aws-next-best-action", "aws-item-attribute-affinity"):
        with pytest.raises(TrainingFailed, match="needs"):
            fit(data, recipe)


def test_progress_grows(data: TrainingData) -> None:
    seen: list[float] = []
    train(data, TrainingOptions("aws-sims"), lambda stage, fraction: seen.append(fraction))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def without(data: TrainingData, drop: Any) -> TrainingData:
    """The data without some interactions."""
    table, keep = data.interactions, ~drop
    return replace(
        data,
        interactions=replace(
            table,
            users=table.users[keep],
            items=table.items[keep],
            timestamps=table.timestamps[keep],
            event_types=table.event_types[keep],
            event_values=table.event_values[keep],
            columns={name: column.take(keep) for name, column in table.columns.items()},
        ),
    )


def full_market(directory: Path) -> Any:
    """With actions: comedy fans take the pass and others do not; the rare one was hardly ever shown."""
    events = [[f"u{n}", "comedy-pass", "Taken" if n % 3 == 0 else "Not Taken", START + n] for n in range(USERS)]
    events += [[f"u{n}", "comedy-pass", "Taken", START + n + 500] for n in range(0, USERS, 3)]
    events += [["u1", "rare", "Taken", START]]
    views = interactions()
    for row in views:
        row[3] = "View" if row[3] == "Click" else row[3]
    purchases = [[*row[:3], "Purchase", *row[4:]] for row in views]
    return make_store(
        directory,
        {
            "INTERACTIONS": views + purchases,
            "ITEMS": items(),
            "ACTIONS": [["comedy-pass", 1, "pass", None, 7], ["rare", 1, "other", START, None]],
            "ACTION_INTERACTIONS": events,
        },
    )
