"""Serving over HTTP: an experiment from its answers to its report, and the trained shop while Personalize fails.

The experiment is begun by the override in SSM, which is there before a worker is: the thirty seconds that a running worker
goes on without it pass in tests/unit/test_recommend_outages.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bench import faults
from bench.deployment import CONFIG, Api, deployed, until
from lambdas.recommend.override import overridden
from lambdas.shared.config_file import load_config
from lambdas.shared.deployment import rules_parameter_name
from reco import experiment
from reco.errors import RecoError
from reco.experiment_command import report
from reco.target import Target

USERS = 40
EXPERIMENT = {"name": "brands", "variants": {"as-is": {"weight": 1}, "free": {"weight": 1, "rules": []}}}


def override() -> str:
    """The document that gives the placement `home` its experiment."""
    home = load_config(CONFIG).placements["home"].model_dump(exclude_defaults=True) | {"experiment": EXPERIMENT}
    return json.dumps({"placements": {"home": home}})


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    folder: Path = tmp_path_factory.mktemp("serving")
    with deployed(folder, speed=2000) as target:
        name = rules_parameter_name(target.deployment)
        target.client("ssm").put_parameter(Name=name, Value=override(), Type="String")
        faults.train_shop(target, folder)
        yield target


def from_the_campaign(api: Api, user_id: str) -> dict[str, Any]:
    """The user's list: on a busy machine, a fallback may answer before the campaign does."""
    found: dict[str, Any] = {}

    def asked() -> bool:
        found.update(api.call("GET", f"/recommendations/home?user_id={user_id}")[1])
        return "recommendation_id" in found

    until(asked)
    return found


def test_an_experiment_from_the_answer_to_the_report(shop: Target) -> None:
    """Everybody with the second variant buys what was recommended, and nobody else."""
    config, api = load_config(CONFIG), Api(shop)
    variants = {}
    for n in range(USERS):
        answer = from_the_campaign(api, f"u{n}")
        variants[f"u{n}"] = answer["variant"]
        if answer["variant"] == "free":
            event = {"event_type": "buy", "user_id": f"u{n}", "session_id": f"s{n}", "item_id": answer["items"][0]["item_id"]}
            event["recommendation_id"] = answer["recommendation_id"]
            assert api.call("POST", "/events", {"events": [event]})[0] == 202
    planned = experiment.placements_of(overridden(config, override()), "brands")["home"]
    first = (datetime.now(UTC) - timedelta(days=1)).date()
    text = experiment.statement("brands", ["home"], "buy", first)

    def counted() -> tuple[int, int]:
        try:
            counts, _ = experiment.counts(planned, experiment.run(shop, text, first))
        except RecoError:  # nothing is archived yet
            return 0, 0
        return sum(one.users for one in counts), sum(one.converted for one in counts)

    buyers = sum(variant == "free" for variant in variants.values())
    until(lambda: counted() == (USERS, buyers))
    counts, switched = experiment.counts(planned, experiment.run(shop, text, first))
    assert [(one.variant, one.users, one.clicked, one.converted) for one in counts] == [
        ("as-is", USERS - buyers, 0, 0),
        ("free", buyers, buyers, buyers),
    ]
    assert switched == 0
    assert report(counts, 0)["verdicts"][-1].startswith("free has a better conversion than as-is")


def test_a_ranking_orders_the_items_that_it_was_given(shop: Target) -> None:
    api = Api(shop)
    given = sorted(item["item_id"] for item in from_the_campaign(api, "u1")["items"])
    ranked: dict[str, Any] = {}

    def by_the_campaign() -> bool:
        ranked.update(api.call("POST", "/rankings/search", {"user_id": "u1", "item_ids": given})[1])
        return ranked["source"] == "ranking"

    until(by_the_campaign)
    assert sorted([item["item_id"] for item in ranked["items"]] + ranked["filtered"]) == given
    assert [item["item_id"] for item in ranked["items"]] != given


def test_while_personalize_fails_every_answer_is_full(shop: Target) -> None:
    seen = faults.endure(shop, 300, away_seconds=2)
    assert (seen["requests"], seen["server_errors"], seen["other_statuses"], seen["short_lists"]) == (300, 0, 0, 0)
    assert set(seen["sources"]) == {"for-you", "best-sellers"}
