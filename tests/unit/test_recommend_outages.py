"""Serving while Personalize, the catalogue or the snapshot are away: full lists wherever there are enough items, never an error."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambdas.recommend import breaker, catalogue, override, sources
from lambdas.shared import config, deployment, recent_items
from lambdas.shared.config import parse_config
from tests.unit.conftest import Deployment
from tests.unit.serving import ITEMS, OUTAGES, Campaign, call, home, later, put_snapshot


@pytest.mark.parametrize("outage", [*OUTAGES, "slow"])
def test_an_outage_is_answered_from_the_snapshot(away: Deployment, outage: str) -> None:
    assert home(away, num_results="10")[1]["source"] == "for-you"
    Campaign.outage = outage
    status, answer = home(away, num_results="10")
    assert (status, answer["source"], answer["returned"]) == (200, "best-sellers", 10)
    assert "recommendation_id" not in answer
    assert all(item["attributes"]["STOCK"] > 0 for item in answer["items"]), "the local twin of the filter and the rule hold"


def test_a_campaign_that_keeps_failing_is_left_alone_for_a_while(away: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "FIRST_PAUSE", 1000.0)
    Campaign.outage = "throttled"
    assert [home(away)[0] for _ in range(12)] == [200] * 12
    assert len(Campaign.asked) == breaker.THRESHOLD
    Campaign.outage = None
    assert home(away)[1]["source"] == "best-sellers"


def test_after_the_pause_a_campaign_is_asked_again(away: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "FIRST_PAUSE", 0.0)
    Campaign.outage = "throttled"
    assert [home(away)[0] for _ in range(12)] == [200] * 12
    Campaign.outage = None
    assert home(away)[1]["source"] == "for-you"


def test_a_short_list_is_asked_for_again_and_filled_up(away: Deployment) -> None:
    Campaign.items = [f"i{n}" for n in range(12)]
    _, answer = home(away, num_results="15")
    assert (answer["source"], answer["returned"]) == ("for-you", 15)
    assert {item.get("source") for item in answer["items"]} == {None, "best-sellers"}
    assert Campaign.asked[0]["numResults"] == 23
    dropped, crowded = [0, 7, 14, 21, 28], [5, 10, 15, 20]
    Campaign.items = [f"i{n}" for n in [*dropped, *crowded, *(set(range(ITEMS)) - {*dropped, *crowded})]]
    Campaign.asked = []
    assert home(away, num_results="6")[1]["returned"] == 6
    assert [asked["numResults"] for asked in Campaign.asked] == [9, 500]


def test_recent_items_are_left_out_whoever_answers(away: Deployment) -> None:
    recent_items.keep([("u1", "buy", "i1", time.time()), ("u1", "buy", "i1", time.time() - 60)])
    for outage in (None, "broken"):
        Campaign.outage = outage
        assert "i1" not in {item["item_id"] for item in home(away)[1]["items"]}
        assert "i1" in {item["item_id"] for item in home(away, user_id="u2")[1]["items"]}


def test_explain_says_what_each_rule_did(away: Deployment) -> None:
    _, answer = home(away, explain="true", num_results="10")
    told = {effect["rule"]: effect for effect in answer["explain"]}
    assert list(told) == away.config.placements["home"].rules
    assert told["sold_out"]["dropped"] == ["i0", "i7", "i14"]


def test_without_anybody_the_answer_is_empty_and_still_an_answer(away: Deployment) -> None:
    Campaign.outage = "broken"
    status, answer = call(away, "GET", "/recommendations/category", {"user_id": ["u1"], "category": ["c1"]})
    assert (status, answer["source"], answer["items"], answer["returned"]) == (200, "none", [], 0)


def test_a_ranking_falls_back_to_the_order_as_given(away: Deployment) -> None:
    Campaign.outage = "broken"
    status, answer = call(away, "POST", "/rankings/search", body={"user_id": "u1", "item_ids": ["i9", "i7", "i3"]})
    assert (status, answer["source"], answer["filtered"]) == (200, "given", ["i7"])
    assert [item["item_id"] for item in answer["items"]] == ["i9", "i3"]


def test_rules_change_by_the_override_and_a_broken_one_changes_nothing(
    away: Deployment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("lambdas.recommend.override.CACHE_SECONDS", 0.0)
    name = deployment.rules_parameter_name(away.config.name)

    def put(text: str) -> None:
        away.client("ssm").put_parameter(Name=name, Value=text, Type="String", Overwrite=True)

    put(json.dumps({"rules": {"few_of_a_brand": {"cap": {"by": "BRAND", "at_most": 1}}}}))
    assert home(away)[1]["returned"] == 5
    capsys.readouterr()
    for broken in ('{"rules": {"few_of_a_brand": {"cap": {"by": "BRANT", "at_most": 9}}}}', "{", '{"filters": {}}', "[]"):
        put(broken)
        assert home(away)[1]["returned"] == 5
        assert '"RulesOverrideBroken":[1' in capsys.readouterr().out
    away.client("ssm").delete_parameter(Name=name)
    assert home(away)[1]["returned"] == 20


def test_a_running_worker_takes_in_the_override_within_a_minute(away: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home(away)[1]["returned"] == 20
    document = json.dumps({"rules": {"few_of_a_brand": {"cap": {"by": "BRAND", "at_most": 1}}}})
    away.client("ssm").put_parameter(Name=deployment.rules_parameter_name(away.config.name), Value=document, Type="String")
    assert home(away)[1]["returned"] == 20, "SSM is not asked with each call"
    later(monkeypatch, override, 60)
    assert home(away)[1]["returned"] == 5


RULES = [
    {"drop": {"attribute": "STOCK", "below": 3}},
    {"drop": {"attribute": "BRAND", "equals": "b1"}},
    {"boost": {"attribute": "CATEGORY", "equals": "c2", "factor": 3}},
    {"pin": {"item": "i13", "position": 2}},
    {"diversify": {"by": ["CATEGORY"]}},
    {"cap": {"by": "CATEGORY", "at_most": 4}},
]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rules=st.lists(st.sampled_from(RULES), max_size=4, unique_by=json.dumps),
    campaign=st.lists(st.integers(0, ITEMS - 1), unique=True),
    popular=st.lists(st.integers(0, ITEMS - 1), unique=True, min_size=1),
    outage=st.sampled_from([None, *OUTAGES]),
    wanted=st.integers(1, 25),
    filtered=st.booleans(),
)
def test_as_many_items_as_there_are_come_back(
    away: Deployment, rules: list[Any], campaign: list[int], popular: list[int], outage: str | None, wanted: int, filtered: bool
) -> None:
    """Over random catalogues, rules and outages: N distinct items that satisfy every rule if N are eligible, else all of them."""
    raw = away.config.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    raw["rules"], raw["batch"] = {f"rule_{n}": rule for n, rule in enumerate(rules)}, {}
    raw["placements"] = {"home": {"solution": "for-you", "rules": list(raw["rules"]), "fallback": ["best-sellers"]}}
    raw["placements"]["home"] |= {"filter": "in_stock"} if filtered else {}
    parse_config(raw)
    away.packed.write_text(json.dumps(raw))
    config.packed_config.cache_clear()
    for kept in (breaker, catalogue, override, sources):
        kept.forget()
    Campaign.items, Campaign.outage = [f"i{n}" for n in campaign if n % 7 or not filtered], outage
    put_snapshot(away, [f"i{n}" for n in popular])
    status, answer = home(away, num_results=str(wanted))
    eligible = {n for n in (set() if outage else set(campaign)) | set(popular) if n % 7 or not filtered}
    eligible -= {n for n in eligible if (RULES[0] in rules and n % 7 < 3) or (RULES[1] in rules and n % 5 == 1)}
    room = 4 if RULES[5] in rules else ITEMS
    most = sum(min(room, sum(n % 3 == category for n in eligible)) for category in range(3))
    got = [int(item["item_id"][1:]) for item in answer["items"]]
    assert (status, answer["returned"], len(set(got))) == (200, min(wanted, most), min(wanted, most))
    assert set(got) <= eligible
    assert all(sum(n % 3 == category for n in got) <= room for category in range(3))
    if RULES[3] in rules and wanted >= 2 and 13 in eligible and 13 in got:
        assert got.index(13) == min(1, len(got) - 1)
