"""Business rules through the API: pinned items that no source has, items that are named by their id, items that are gone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambdas.config import ConfigError
from lambdas.config.validation import parse_config
from lambdas.stores import recent_items
from tests.unit.conftest import Deployment
from tests.unit.serving import ITEMS, OUTAGES, Campaign, call, home, new_worker, put_item, put_snapshot

HERO = {"pin": {"item": "i13", "position": 1}}
#: Ids that sources may still bring and that the shop has no more.
GONE = 5


def deploy(shop: Deployment, rules: dict[str, Any], **placement: Any) -> None:
    """Let the placement `home` have these rules, in a new worker."""
    raw = shop.config.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    home = {"solution": "for-you", "fallback": ["best-sellers"], "rules": list(rules)} | placement
    raw |= {
        "api": {},
        "storefront": None,
        "rules": rules,
        "batch": {},
        "placements": {"home": home, "search": {"solution": "ranking", "rules": list(rules)}},
    }
    parse_config(raw)
    shop.pack(raw)
    new_worker()


def told(answer: dict[str, Any], rule: str) -> dict[str, Any]:
    return next(effect for effect in answer["explain"] if effect["rule"] == rule)


def only(shop: Deployment, *items: int) -> None:
    """Let no source have any other items."""
    Campaign.items = [f"i{n}" for n in items]
    put_snapshot(shop, Campaign.items)


def test_a_pinned_item_comes_from_the_catalogue(away: Deployment) -> None:
    deploy(away, {"hero": HERO})
    only(away, 1, 2, 3)
    for outage in (None, "broken"):
        Campaign.outage = outage
        _, answer = home(away, explain="true", num_results="3")
        assert [item["item_id"] for item in answer["items"]] == ["i13", "i1", "i2"]
        assert answer["items"][0]["source"] == "pin"
        assert answer["items"][0]["attributes"]["BRAND"] == "b3"
        assert answer["source"] == ("best-sellers" if outage else "for-you")
        assert (told(answer, "hero")["added"], told(answer, "hero")["refused"]) == (["i13"], {})


def test_a_pinned_item_stands_there_though_no_source_answers(away: Deployment) -> None:
    deploy(away, {"hero": HERO}, fallback=[])
    Campaign.outage = "broken"
    _, answer = home(away)
    assert (answer["source"], [item["item_id"] for item in answer["items"]]) == ("pin", ["i13"])


def test_a_pin_that_may_not_stand_says_why(away: Deployment) -> None:
    recent_items.keep([("u1", "buy", "i4", 2_000_000_000.0)])
    rules = {
        "sold_out": {"drop": {"attribute": "STOCK", "equals": 0}},
        "bought": {"drop_recent": {"event_types": ["buy"]}},
        "one_of_each": {"cap": {"by": "CATEGORY", "at_most": 1}},
        "first": {"pin": {"item": "i13", "position": 1}},
        "same_place": {"pin": {"item": "i5", "position": 1}, "when": {"context": "A", "equals": "b"}},
        "twice": {"pin": {"item": "i13", "position": 2}},
        "capped": {"pin": {"item": "i16", "position": 3}},
        "unknown": {"pin": {"item": "i99", "position": 4}},
        "empty": {"pin": {"item": "i14", "position": 5}},
        "had": {"pin": {"item": "i4", "position": 6}},
        "too_far": {"pin": {"item": "i8", "position": 500}},
    }
    deploy(away, rules, filter="not_bought")
    only(away, 1, 2, 3, 5, 8)
    _, answer = home(away, explain="true", **{"context.A": "b"})
    refused = {effect["rule"]: effect["refused"] for effect in answer["explain"] if effect["refused"]}
    assert refused == {
        "same_place": {"i5": "'i13' is pinned to the same place"},
        "twice": {"i13": "it is pinned to another place"},
        "capped": {"i16": "the rule 'one_of_each' has no room for it"},
        "unknown": {"i99": "it is not in the catalogue"},
        "empty": {"i14": "the rule 'sold_out' drops it"},
        "had": {"i4": "the filter 'not_bought' takes it out"},
        "too_far": {"i8": "the answer has 25 places"},
    }
    assert answer["items"][0]["item_id"] == "i13"


def test_the_filter_of_the_placement_holds_for_pinned_items(away: Deployment) -> None:
    deploy(away, {"hero": {"pin": {"item": "i14", "position": 1}}}, filter="in_stock", fallback=[])
    only(away, 1, 2)
    _, answer = home(away, explain="true")
    assert [item["item_id"] for item in answer["items"]] == ["i1", "i2"]
    assert told(answer, "hero")["refused"] == {"i14": "the filter 'in_stock' takes it out"}


def test_a_filter_that_only_personalize_can_apply_and_a_pin_do_not_go_together(away: Deployment) -> None:
    raw = away.config.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    raw["filters"]["adults"] = "INCLUDE ItemID WHERE Items.STOCK > 0 IF CurrentUser.AGE > 18"
    home = {"solution": "for-you", "filter": "adults"}
    raw |= {"api": {}, "storefront": None, "rules": {"hero": HERO}, "batch": {}, "placements": {"home": home}}
    parse_config(raw)
    raw["placements"]["home"]["rules"] = ["hero"]
    with pytest.raises(ConfigError, match=r"placements\.home\.filter: 'adults' can't be applied to pinned items"):
        parse_config(raw)


def test_a_ranking_gets_no_items_that_it_was_not_given(away: Deployment) -> None:
    deploy(away, {"hero": HERO})
    body = {"user_id": "u1", "item_ids": ["i9", "i3"], "explain": True}
    _, answer = call(away, "POST", "/rankings/search", body=body)
    assert [item["item_id"] for item in answer["items"]] == ["i9", "i3"]
    assert told(answer, "hero")["refused"] == {"i13": "it is not among the given items"}
    _, answer = call(away, "POST", "/rankings/search", body=body | {"item_ids": ["i9", "i13"]})
    assert [item["item_id"] for item in answer["items"]] == ["i13", "i9"]


def test_the_item_of_the_call_is_not_pinned_beside_itself(away: Deployment) -> None:
    deploy(away, {"hero": HERO}, solution="related")
    for item_id, first in (("i1", "i13"), ("i13", "i0")):
        _, answer = call(away, "GET", "/recommendations/home", {"item_id": [item_id], "num_results": ["5"]})
        assert answer["items"][0]["item_id"] == first


def test_rules_can_name_items_by_their_id(away: Deployment) -> None:
    rules = {
        "recalled": {"drop": {"attribute": "ITEM_ID", "one_of": ["i1", "i2"]}},
        "push": {"boost": {"attribute": "ITEM_ID", "equals": "i5", "factor": 100}},
    }
    deploy(away, rules)
    for outage in (None, "broken"):
        Campaign.outage = outage
        _, answer = home(away, num_results="4")
        assert [item["item_id"] for item in answer["items"]] == ["i5", "i0", "i3", "i4"]


def test_what_the_shop_has_no_more_is_in_no_answer(away: Deployment) -> None:
    deploy(away, {})
    only(away, 98, 1, 99, 2, 3)
    for outage in (None, "broken"):
        Campaign.outage = outage
        assert [item["item_id"] for item in home(away)[1]["items"]] == ["i1", "i2", "i3"]
        _, ranked = call(away, "POST", "/rankings/search", body={"user_id": "u1", "item_ids": ["i99", "i1"]})
        assert ([item["item_id"] for item in ranked["items"]], ranked["filtered"]) == (["i1"], ["i99"])
    put_item(away, "i99", STOCK=1)
    new_worker()
    assert [item["item_id"] for item in home(away)[1]["items"]] == ["i1", "i99", "i2", "i3"]


def test_an_item_that_is_named_twice_does_not_cost_the_attributes_of_all(away: Deployment) -> None:
    """The item of the page is among what fills the list, too; DynamoDB takes each key once."""
    deploy(away, {}, solution="related", filter="same_category")
    Campaign.outage = "broken"
    _, answer = call(away, "GET", "/recommendations/home", {"item_id": ["i1"], "num_results": ["5"]})
    assert {item["attributes"]["CATEGORY"][0] for item in answer["items"]} == {"c1"}
    assert "degraded" not in answer


def test_texts_that_are_no_numbers_sort_as_texts(away: Deployment) -> None:
    deploy(away, {"sorted": {"sort": {"by": "BRAND"}}, "ten": {"drop": {"attribute": "BRAND", "at_least": 10}}})
    for item_id, brand in {"i1": "nan", "i2": "9", "i3": "1_0", "i4": "-1", "i5": "1e0"}.items():
        put_item(away, item_id, BRAND=brand)
    only(away, 1, 2, 3, 4, 5)
    _, answer = home(away)
    assert [item["attributes"]["BRAND"] for item in answer["items"]] == ["-1", "1e0", "9", "1_0", "nan"]


def pinned(item: int, position: int) -> dict[str, Any]:
    return {"pin": {"item": f"i{item}", "position": position}}


DROPPING: list[dict[str, Any]] = [
    {"drop": {"attribute": "STOCK", "below": 3}},
    {"drop": {"attribute": "BRAND", "equals": "b1"}},
    {"drop": {"attribute": "ITEM_ID", "one_of": ["i2", "i3", "i13"]}},
]
CAP: dict[str, Any] = {"cap": {"by": "CATEGORY", "at_most": 4}}
ORDERING: list[dict[str, Any]] = [
    {"boost": {"attribute": "CATEGORY", "equals": "c2", "factor": 3}},
    {"boost": {"attribute": "ITEM_ID", "equals": "i7", "factor": 30}},
    {"diversify": {"by": ["CATEGORY"]}},
]
PINS = st.lists(
    st.builds(pinned, st.sampled_from([0, 7, 13, 13, 14, 20, 21, ITEMS + 1]), st.integers(1, 6)),
    max_size=3,
    unique_by=lambda rule: rule["pin"]["position"],
)


def dropped(n: int, rules: list[dict[str, Any]]) -> bool:
    """The dropping rules, read once more."""
    told = (n % 7 < 3, n % 5 == 1, n in (2, 3, 13))
    return any(rule in rules and meets for rule, meets in zip(DROPPING, told, strict=True))


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rules=st.lists(st.sampled_from([*DROPPING, *ORDERING, CAP]), max_size=4, unique_by=json.dumps),
    pins=PINS,
    campaign=st.lists(st.integers(0, ITEMS + GONE - 1), unique=True),
    popular=st.lists(st.integers(0, ITEMS + GONE - 1), unique=True, min_size=1),
    without_named=st.booleans(),
    outage=st.sampled_from([None, None, *OUTAGES]),
    wanted=st.integers(1, 25),
    filtered=st.booleans(),
)
def test_as_many_items_as_there_are_come_back(
    away: Deployment,
    rules: list[Any],
    pins: list[Any],
    campaign: list[int],
    popular: list[int],
    without_named: bool,
    outage: str | None,
    wanted: int,
    filtered: bool,
) -> None:
    """N distinct items of the shop that satisfy every rule if there are N, else all; pinned ones wherever they may be.

    Half of the time, no source holds what a rule names. Some of what the sources hold, the shop has no more.
    """
    all_rules = {f"rule_{n}": rule for n, rule in enumerate([*rules, *pins])}
    deploy(away, all_rules, **({"filter": "in_stock"} if filtered else {}))
    named = {7, 2, 3, 13} | {int(rule["pin"]["item"][1:]) for rule in pins} if without_named else set()
    brought = [[n for n in found if n not in named and (n % 7 or not filtered)] for found in (campaign, popular)]
    Campaign.items, Campaign.outage = [f"i{n}" for n in brought[0]], outage
    put_snapshot(away, [f"i{n}" for n in popular if n not in named])
    status, answer = home(away, num_results=str(wanted), explain="true")

    def eligible(n: int) -> bool:
        return n < ITEMS and not dropped(n, rules) and bool(n % 7 or not filtered)

    room = 4 if CAP in rules else ITEMS
    placed: dict[int, int] = {}
    for name, rule in all_rules.items():
        if "pin" not in rule:
            continue
        n, position = int(rule["pin"]["item"][1:]), rule["pin"]["position"]
        crowded = sum(other % 3 == n % 3 for other in placed.values()) >= room
        stands = eligible(n) and position <= wanted and n not in placed.values() and not crowded
        placed |= {position: n} if stands else {}
        effect = told(answer, name)
        assert (effect["added"], list(effect["refused"])) == (([f"i{n}"], []) if stands else ([], [f"i{n}"])), effect
    possible = {n for n in (set() if outage else set(brought[0])) | set(brought[1]) if eligible(n)} | set(placed.values())
    most = sum(min(room, sum(n % 3 == category for n in possible)) for category in range(3))
    got = [int(item["item_id"][1:]) for item in answer["items"]]
    assert (status, answer["returned"], len(set(got))) == (200, min(wanted, most), min(wanted, most))
    assert set(got) <= possible
    assert all(sum(n % 3 == category for n in got) <= room for category in range(3))
    line = [n for n in got if n not in placed.values()]
    for position in sorted(placed):
        line.insert(position - 1, placed[position])
    assert got == line
