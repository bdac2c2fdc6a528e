"""Strange but well-formed requests to what is really there: answered or refused, never an internal failure."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from personalize_emulator.quotas import Quotas
from tests.personalize_emulator.conftest import NewClient
from tests.personalize_emulator.journey import Client
from tests.personalize_emulator.requests import send

RECIPES = (
    "aws-user-personalization-v2",
    "aws-user-personalization",
    "aws-personalized-ranking-v2",
    "aws-similar-items",
    "aws-sims",
    "aws-popularity-count",
    "aws-trending-now",
)
FILTERS = (
    'EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("*")',
    "INCLUDE ItemID WHERE Items.GENRES IN ($GENRE) AND Items.PRICE < $PRICE",
    "INCLUDE ItemID WHERE Items.GENRES IN CurrentItem.GENRES",
    "EXCLUDE ItemID WHERE Items.GENRES IN ($GENRE) IF CurrentUser.AGE > $AGE",
)
SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
texts = st.sampled_from(["u1", "i1", "i2", "nobody", "\u00e9\u4e2d", " ", '"', "'; --", "a" * 256]) | st.text(max_size=10)


@pytest.fixture(scope="module")
def everything(new_client: NewClient) -> dict[str, Any]:
    client: Client = new_client(quotas=Quotas(campaigns_per_dataset_group=20, put_records_per_second=10_000))
    group = client.loaded_group("fuzz")
    solutions = {recipe: client.solution(group, recipe, recipe) for recipe in RECIPES}
    versions = [client.personalize.create_solution_version(solutionArn=s)["solutionVersionArn"] for s in solutions.values()]
    for version in versions:
        client.wait(version)
    config = {"enableMetadataWithRecommendations": True}
    return {
        "client": client,
        "tracker": client.tracker(group, "fuzz"),
        "campaigns": [client.campaign(v, f"fuzz-{n}", campaignConfig=config) for n, v in enumerate(versions)],
        "filters": [client.filter(group, f"fuzz-{n}", text) for n, text in enumerate(FILTERS)],
        "items": "arn:aws:personalize:us-east-1:123456789012:dataset/fuzz/ITEMS",
    }


def test_recommendations(everything: dict[str, Any]) -> None:
    endpoint = everything["client"].endpoint
    values = st.dictionaries(
        st.sampled_from(["GENRE", "PRICE", "AGE", "x"]),
        st.sampled_from(['"Drama"', '"Drama","Comedy"', "5", '"5"', "", '"', "$GENRE", '"*"', "1e999", "nan"]) | texts,
        max_size=4,
    )
    filters = st.sampled_from(everything["filters"])
    promotion = st.fixed_dictionaries(
        {},
        optional={
            "name": st.just("p"),
            "percentPromotedItems": st.integers(1, 100),
            "filterArn": filters,
            "filterValues": values,
        },
    )
    requests = st.fixed_dictionaries(
        {"campaignArn": st.sampled_from(everything["campaigns"])},
        optional={
            "userId": texts,
            "itemId": texts,
            "numResults": st.integers(0, 600),
            "filterArn": filters,
            "filterValues": values,
            "context": st.dictionaries(st.sampled_from(["EVENT_TYPE", "DEVICE"]), texts, max_size=2),
            "promotions": st.lists(promotion, max_size=1),
            "metadataColumns": st.just({"ITEMS": ["GENRES"]}) | st.just({"ITEMS": ["NOTHING"]}) | st.just({}),
            "inputList": st.lists(texts, max_size=10),
        },
    )

    @given(requests)
    @SETTINGS
    def check(request: dict[str, Any]) -> None:
        for name in ("GetRecommendations", "GetPersonalizedRanking", "GetActionRecommendations"):
            status, answer = send(endpoint, name, request)
            assert status in (200, 400, 404), answer

    check()


def test_events(everything: dict[str, Any]) -> None:
    endpoint = everything["client"].endpoint
    properties = st.sampled_from(
        ['{"eventValue": 3}', '{"itemId": "i3"}', "{}", "[]", "no json", '{"userId": "x"}', '{"a": null}', '"x"', "1"]
    )
    event = st.fixed_dictionaries(
        {"eventType": texts, "sentAt": st.just(time.time()) | st.floats(-1e12, 1e12) | st.integers(-5, 5)},
        optional={
            "itemId": texts,
            "eventId": texts,
            "eventValue": st.floats(allow_nan=False, width=32),
            "properties": properties,
            "impression": st.lists(texts, min_size=1, max_size=3),
        },
    )

    @given(st.lists(event, min_size=1, max_size=3), texts, st.none() | texts, properties)
    @SETTINGS
    def check(events: list[Any], session: str, user: str | None, item_properties: str) -> None:
        request = {"trackingId": everything["tracker"], "sessionId": session, "userId": user, "eventList": events}
        assert send(endpoint, "PutEvents", request)[0] in (200, 400)
        item = {"itemId": session or "x", "properties": item_properties}
        assert send(endpoint, "PutItems", {"datasetArn": everything["items"], "items": [item]})[0] in (200, 400)
        for campaign in everything["campaigns"]:
            asked = {"campaignArn": campaign, "userId": user or session or "u1", "itemId": session}
            assert send(endpoint, "GetRecommendations", asked)[0] in (200, 400)

    check()


def test_filters(everything: dict[str, Any]) -> None:
    client = everything["client"]
    words = st.sampled_from(
        [
            *("INCLUDE", "EXCLUDE", "ItemID", "UserID", "WHERE", "AND", "OR", "IF", "NOT", "IN", "|", "(", ")", ","),
            *("Items.GENRES", "Items.PRICE", "Interactions.EVENT_TYPE", "CurrentUser.AGE", "CurrentItem.PRICE"),
            *('"Drama"', '"*"', "$G", "5", "-1.5", "<", "<=", "=", "!=", "Items.", ".", '"', "\n", "\u00e9"),
        ]
    )

    @given(st.lists(words, min_size=1, max_size=25).map(" ".join) | st.text(min_size=1, max_size=60))
    @SETTINGS
    def check(expression: str) -> None:
        request = {
            "name": "no name/",
            "datasetGroupArn": "arn:aws:personalize:us-east-1:123456789012:dataset-group/fuzz",
            "filterExpression": expression,
        }
        assert send(client.endpoint, "CreateFilter", request)[0] == 400
        request["name"] = f"f{time.monotonic_ns()}"
        status, answer = send(client.endpoint, "CreateFilter", request)
        assert status in (200, 400), answer
        if status == 200:
            client.wait(answer["filterArn"])
            client.personalize.delete_filter(filterArn=answer["filterArn"])

    check()


def test_a_schema_is_refused_by_the_rule_it_breaks(everything: dict[str, Any]) -> None:
    values = st.recursive(
        st.sampled_from(["record", "Items", "string", "ITEM_ID", "null", "long", True, None, 1]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["type", "name", "fields", "categorical", "version"]), inner, max_size=4)
        ),
        max_leaves=10,
    )

    @given(values)
    @SETTINGS
    def check(value: Any) -> None:
        request = {"name": f"s{time.monotonic_ns()}", "schema": json.dumps(value)}
        status, answer = send(everything["client"].endpoint, "CreateSchema", request)
        assert status == 400
        assert answer["__type"] == "InvalidInputException"

    check()
