"""The answers of a deployed model, over datasets that were imported and change by recorded events."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from personalize_emulator.datasets import DatasetStore
from personalize_emulator.errors import InvalidInput
from personalize_emulator.filters import CompiledFilter
from personalize_emulator.recipes import TrainingOptions, train
from personalize_emulator.runtime import (
    Promotion,
    Serving,
    infer_line,
    rank,
    recommend,
    recommend_actions,
    segment_line,
)
from personalize_rules.filters import parse_filter
from tests.personalize_emulator.market import COLD, DAY, START, USERS, genre_of, interactions, items, make_market, make_store

NOW = START + 30 * DAY


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> DatasetStore:
    return make_market(tmp_path_factory.mktemp("market"))


@pytest.fixture(scope="module")
def servings(store: DatasetStore) -> Mapping[str, Serving]:
    class Trained(dict[str, Serving]):
        def __missing__(self, recipe: str) -> Serving:
            self[recipe] = serving = Serving(train(store.training_data(), TrainingOptions(recipe)).model, store)
            return serving

    return Trained()


def compiled(serving: Serving, expression: str, kind: Any = "ITEMS") -> CompiledFilter:
    store = serving.store
    return CompiledFilter(parse_filter(expression), serving.model.ranked_ids, store.entities(kind), store)


def ids(answer: Mapping[str, Any]) -> list[str]:
    return [entry["itemId"] for entry in answer["itemList"]]


def test_an_answer_has_as_many_items_as_asked_and_shares_that_fall(servings: Mapping[str, Serving]) -> None:
    answer = recommend(servings["aws-user-personalization-v2"], {"userId": "u1", "numResults": 90}, now=NOW)
    assert len(set(ids(answer))) == 90
    assert answer["recommendationId"].startswith("RID-")
    assert len(answer["recommendationId"]) == 40
    scores = [entry["score"] for entry in answer["itemList"]]
    assert scores == sorted(scores, reverse=True)
    assert len(recommend(servings["aws-user-personalization-v2"], {"userId": "u1"}, now=NOW)["itemList"]) == 25


def test_the_scores_of_all_items_sum_to_one(servings: Mapping[str, Serving]) -> None:
    answer = recommend(servings["aws-user-personalization"], {"userId": "u1", "numResults": 500}, now=NOW)
    assert len(answer["itemList"]) == 91
    assert sum(entry["score"] for entry in answer["itemList"]) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("recipe", ["aws-similar-items", "aws-sims", "aws-popularity-count"])
def test_recipes_without_scores(servings: Mapping[str, Serving], recipe: str) -> None:
    answer = recommend(servings[recipe], {"userId": "u1", "itemId": "i3"}, now=NOW)
    assert all(set(entry) == {"itemId"} for entry in answer["itemList"])


def test_events_change_the_next_answer_of_that_user_alone(tmp_path: Path) -> None:
    store = make_market(tmp_path)
    serving = Serving(train(store.training_data(), TrainingOptions("aws-user-personalization-v2")).model, store)

    def horrors(user: str) -> int:
        return sum(genre_of(item) == "Horror" for item in ids(recommend(serving, {"userId": user}, now=NOW))[:10])

    before, other = horrors("u0"), horrors("u1")
    for number, item in enumerate(("i2", "i5", "i8")):
        event = {"eventType": "Watch", "sentAt": NOW + number, "itemId": item, "properties": '{"device": "TV"}'}
        store.put_events({"sessionId": "s", "userId": "u0", "eventList": [event]}, NOW + number)
    assert horrors("u0") > before
    assert horrors("u1") == other


def test_a_filter_leaves_only_what_it_lets_through(servings: Mapping[str, Serving]) -> None:
    serving = servings["aws-user-personalization"]
    only = compiled(serving, "INCLUDE ItemID WHERE Items.GENRE IN ($GENRE)")
    request = {"userId": "u1", "numResults": 50, "filterValues": {"GENRE": '"Horror"'}}
    found = ids(recommend(serving, request, compiled_filter=only, now=NOW))
    assert len(found) == 31
    assert {genre_of(item) for item in found} == {"Horror"}
    with pytest.raises(InvalidInput):
        recommend(serving, {"userId": "u1"}, compiled_filter=only, now=NOW)


def test_promoted_items_take_their_share_and_keep_their_order(servings: Mapping[str, Serving]) -> None:
    serving = servings["aws-user-personalization-v2"]
    dear = compiled(serving, "INCLUDE ItemID WHERE Items.PRICE > 80")
    cheap = compiled(serving, "INCLUDE ItemID WHERE Items.PRICE < 60")
    request = {"userId": "u1", "numResults": 20}
    answer = recommend(serving, request, compiled_filter=cheap, promotion=Promotion("dear", 25, dear), now=NOW)["itemList"]
    promoted = [entry for entry in answer if entry.get("promotionName") == "dear"]
    assert len(answer) == 20
    assert len(promoted) == 5
    assert all(int(entry["itemId"][1:]) > 80 and entry["reason"] == ["Promoted item"] for entry in promoted)
    assert [e["score"] for e in promoted] == sorted((e["score"] for e in promoted), reverse=True)
    few = Promotion("few", 100, compiled(serving, "INCLUDE ItemID WHERE Items.PRICE > 87"))
    answer = recommend(serving, request, promotion=few, now=NOW)["itemList"]
    assert sum("promotionName" in entry for entry in answer) == 2
    assert len({entry["itemId"] for entry in answer}) == 20


def test_exploration_shows_new_items_as_often_as_its_weight_says(servings: Mapping[str, Serving]) -> None:
    serving = servings["aws-user-personalization"]

    def explored(weight: str, days: str) -> int:
        config = {"itemExplorationConfig": {"explorationWeight": weight, "explorationItemAgeCutOff": days}}
        campaign = Serving(serving.model, serving.store, config)
        answers = [recommend(campaign, {"userId": f"u{n}", "numResults": 5}, now=NOW) for n in range(0, USERS, 3)]
        return sum(COLD in ids(answer) for answer in answers)

    assert explored("0.0", "5") == explored("1.0", "1") == 0
    assert 0 < explored("0.1", "5") < explored("1.0", "5") == USERS // 3


def test_the_answer_stays_the_same_within_an_hour(servings: Mapping[str, Serving]) -> None:
    serving = servings["aws-user-personalization"]
    first, second = (recommend(serving, {"userId": "u4"}, now=NOW + seconds) for seconds in (0, 60))
    assert ids(first) == ids(second)
    assert first["recommendationId"] != second["recommendationId"]


def test_metadata_come_as_text_where_they_are_enabled(servings: Mapping[str, Serving]) -> None:
    request = {"userId": "u1", "numResults": 3, "metadataColumns": {"ITEMS": ["GENRE", "PRICE"]}}
    answer = recommend(servings["aws-user-personalization-v2"], request, now=NOW)
    for entry in answer["itemList"]:
        price = 5.0 if entry["itemId"] == COLD else float(entry["itemId"][1:])
        assert entry["metadata"] == {"GENRE": genre_of(entry["itemId"]), "PRICE": str(price)}
    first_version = servings["aws-user-personalization"]
    with pytest.raises(InvalidInput, match="enableMetadataWithRecommendations"):
        recommend(first_version, request, now=NOW)
    config = {"enableMetadataWithRecommendations": True}
    enabled = Serving(first_version.model, first_version.store, config)
    assert "metadata" in recommend(enabled, request, now=NOW)["itemList"][0]


@pytest.mark.parametrize(
    ("recipe", "request_", "message"),
    [
        ("aws-user-personalization-v2", {}, "userId"),
        ("aws-sims", {"userId": "u1"}, "itemId"),
        ("aws-user-personalization-v2", {"userId": "u1", "numResults": 501}, "numResults"),
        (
            "aws-user-personalization-v2",
            {"userId": "u1", "numResults": 51, "metadataColumns": {"ITEMS": ["GENRE"]}},
            "50",
        ),
        ("aws-user-personalization-v2", {"userId": "u1", "metadataColumns": {"ITEMS": ["NONE"]}}, "NONE"),
        ("aws-user-personalization-v2", {"userId": "u1", "metadataColumns": {"USERS": ["A"]}}, "ITEMS"),
        ("aws-personalized-ranking", {"userId": "u1"}, "GetRecommendations is not supported"),
        ("aws-item-affinity", {"itemId": "i1"}, "GetRecommendations is not supported"),
    ],
)
def test_a_request_that_cannot_be_answered_says_why(
    servings: Mapping[str, Serving], recipe: str, request_: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        recommend(servings[recipe], request_, now=NOW)


def test_a_ranking_holds_the_given_items_with_unknown_ones_last(servings: Mapping[str, Serving]) -> None:
    serving = servings["aws-personalized-ranking-v2"]
    given = ["unknown", "i1", "i2", "i3", COLD]
    answer = rank(serving, {"userId": "u0", "inputList": given}, now=NOW)["personalizedRanking"]
    assert {entry["itemId"] for entry in answer} == set(given)
    assert answer[-2:] == [{"itemId": "unknown"}, {"itemId": COLD}]
    assert sum(entry["score"] for entry in answer[:3]) == pytest.approx(1.0, abs=1e-5)
    comedies = compiled(serving, 'INCLUDE ItemID WHERE Items.GENRE IN ("Comedy")')
    request = {"userId": "u0", "inputList": given}
    filtered = rank(serving, request, compiled_filter=comedies, now=NOW)["personalizedRanking"]
    assert [entry["itemId"] for entry in filtered] == ["i3"]
    no_comedies = compiled(serving, 'EXCLUDE ItemID WHERE Items.GENRE IN ("Comedy")')
    filtered = rank(serving, request, compiled_filter=no_comedies, now=NOW)["personalizedRanking"]
    assert {entry["itemId"] for entry in filtered} == set(given) - {"i3"}
    with pytest.raises(InvalidInput, match="not supported"):
        rank(servings["aws-sims"], request, now=NOW)


def test_popular_items_fill_up_what_a_filter_leaves_of_a_large_catalogue(tmp_path: Path) -> None:
    many = [[f"n{n}", "Rare" if n % 10 == 0 else "Drama", float(n % 90), "new", "New", START] for n in range(3000)]
    store = make_store(tmp_path, {"INTERACTIONS": interactions(), "ITEMS": [*items(), *many]})
    serving = Serving(train(store.training_data(), TrainingOptions("aws-user-personalization-v2")).model, store)
    rare = compiled(serving, 'INCLUDE ItemID WHERE Items.GENRE IN ("Rare")')
    request = {"userId": "u1", "numResults": 300}
    answer = recommend(serving, request, compiled_filter=rare, now=NOW)["itemList"]
    assert len({entry["itemId"] for entry in answer}) == 300
    placeholders = [entry for entry in answer if entry.get("reason") == ["Popular item"]]
    assert placeholders
    assert all("score" not in entry for entry in placeholders)


def test_a_use_case_drops_what_the_user_bought(tmp_path: Path) -> None:
    rows = [[*row[:3], "Purchase" if n % 5 == 0 else "View", *row[4:]] for n, row in enumerate(interactions())]
    store = make_store(tmp_path, {"INTERACTIONS": rows})
    serving = Serving(train(store.training_data(), TrainingOptions("aws-ecomm-recommended-for-you")).model, store)
    bought = {row[1] for row in rows if row[0] == "u8" and row[3] == "Purchase"}
    viewed = {row[1] for row in rows if row[0] == "u8" and row[3] == "View"} - bought
    found = set(ids(recommend(serving, {"userId": "u8", "numResults": 500}, now=NOW)))
    assert not bought & found
    assert viewed <= found


def test_expired_actions_and_repeated_ones_are_left_out(tmp_path: Path) -> None:
    taken = [[f"u{n}", "pass", "Taken" if n % 2 else "Not Taken", START + n] for n in range(USERS)]
    rows = [["pass", 1, "a", None, 7], ["old", 1, "a", START + DAY, None], ["open", 1, "a", None, None]]
    tables: Any = {"INTERACTIONS": interactions(), "ACTIONS": rows, "ACTION_INTERACTIONS": taken}
    store = make_store(tmp_path, tables)
    serving = Serving(train(store.training_data(), TrainingOptions("aws-next-best-action")).model, store)

    def actions(user: str, days: int) -> set[str]:
        answer = recommend_actions(serving, {"userId": user}, now=START + days * DAY)
        return {entry["actionId"] for entry in answer["actionList"]}

    assert actions("u1", 0) == {"old", "open"}
    assert actions("u2", 0) == {"pass", "old", "open"}
    assert actions("u1", 8) == {"pass", "open"}


def test_batch_lines_of_each_recipe(servings: Mapping[str, Serving]) -> None:
    line = infer_line(servings["aws-user-personalization"], '{"userId": "u1"}', num_results=4, now=NOW)
    assert line["input"] == {"userId": "u1"}
    assert line["error"] is None
    assert len(line["output"]["recommendedItems"]) == len(line["output"]["scores"]) == 4
    line = infer_line(servings["aws-sims"], '{"itemId": "i3"}', num_results=4, now=NOW)
    assert set(line["output"]) == {"recommendedItems"}
    text = '{"userId": "u0", "itemList": ["i1", "i3"]}'
    line = infer_line(servings["aws-personalized-ranking"], text, now=NOW)
    assert sorted(line["output"]["recommendedItems"]) == ["i1", "i3"]


@pytest.mark.parametrize("text", ['{"itemId": "i1"}', "no json", "[]", '{"userId": 7}', '{"userId": ""}', "null"])
def test_a_bad_batch_line_becomes_a_record_with_its_error(servings: Mapping[str, Serving], text: str) -> None:
    line = infer_line(servings["aws-user-personalization"], text, now=NOW)
    assert line["output"] == {"recommendedItems": []}
    assert line["error"].startswith("User error: ")


def test_segments_by_item_and_by_attributes(servings: Mapping[str, Serving]) -> None:
    line = segment_line(servings["aws-item-affinity"], '{"itemId": "i2"}', num_results=10, now=NOW)
    assert sum(int(user[1:]) % 3 == 2 for user in line["output"]["usersList"]) >= 9
    serving = servings["aws-item-attribute-affinity"]
    text = json.dumps({"itemAttributes": 'ITEMS.genre = "Drama" AND ITEMS.PRICE = 4'})
    line = segment_line(serving, text, num_results=10, now=NOW)
    assert sum(int(user[1:]) % 3 == 1 for user in line["output"]["usersList"]) >= 9
    fans = compiled(serving, 'INCLUDE UserID WHERE Users.FAVOURITE IN ("Comedy")', "USERS")
    line = segment_line(serving, text, compiled_filter=fans, now=NOW)
    assert {int(user[1:]) % 3 for user in line["output"]["usersList"]} == {0}
    for bad in ("ITEMS.GENRE > 3", 'ITEMS.NONE = "x"', "ITEMS.DESCRIPTION = 1", ""):
        line = segment_line(serving, json.dumps({"itemAttributes": bad}), now=NOW)
        assert line["output"] == {"usersList": []}
        assert line["error"].startswith("User error: ")
