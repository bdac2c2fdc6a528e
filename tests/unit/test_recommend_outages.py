"""Serving while Personalize, the catalogue or the snapshot are away: full lists wherever there are enough items, never an error."""

from __future__ import annotations

import json
import time

import pytest

from lambdas.serving.recommend import breaker, override
from lambdas.stores import deployment, recent_items
from tests.unit.conftest import Deployment
from tests.unit.serving import ITEMS, OUTAGES, Campaign, Relay, call, home, later


@pytest.mark.parametrize("outage", [*OUTAGES, "slow"])
def test_an_outage_is_answered_from_the_snapshot(away: Deployment, outage: str) -> None:
    assert home(away, num_results="10")[1]["source"] == "for-you"
    Campaign.outage = outage
    status, answer = home(away, num_results="10")
    assert (status, answer["source"], answer["returned"]) == (200, "best-sellers", 10)
    assert "recommendation_id" not in answer
    assert all(item["attributes"]["STOCK"] > 0 for item in answer["items"]), "the local filter and the rule hold"


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


def test_no_words_of_a_client_are_in_the_log(
    away: Deployment, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A service repeats in its errors what it was given, and a client may put the id of a user into a name."""
    Campaign.outage = "refused"
    status, answer = home(away, user_id="hidden-user", **{"context.hidden_name": "hidden-value"})
    assert (status, answer["source"]) == (200, "best-sellers")
    status, answer = home(away, **{"context.hidden-name@example.com": "x"})
    assert (status, answer["error"]["field"]) == (400, "context.hidden-name@example.com")
    logged = capsys.readouterr().out + "".join(str(vars(record)) for record in caplog.records if record.name != "werkzeug")
    assert "GetRecommendations: InvalidInputException" in logged
    assert "hidden" not in logged


def test_rules_change_by_the_override_and_a_broken_one_changes_nothing(
    away: Deployment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("lambdas.serving.recommend.override.CACHE_SECONDS", 0.0)
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
    later(monkeypatch, 60)
    assert home(away)[1]["returned"] == 5


def refuses(ssm: Relay, calls: int) -> None:
    """SSM throttles the next calls."""
    throttled = iter([(400, {"__type": "ThrottlingException", "message": "Rate exceeded"})] * calls)
    ssm.instead = lambda operation, given: next(throttled, None)


STRICT = json.dumps({"rules": {"few_of_a_brand": {"cap": {"by": "BRAND", "at_most": 1}}}})


def put_strict(away: Deployment, ssm: Relay) -> None:
    away.client("ssm").put_parameter(Name=deployment.rules_parameter_name(away.config.name), Value=STRICT, Type="String")
    ssm.calls.clear()


def test_a_new_worker_reads_both_documents_in_one_call(away: Deployment, ssm: Relay) -> None:
    """SSM answers 40 calls a second by default, and workers that scale out begin together."""
    put_strict(away, ssm)
    assert home(away)[1]["returned"] == 5
    assert home(away)[1]["returned"] == 5
    assert [operation for operation, _ in ssm.calls] == ["GetParameters"]


def test_a_new_worker_that_is_throttled_asks_again_before_it_serves_without_the_operators_rules(
    away: Deployment, ssm: Relay
) -> None:
    put_strict(away, ssm)
    refuses(ssm, 2)
    assert home(away)[1]["returned"] == 5
    assert [operation for operation, _ in ssm.calls] == ["GetParameters"] * 3


def test_a_worker_without_the_document_counts_it_and_looks_again_soon(
    away: Deployment, ssm: Relay, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put_strict(away, ssm)
    refuses(ssm, 3)
    capsys.readouterr()
    assert home(away)[1]["returned"] == 20
    assert '"RulesOverrideUnread":[1' in capsys.readouterr().out
    later(monkeypatch, override.AGAIN_SECONDS)
    assert home(away)[1]["returned"] == 5
