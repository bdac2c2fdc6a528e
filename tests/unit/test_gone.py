"""What is gone stays gone: over sequences of imports, puts, events, erasures and trainings, with Personalize there and away.

No answer holds an item that is not in the shop, or anything of a user who asked to be forgotten.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from moto.s3.models import s3_backends

from lambdas.batch.load_recommendations import handler as load_recommendations
from lambdas.batch.publish_batch import handler as publish_batch
from lambdas.config.packed import packed_config
from lambdas.ingestion.put_events import handler as put_events
from lambdas.ingestion.put_records import handler as put_records
from lambdas.stores import snapshots
from lambdas.training.deploy_campaigns import handler as deploy_campaigns
from lambdas.training.import_data import handler as import_data
from lambdas.training.prepare_resources import handler as prepare_resources
from lambdas.training.publish_deployment import handler as publish_deployment
from lambdas.training.train_solutions import handler as train_solutions
from tests.harness.deployment import until
from tests.harness.shop_csvs import csv_text, rows
from tests.unit.conftest import Deployment, set_faults
from tests.unit.serving import call, new_worker
from tests.unit.test_erasure import erase
from tests.unit.test_put_events import event, records
from tests.unit.test_put_records import ITEM, message, patch
from tests.unit.test_training import import_request, now, prepare_request

ITEMS, NEW = 60, 5
SOLUTIONS = ["for-you", "ranking", "best-sellers"]
AWAY = [{"operation": f"Get{what}", "action": "error", "rate": 1.0} for what in ("Recommendations", "PersonalizedRanking")]
VERSION = "20260101T000000000Z"
GHOST = "ghost"


class World:
    """The shop as the test believes that it is. Each step happens a minute after the one before."""

    def __init__(self, shop: Deployment, personalize: str) -> None:
        self.shop, self.personalize = shop, personalize
        self.clock = int(time.time() * 1000) - 10 * 86_400_000
        self.items: set[str] = set()
        self.prices: dict[str, Any] = {}
        self.erased: set[str] = {GHOST}
        self.files = ""
        self.numbers = itertools.count(1)

    def import_csv(self, items: set[int]) -> None:
        """A CSV with these items and no others: what was put before is gone if the CSV lacks it."""
        self.files, self.clock = f"{next(self.numbers):08x}", self.clock + 60_000
        self.shop.put_csv("items", csv_text("items", [line for n, line in enumerate(rows()["items"]) if n in items]))
        keys = s3_backends["123456789012"]["global"].buckets[self.shop.bucket].keys
        keys["datasets/items/items.csv"].last_modified = datetime.fromtimestamp(self.clock / 1000, UTC).replace(tzinfo=None)
        self.items = {f"i{n}" for n in items}
        self.prices = {name: float(name[1:]) + 5.5 for name in self.items}
        self.import_again()

    def import_again(self) -> None:
        """Another run with the same CSV."""
        request = import_request(self.shop, "items", files=self.files, run_id=f"run-{next(self.numbers)}")
        self.shop.until_active(import_data.handler, **request)

    def put(self, item: int) -> None:
        self.clock += 60_000
        answer = self.shop.call(put_records.handler, Records=[message("item", f"i{item}", ITEM, self.clock)])
        assert answer == {"batchItemFailures": []}
        self.items.add(f"i{item}")
        self.prices[f"i{item}"] = ITEM["PRICE"]

    def patch(self, item: int) -> None:
        """A new price: an item that the shop does not have does not come back by it."""
        self.clock += 60_000
        change = patch("item", f"i{item}", {"PRICE": item + 0.25}, self.clock)
        assert self.shop.call(put_records.handler, Records=[change]) == {"batchItemFailures": []}
        if f"i{item}" in self.items:
            self.prices[f"i{item}"] = item + 0.25

    def buy(self, user: str, item: int) -> None:
        bought = event(user_id=user, item_id=f"i{item}", event_type="buy")
        assert self.shop.call(put_events.handler, Records=records(bought)) == {"batchItemFailures": []}

    def erase(self, user: str) -> None:
        assert erase(self.shop, user)[0] == 202
        self.erased.add(user)

    def train(self) -> None:
        request = {"solutions": SOLUTIONS, "run_started": now(), "retrain": True}
        trained = self.shop.until_done(train_solutions.handler, **request)
        verdicts = [{"name": made["name"], "arn": made["arn"], "decision": "deploy"} for made in trained]
        deployed = request | {"verdicts": verdicts, "answers": [], "trained": trained}
        campaigns = self.shop.until_done(deploy_campaigns.handler, **deployed)
        run = f"run-{next(self.numbers)}"
        self.shop.call(publish_deployment.handler, run_id=run, resources=self.resources, campaigns=campaigns)
        until(self.snapshots_are_made)

    def snapshots_are_made(self) -> bool:
        """No job of this run or an earlier one will replace a snapshot any more: answers that are compared would come from two."""
        pages = self.shop.client("personalize").get_paginator("list_batch_inference_jobs").paginate()
        return all(job["status"] in ("ACTIVE", "CREATE FAILED") for page in pages for job in page["batchInferenceJobs"])

    @property
    def resources(self) -> list[dict[str, Any]]:
        wanted = [{"kind": "event_tracker"}, *({"kind": "filter", "name": name} for name in self.shop.config.filters)]
        return self.shop.until_done(prepare_resources.handler, resources=wanted)

    def answers(self, user: str) -> list[dict[str, Any]]:
        """What the API answers for a user a while later, when nothing of the caches is left."""
        new_worker()
        ranking = {"user_id": user, "item_ids": [f"i{n}" for n in range(ITEMS + NEW)]}
        asked = [
            call(self.shop, "GET", "/recommendations/home", {"user_id": [user], "num_results": ["500"]}),
            call(self.shop, "GET", "/recommendations/best-sellers", {"num_results": ["500"]}),
            call(self.shop, "GET", f"/batch/for-you/users/{user}", {"num_results": ["500"]}),
            call(self.shop, "POST", "/rankings/search", body=ranking),
        ]
        assert [status for status, _ in asked] == [200] * len(asked), asked
        return [answer for _, answer in asked]

    def check(self, user: str, away: bool) -> None:
        set_faults(self.personalize, AWAY if away else [])
        home, popular, batch, ranked = self.answers(user)
        for answer in (home, popular, batch, ranked):
            assert {item["item_id"] for item in answer["items"]} <= self.items, answer["source"]
            assert "degraded" not in answer
        assert {item["item_id"] for item in ranked["items"]} == self.items, "all that the shop has, and was asked for, is there"
        assert sorted([*ranked["filtered"], *self.items]) == sorted(f"i{n}" for n in range(ITEMS + NEW))
        assert {item["item_id"]: item["attributes"]["PRICE"] for item in ranked["items"]} == self.prices
        assert len(popular["items"]) > 0
        if user in self.erased:
            assert [answer["source"] for answer in (home, batch, ranked)] == ["best-sellers", "best-sellers", "given"]
            assert "recommendation_id" not in home
            assert (home, batch, ranked) == self.as_anybody()
        elif not away:
            assert (home["source"], batch["source"], ranked["source"]) == ("for-you", "batch", "ranking")

    def as_anybody(self) -> tuple[Any, ...]:
        """The answers for a user of whom nothing was ever known."""
        home, popular, batch, ranked = self.answers(GHOST)
        assert not [answer for answer in (home, popular, batch, ranked) if "degraded" in answer]
        return home, batch, ranked


@pytest.fixture
def world(shop: Deployment, personalize_endpoint: str) -> Iterator[World]:
    """The shop, trained, with a list of all items made ahead for every user; no rules, which might hide what is wrong."""
    raw = shop.config.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    raw["solutions"] = {name: raw["solutions"][name] for name in SOLUTIONS}
    raw["filters"] = {"not_bought": raw["filters"]["not_bought"]}
    raw["placements"] = {
        "home": {"solution": "for-you", "filter": "not_bought", "fallback": ["best-sellers"]},
        "best-sellers": {"solution": "best-sellers"},
        "search": {"solution": "ranking"},
    }
    raw["batch"] = {"for-you": {"solution": "for-you", "filter": "not_bought", "fallback": ["best-sellers"], "num_results": 500}}
    shop.pack(raw)
    shop.config = packed_config()
    made = World(shop, personalize_endpoint)
    shop.put_all_csvs()
    shop.until_active(prepare_resources.handler, **prepare_request("dataset_group"))
    for kind in ("interactions", "users"):
        shop.until_active(import_data.handler, **import_request(shop, kind))
    made.import_csv(set(range(ITEMS)))
    made.train()
    until(
        lambda: bool(
            shop.client("s3").list_objects_v2(Bucket=shop.bucket, Prefix=snapshots.output_key("best-sellers"))["KeyCount"]
        )
    )
    make_lists(shop)
    assert erase(shop, GHOST)[0] == 202
    yield made
    set_faults(personalize_endpoint, [])


def make_lists(shop: Deployment) -> None:
    """A batch of lists with every item."""
    items = [f"i{n}" for n in range(ITEMS + NEW)]
    users = [f"u{n}" for n in range(80)]
    lines = [json.dumps({"input": {"userId": user}, "output": {"recommendedItems": items}, "error": None}) for user in users]
    folder, put = f"batch/for-you/{VERSION}", shop.client("s3").put_object
    put(Bucket=shop.bucket, Key=f"{folder}/output/users.json.out", Body="\n".join(lines).encode())
    put(Bucket=shop.bucket, Key=f"{folder}/input.json", Body=json.dumps({"lines": len(lines)}).encode())
    making = {"kind": "batch", "name": "for-you", "version": VERSION}
    expires = round(time.time()) + 86_400
    load = making | {"key": f"{folder}/output/users.json.out", "rejected_prefix": f"{folder}/rejected/", "expires": expires}
    loaded = shop.call(load_recommendations.handler, **load)
    shop.call(publish_batch.handler, making=making, loads=[loaded])


ITEM_SETS = st.sets(st.integers(0, ITEMS - 1), min_size=20)
STEPS = st.one_of(
    st.tuples(st.just("import_csv"), ITEM_SETS),
    st.tuples(st.just("import_again")),
    st.tuples(st.just("put"), st.integers(ITEMS - NEW, ITEMS + NEW - 1)),
    st.tuples(st.just("patch"), st.integers(0, ITEMS + NEW - 1)),
    st.tuples(st.just("buy"), st.sampled_from("ab"), st.integers(0, ITEMS - 1)),
    st.tuples(st.just("erase"), st.sampled_from("ab")),
    st.tuples(st.just("train")),
)
USERS = itertools.count()


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], phases=[Phase.generate]
)  # the users and the history of an example don't come again: there is nothing to shrink
@given(st.lists(st.tuples(STEPS, st.sampled_from("ab"), st.booleans()), min_size=3, max_size=8))
def test_no_answer_holds_what_is_gone(world: World, steps: list[tuple[tuple[Any, ...], str, bool]]) -> None:
    """Each step is followed by the answers for one of two users, while Personalize is there or away."""
    users = {letter: f"u{next(USERS) % 80}" for letter in "ab"}
    world.import_csv(set(range(ITEMS)))
    for (step, *arguments), asking, away in steps:
        getattr(world, step)(
            *(users.get(argument, argument) if isinstance(argument, str) else argument for argument in arguments)
        )
        world.check(users[asking], away)
