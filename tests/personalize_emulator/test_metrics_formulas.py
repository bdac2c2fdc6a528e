"""The metrics against figures worked out by hand and the example of the documentation."""

import numpy as np
import pytest

from personalize_emulator.metrics import (
    Answer,
    area_under_curve,
    average_rewards,
    ranking_metrics,
    segment_metrics,
    weighted_gain_metrics,
)


def answer(recommended: list[int], relevant: dict[int, float]) -> Answer:
    return Answer(np.array(recommended), relevant)


def test_the_example_of_the_documentation() -> None:
    """Hits at the second and fifth place of five: NDCG 0.6241."""
    found = ranking_metrics([answer([1, 2, 3, 4, 5], {2: 1.0, 5: 1.0})], 10)
    assert found["normalized_discounted_cumulative_gain_at_5"] == pytest.approx(0.6241, abs=1e-4)
    assert found["mean_reciprocal_rank_at_25"] == 0.5
    assert found["precision_at_5"] == 0.4
    assert found["coverage"] == 0.5


def test_perfect_and_missed_users_are_averaged() -> None:
    found = ranking_metrics([answer([1, 2], {1: 1.0, 2: 1.0}), answer([3, 4], {9: 1.0})], 4)
    assert found["normalized_discounted_cumulative_gain_at_25"] == pytest.approx(0.5)
    assert found["mean_reciprocal_rank_at_25"] == 0.5
    assert found["precision_at_25"] == pytest.approx(2 / 25 / 2)
    assert found["coverage"] == 1.0


def test_more_relevant_items_than_places_can_still_be_perfect() -> None:
    found = ranking_metrics([answer(list(range(25)), dict.fromkeys(range(40), 1.0))], 40)
    assert found["normalized_discounted_cumulative_gain_at_5"] == pytest.approx(1.0)
    assert found["normalized_discounted_cumulative_gain_at_25"] == pytest.approx(1.0)


def test_a_hit_on_a_heavier_event_gains_more() -> None:
    name = "normalized_discounted_cumulative_gain_with_event_weights_at_5"
    heavy = weighted_gain_metrics([answer([1, 9], {1: 1.5, 2: 0.5})])[name]
    light = weighted_gain_metrics([answer([2, 9], {1: 1.5, 2: 0.5})])[name]
    ideal = 1.5 + 0.5 / np.log2(3)
    assert heavy == pytest.approx(1.5 / ideal)
    assert light == pytest.approx(0.5 / ideal)


def test_average_rewards_is_the_share_held_by_the_most_rewarding() -> None:
    rewards = np.arange(60, dtype=float)
    assert average_rewards([answer(list(range(50)), {49: 1.0})], rewards) == 1.0
    assert average_rewards([answer(list(range(50)), {49: 1.0, 1: 1.0})], rewards) == pytest.approx(49 / 50)
    assert average_rewards([answer([1, 2], {9: 1.0})], rewards) == 0.0


def test_segments_count_takers_among_the_first_hundredth() -> None:
    found = segment_metrics([(np.arange(200), frozenset({0, 5})), (np.arange(200)[::-1], frozenset({199}))], 200)
    assert found == {"coverage": 4 / 200, "hits_at_1_percent": 1.0, "recall_at_1_percent": 0.75}


def test_area_under_curve() -> None:
    positive = np.array([True, True, False, False])
    assert area_under_curve(np.array([0.9, 0.8, 0.2, 0.1]), positive) == 1.0
    assert area_under_curve(np.array([0.5, 0.5, 0.5, 0.5]), positive) == 0.5
    assert area_under_curve(np.array([0.5, 0.1]), np.array([True, True])) == 0.5
