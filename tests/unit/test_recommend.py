"""The serving function behind its front door: API Gateway events in, HTTP answers out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambdas.aws.signed import SignedObjects
from lambdas.stores import snapshots
from lambdas.training.deploy_campaigns import handler as deploy_campaigns
from lambdas.training.import_data import handler as import_data
from lambdas.training.prepare_resources import handler as prepare_resources
from lambdas.training.publish_deployment import handler as publish_deployment
from lambdas.training.train_solutions import handler as train_solutions
from tests.harness.waiting import eventually
from tests.unit.conftest import Deployment
from tests.unit.serving import call
from tests.unit.test_training import STARTED, import_request, prepare_request, train_request


@pytest.fixture
def serving(shop: Deployment) -> Deployment:
    """The shop with all campaigns and filters deployed."""
    shop.put_all_csvs()
    shop.until_active(prepare_resources.handler, **prepare_request("dataset_group"))
    for kind in ("interactions", "items", "users"):
        shop.until_active(import_data.handler, **import_request(shop, kind))
    wanted = [{"kind": "event_tracker"}, *({"kind": "filter", "name": name} for name in shop.config.filters)]
    resources = shop.until_done(prepare_resources.handler, resources=wanted)
    solutions = list(shop.config.solutions)
    trained = shop.until_done(train_solutions.handler, **train_request("for-you", solutions=solutions))
    verdicts = [{"name": made["name"], "arn": made["arn"], "decision": "deploy"} for made in trained]
    request = {"run_started": STARTED, "verdicts": verdicts, "answers": [], "trained": trained}
    campaigns = shop.until_done(deploy_campaigns.handler, **request)
    shop.call(publish_deployment.handler, run_id="run-1", resources=resources, campaigns=campaigns)
    return shop


def test_the_serving_api(serving: Deployment) -> None:
    """Campaigns cost a minute to train: all that needs them is asked of one deployment."""
    answers_hold_what_the_contract_says(serving)
    filters_apply(serving)
    rankings_keep_every_item(serving)
    bad_requests_name_the_field(serving)
    the_popular_list_is_kept_as_a_file(serving)


def answers_hold_what_the_contract_says(serving: Deployment) -> None:
    status, answer = call(serving, "GET", "/recommendations/home", {"user_id": ["u1"], "num_results": ["7"]})
    assert status == 200, answer
    assert (answer["placement"], answer["source"], answer["requested"], answer["returned"]) == ("home", "for-you", 7, 7)
    assert answer["recommendation_id"].startswith("RID-")
    assert len({item["item_id"] for item in answer["items"]}) == 7
    assert answer["items"][0]["attributes"]["TITLE"].startswith("Item ")
    assert answer["items"][0]["score"] >= answer["items"][-1]["score"] > 0
    status, answer = call(serving, "GET", "/recommendations/home", {"user_id": ["nobody"]})
    assert (status, answer["returned"]) == (200, 20)


def filters_apply(serving: Deployment) -> None:
    _, home = call(serving, "GET", "/recommendations/home", {"user_id": ["u2"]})
    assert all(item["attributes"]["STOCK"] > 0 for item in home["items"])
    _, toys = call(serving, "GET", "/recommendations/category", {"user_id": ["u2"], "CATEGORY": ["toys"]})
    assert {item["attributes"]["CATEGORY"][0] for item in toys["items"]} == {"toys"}
    _, two = call(serving, "GET", "/recommendations/category", {"user_id": ["u2"], "category": ["toys", "garden"]})
    assert {item["attributes"]["CATEGORY"][0] for item in two["items"]} == {"toys", "garden"}
    _, related = call(serving, "GET", "/recommendations/item-page", {"item_id": ["i4"]})
    assert {item["attributes"]["CATEGORY"][0] for item in related["items"]} == {"kitchen"}
    assert "i4" not in {item["item_id"] for item in related["items"]}


def rankings_keep_every_item(serving: Deployment) -> None:
    asked = [f"i{n}" for n in range(20)]
    status, answer = call(serving, "POST", "/rankings/search", body={"user_id": "u1", "item_ids": asked})
    assert status == 200, answer
    out_of_stock = [f"i{n}" for n in range(20) if n % 7 == 0]
    assert answer["filtered"] == out_of_stock
    assert sorted([item["item_id"] for item in answer["items"]] + out_of_stock) == sorted(asked)


def bad_requests_name_the_field(serving: Deployment) -> None:
    home, ranking = "/recommendations/home", "/rankings/search"
    cases: list[tuple[int, str, str, str, dict[str, list[str]] | None, Any]] = [
        (400, "user_id", "GET", home, None, None),
        (400, "num_results", "GET", home, {"user_id": ["u1"], "num_results": ["0"]}, None),
        (400, "num_results", "GET", home, {"user_id": ["u1"], "num_results": ["many"]}, None),
        (400, "user_id", "GET", home, {"user_id": ["u" * 257]}, None),
        (400, "user_id", "GET", home, {"user_id": ["u1", "u2"]}, None),
        (400, "colour", "GET", home, {"user_id": ["u1"], "colour": ["red"]}, None),
        (400, "category", "GET", "/recommendations/category", {"user_id": ["u1"]}, None),
        (400, "CATEGORY", "GET", "/recommendations/category", {"user_id": ["u1"], "CATEGORY": ['a"b']}, None),
        (400, "item_id", "GET", "/recommendations/item-page", {"user_id": ["u1"]}, None),
        (400, "placement", "GET", "/recommendations/search", {"user_id": ["u1"]}, None),
        (404, "placement", "GET", "/recommendations/nowhere", {"user_id": ["u1"]}, None),
        (400, "placement", "POST", "/rankings/home", None, {"user_id": "u1", "item_ids": ["i1"]}),
        (400, "body", "POST", ranking, None, "{not json"),
        (400, "body", "POST", ranking, None, "[]"),
        (400, "item_ids", "POST", ranking, None, {"user_id": "u1", "item_ids": []}),
        (400, "item_ids", "POST", ranking, None, {"user_id": "u1", "item_ids": ["i1"] * 501}),
        (400, "item_ids.1", "POST", ranking, None, {"user_id": "u1", "item_ids": ["i1", 5]}),
        (400, "user_id", "POST", ranking, None, {"item_ids": ["i1"]}),
        (400, "colour", "POST", ranking, None, {"user_id": "u1", "item_ids": ["i1"], "colour": "red"}),
    ]
    for status, field, method, path, query, body in cases:
        answered, said = call(serving, method, path, query, body)
        assert (answered, said["error"].get("field")) == (status, field), (path, query, body, said)
        assert said["error"]["code"]
        assert "arn:" not in json.dumps(said)


def the_popular_list_is_kept_as_a_file(serving: Deployment) -> None:
    """Deploying started the batch job; its output is what fallbacks are served from."""
    wanted = {"Bucket": serving.bucket, "Prefix": snapshots.output_key("best-sellers")}
    eventually(lambda: serving.client("s3").list_objects_v2(**wanted)["KeyCount"])
    popular = snapshots.read_snapshot(SignedObjects(), serving.bucket, "best-sellers")
    assert len(set(popular)) == len(popular) > 20


def test_before_the_first_train_run_the_api_says_so(shop: Deployment) -> None:
    status, said = call(shop, "GET", "/recommendations/home", {"user_id": ["u1"]})
    assert (status, said["error"]["code"]) == (503, "not_deployed")
