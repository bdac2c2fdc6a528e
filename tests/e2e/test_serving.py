"""Serving over HTTP: an experiment from its answers to its report, a pinned item, and the trained shop while Personalize fails.

The experiment and the pin are begun by the override in SSM, which is there before a worker is: the thirty seconds that a running worker
goes on without it pass in tests/unit/test_recommend_outages.py.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from bench import faults
from lambdas.config.file import load_config
from lambdas.serving.recommend.override import overridden
from lambdas.stores.deployment import rules_parameter_name
from reco.commands.experiment import report
from reco.errors import RecoError
from reco.experiments import archive
from reco.experiments.statistics import compare, critical
from reco.target import DATA, Target
from tests.e2e.conftest import CommandLine
from tests.harness.deployment import CONFIG, Api, deployed, patient_shop, until

USERS = 40
HERO = "i11"
EXPERIMENT = {"name": "brands", "variants": {"as-is": {"weight": 1}, "free": {"weight": 1, "rules": []}}}


def override() -> str:
    """The document that gives the placement `home` its experiment, and a placement of its own to a pin."""
    home = load_config(CONFIG).placements["home"].model_dump(exclude_defaults=True)
    hero = {"pin": {"item": HERO, "position": 1}}
    placements = {"home": home | {"experiment": EXPERIMENT}, "window": home | {"rules": ["hero", *home["rules"]]}}
    return json.dumps({"rules": {"hero": hero}, "placements": placements})


@pytest.fixture(scope="module")
def checkout(shop: Target, folder: Path) -> CommandLine:
    """The command line where it finds the shop."""
    (folder / DATA).symlink_to(folder / "aws")
    return CommandLine(folder)


@pytest.fixture(scope="module")
def shop(folder: Path) -> Iterator[Target]:
    """Its function starts from a snapshot: the other end-to-end tests have one that does not."""
    raw = patient_shop() | {"serving": {"snap_start": True}}
    with deployed(folder, 2000, raw) as target:
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


def test_answers_are_those_of_the_published_version(shop: Target) -> None:
    """The APIs call the alias, which no permission of the function's own would do for."""
    name = f"{shop.deployment}_recommend"
    alias = shop.client("lambda").get_alias(FunctionName=name, Name="live")
    assert alias["FunctionVersion"] == "1"
    from_the_campaign(Api(shop), "u1")
    logs = shop.client("logs")

    def versions() -> set[str]:
        lines = [event["message"] for event in logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]]
        return {line.rsplit(" ", 1)[-1] for line in lines if line.startswith("START")}

    until(lambda: bool(versions()))
    assert versions() == {"1"}


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
    planned = archive.placements_of(overridden(config, override()), "brands")["home"]
    first = (datetime.now(UTC) - timedelta(days=1)).date()
    text = archive.statement("brands", ["home"], "buy", first)

    def counted() -> tuple[int, int]:
        try:
            counts, _ = archive.counts(planned, archive.run(shop, text, first))
        except RecoError:  # nothing is archived yet
            return 0, 0
        return sum(one.users for one in counts), sum(one.converted for one in counts)

    buyers = sum(variant == "free" for variant in variants.values())
    until(lambda: counted() == (USERS, buyers))
    counts, switched = archive.counts(planned, archive.run(shop, text, first))
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


def test_a_pinned_item_stands_first_for_everybody(shop: Target) -> None:
    """It is in few lists of its own accord. Only who has just bought it does not get it, and the answer says so."""
    api, first = Api(shop), 0
    for n in range(80):
        answer = api.call("GET", f"/recommendations/window?user_id=u{n}&num_results=5&explain=true")[1]
        hero = next(effect for effect in answer["explain"] if effect["rule"] == "hero")
        if hero["refused"]:
            assert hero["refused"] == {HERO: "the rule 'just_bought' drops it"}
        else:
            assert (answer["items"][0]["item_id"], hero["added"]) == (HERO, [HERO])
            first += answer["items"][0].get("source") == "pin"
    assert first > 40, "most lists would not have it"


def test_a_smaller_arm_needs_more_users_than_an_equal_split(shop: Target, checkout: CommandLine) -> None:
    """The command's promise of nine to one, of an archive in which a tenth more buy with the smaller arm."""
    raw = yaml.safe_load(CONFIG.read_text())
    raw["placements"]["home"]["experiment"] = {"name": "uneven", "variants": {"as-is": {"weight": 9}, "free": {"weight": 1}}}
    (checkout.folder / "uneven.yaml").write_text(yaml.safe_dump(raw))
    lines, now = [], datetime.now(UTC)
    for n in range(2000):
        variant, buys = ("as-is", n % 10 == 1) if n < 1800 else ("free", n % 25 < 3)
        at, who = int(now.timestamp() * 1000), {"user_id": f"x{n}"}
        shown = {"experiment": "uneven", "variant": variant, "placement": "home"}
        lines.append({"kind": "exposure", "received_at": at, "id": f"s{n}", "body": shown | who})
        if buys:
            lines.append({"kind": "event", "received_at": at + 1000, "id": f"b{n}", "body": {"event_type": "buy"} | who})
    body = gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode())
    key = f"events/year={now:%Y}/month={now:%m}/day={now:%d}/hour={now:%H}/uneven.gz"
    shop.client("s3").put_object(Bucket=shop.output("storage", "DataBucket"), Key=key, Body=body)
    told = checkout.json("experiment", "uneven", "--event-type", "buy", "--config", "uneven.yaml")
    assert [(one["users"], one["converted"]) for one in told["variants"]] == [(1800, 180), (200, 24)]
    (conversion,) = [one for one in told["comparisons"] if one["outcome"] == "converted"]
    more, dice = conversion["more_users"], np.random.default_rng(3)
    assert f"About {more:,} more users are needed" in told["verdicts"][-1]
    users = (1800 + round(0.9 * more), 200 + round(0.1 * more))
    drawn = zip(dice.binomial(users[0], 0.10, 2000).tolist(), dice.binomial(users[1], 0.12, 2000).tolist(), strict=True)
    intervals = [compare((first, users[0]), (second, users[1]), critical(1)) for first, second in drawn]
    assert 0.77 < sum(found.low > 0 or found.high < 0 for found in intervals) / 2000 < 0.83


def test_while_personalize_fails_every_answer_is_full(shop: Target) -> None:
    seen = faults.endure(shop, 300, away_seconds=2)
    assert (seen["requests"], seen["server_errors"], seen["other_statuses"], seen["short_lists"]) == (300, 0, 0, 0)
    assert set(seen["sources"]) == {"for-you", "best-sellers"}
