"""Serving over HTTP: the trained shop while Personalize fails, and an experiment from its answers to its report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

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


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    folder: Path = tmp_path_factory.mktemp("serving")
    with deployed(folder) as target:
        faults.train_shop(target, folder)
        yield target


def test_while_personalize_fails_every_answer_is_full(shop: Target) -> None:
    seen = faults.endure(shop, 300, away_seconds=2)
    assert (seen["requests"], seen["server_errors"], seen["other_statuses"], seen["short_lists"]) == (300, 0, 0, 0)
    assert set(seen["sources"]) == {"for-you", "best-sellers"}


def test_an_experiment_from_the_answer_to_the_report(shop: Target) -> None:
    """Begun by the override in SSM; everybody with the second variant buys, and nobody else."""
    config = load_config(CONFIG)
    home = config.placements["home"].model_dump(exclude_defaults=True) | {"experiment": EXPERIMENT}
    document = json.dumps({"placements": {"home": home}})
    name = rules_parameter_name(config.name)
    shop.client("ssm").put_parameter(Name=name, Value=document, Type="String", Overwrite=True)
    api = Api(shop)
    until(lambda: "variant" in api.call("GET", "/recommendations/home?user_id=u0")[1])
    variants = {}
    for n in range(USERS):
        until(lambda n=n: "variant" in api.call("GET", f"/recommendations/home?user_id=u{n}")[1])  # type: ignore[misc]
        _, answer = api.call("GET", f"/recommendations/home?user_id=u{n}")
        variants[f"u{n}"] = answer["variant"]
        if answer["variant"] == "free":
            event = {"event_type": "buy", "user_id": f"u{n}", "session_id": f"s{n}", "item_id": answer["items"][0]["item_id"]}
            event["recommendation_id"] = answer["recommendation_id"]
            assert api.call("POST", "/events", {"events": [event]})[0] == 202
    planned = experiment.placements_of(overridden(config, document), "brands")["home"]
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
