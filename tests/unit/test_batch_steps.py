"""The steps of a batch run around the loader, and what the config may ask of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambdas.batch.export_erasures.handler import handler as export
from lambdas.batch.plan_batch.handler import handler as plan
from lambdas.batch.report_batch.handler import as_text
from lambdas.batch.report_batch.handler import handler as report
from lambdas.batch.run_batch_job.handler import handler as step
from lambdas.batch.run_batch_job.jobs import NotTrained, serving_version
from lambdas.config import ConfigError
from lambdas.config.file import load_config
from lambdas.config.packed import packed_config
from lambdas.config.validation import parse_config
from lambdas.stores.erasures import erase
from lambdas.stores.snapshots import output_key
from lambdas.training.approve_versions.handler import handler as judge_versions
from lambdas.training.deploy_campaigns.handler import handler as deploy
from lambdas.training.report.handler import handler as report_training
from tests.unit.conftest import SHOP, Deployment

STARTED = "2026-11-24T04:00:00.123Z"
VERSION = "20261124T040000123Z"
ONE, TWO = (f"arn:aws:states:us-east-1:123456789012:execution:shop_batch:{name}" for name in ("one", "two"))
SEGMENT = {"solution": "fans", "item_ids": ["i1", "i2"], "num_users": 10}


@pytest.fixture
def batch(shop: Deployment) -> Deployment:
    """The shop with a batch of each kind of input, and a segment."""
    raw = shop.raw()
    raw["solutions"] |= {"popular": {"recipe": "aws-popularity-count"}, "fans": {"recipe": "aws-item-affinity"}}
    raw["batch"] = {
        "for-you": {"solution": "for-you", "active_within_days": 7},
        "related": {"solution": "related"},
        "ranking": {"solution": "ranking", "candidates": "popular"},
    }
    raw["segments"] = {"fans": SEGMENT}
    shop.pack(raw)
    return shop


def making(name: str, kind: str = "batch") -> dict[str, str]:
    return {"kind": kind, "name": name, "version": VERSION}


def body(batch: Deployment, key: str) -> str:
    return str(batch.client("s3").get_object(Bucket=batch.bucket, Key=key)["Body"].read().decode())


def test_a_run_makes_all_or_what_is_wanted_and_is_alone(batch: Deployment) -> None:
    planned = batch.call(plan, execution_arn=ONE, run_started=STARTED)["making"]
    assert [each["name"] for each in planned] == ["for-you", "related", "ranking", "fans"]
    assert planned[0] == making("for-you")
    wanted = batch.call(plan, execution_arn=ONE, run_started=STARTED, wanted=["fans"])["making"]
    assert wanted == [making("fans", "segment")]
    with pytest.raises(ValueError, match="there is no batch or segment 'x'"):
        batch.call(plan, execution_arn=ONE, run_started=STARTED, wanted=["x"])
    batch.call(report, run_id="r", execution=ONE, run_started=STARTED)
    assert "making" in batch.call(plan, execution_arn=TWO, run_started=STARTED)


def test_the_input_follows_from_the_recipe(batch: Deployment) -> None:
    listed = {"input": {"userId": "anyone"}, "output": {"recommendedItems": ["i3", "i1"]}}
    key = output_key("popular")
    batch.client("s3").put_object(Bucket=batch.bucket, Key=key, Body=json.dumps(listed).encode())
    found = {
        name: batch.call(step, step="prepare", making=making(name), run_started=STARTED, erased="s3://b/e")["arguments"]
        for name in ("for-you", "related", "ranking")
    }
    assert {name: given["--kind"] for name, given in found.items()} == {
        "for-you": "users",
        "related": "items",
        "ranking": "rankings",
    }
    assert found["for-you"]["--active_days"] == "7"
    assert found["for-you"]["--erased"] == "s3://b/e"
    assert found["for-you"]["--output"] == f"s3://{batch.bucket}/batch/for-you/{VERSION}/input/"
    assert body(batch, f"batch/ranking/{VERSION}/candidates.txt").split() == ["i3", "i1"]
    assert "--candidates" not in found["related"]


def test_a_ranking_without_counted_best_sellers_says_so(batch: Deployment) -> None:
    with pytest.raises(Exception, match="there is no snapshot of 'popular' yet"):
        batch.call(step, step="prepare", making=making("ranking"), run_started=STARTED)


def test_a_segment_asks_for_each_of_its_items(batch: Deployment) -> None:
    batch.call(step, step="prepare", making=making("fans", "segment"), run_started=STARTED)
    lines = body(batch, f"batch/fans/{VERSION}/input/queries.json").splitlines()
    assert [json.loads(line) for line in lines] == [{"itemId": "i1"}, {"itemId": "i2"}]


@pytest.mark.parametrize(
    ("lines", "error"), [(0, "nobody was active within 7 days"), (5, "'for-you' has no version that may go live")]
)
def test_what_keeps_a_job_from_starting_is_a_sentence(batch: Deployment, lines: int, error: str) -> None:
    key = f"batch/for-you/{VERSION}/input.json"
    batch.client("s3").put_object(Bucket=batch.bucket, Key=key, Body=json.dumps({"lines": lines}).encode())
    with pytest.raises(Exception, match=error):
        batch.call(step, step="run", making=making("for-you"), run_started=STARTED)


def test_a_solution_without_a_campaign_takes_the_version_that_passed_its_gate_last(batch: Deployment) -> None:
    raw = batch.raw()
    raw["solutions"]["fans"]["gate"] = {"metric": "coverage", "at_least": 0.5}
    batch.pack(raw)
    fans = packed_config()
    with pytest.raises(NotTrained, match="'fans' has no version that may go live"):
        serving_version(fans, "fans")
    for day, coverage in enumerate((0.6, 0.7, 0.4), 1):
        part = {"name": "fans", "arn": f"version-{day}", "status": "ACTIVE", "recipe": "r", "metrics": {"coverage": coverage}}
        verdicts: Any = batch.call(judge_versions, step="judge", trained=[part])
        ran = {"run_id": f"run-{day}", "run_started": f"2026-11-2{day}T02:00:00Z", "solutions": [part], "verdicts": verdicts}
        batch.call(report_training, **ran)
        deployed = batch.call(deploy, run_started=STARTED, verdicts=verdicts, answers=[], trained=[])
        assert deployed["parts"] == []
    assert verdicts[0]["decision"] == "refuse"
    assert serving_version(fans, "fans") == "version-2"


def test_erased_users_are_exported(batch: Deployment) -> None:
    for user in ("u1", 'ü"2'):
        erase(user)
    answer = batch.call(export, run_started=STARTED)
    lines = body(batch, answer["erased"].split("/", 3)[3]).splitlines()
    assert {json.loads(line)["user_id"] for line in lines} == {"u1", 'ü"2'}
    assert answer["users"] == 2


def test_a_report_tells_what_failed_beside_what_was_made(batch: Deployment) -> None:
    failure = {
        "Error": "ResourceFailed",
        "Cause": json.dumps({"errorMessage": "batch-inference-job/x: CREATE FAILED: no capacity"}),
    }
    made = [
        making("for-you") | {"status": "ACTIVE", "lines": 10, "written": 10},
        making("related") | {"status": "FAILED", "failure": failure},
    ]
    answer = batch.call(report, run_id="r", execution=ONE, run_started=STARTED, made=made, failure=None)
    assert answer["status"] == "PARTLY_FAILED"
    assert (answer["deployment"], answer["started"], answer["seconds"] > 0) == (
        batch.config.name,
        "2026-11-24T04:00:00+00:00",
        True,
    )
    assert f"\nDeployment {batch.config.name}, started 2026-11-24 04:00:00 UTC, took " in as_text(answer)
    (problem,) = answer["problems"]
    assert problem["part"] == "batch related"
    assert "no capacity" in problem["message"]
    assert json.loads(body(batch, "reports/r/report.json"))["made"][0]["written"] == 10
    assert batch.call(report, run_id="r", execution=ONE, run_started=STARTED, made=made[1:])["status"] == "FAILED"


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"batch": {"x": {"solution": "nope"}}}, "batch.x.solution: there is no solution 'nope'"),
    ({"batch": {"x": {"solution": "trend"}}}, "batch.x.solution: 'aws-trending-now' has no batch jobs"),
    ({"batch": {"x": {"solution": "fans"}}}, "batch.x.solution: 'fans' makes segments"),
    ({"batch": {"x": {"solution": "ranking"}}}, "batch.x.candidates: a ranking needs them"),
    ({"batch": {"x": {"solution": "for-you", "candidates": "best-sellers"}}}, "batch.x.candidates"),
    ({"batch": {"x": {"solution": "ranking", "candidates": "related"}}}, "batch.x.candidates: 'related' is not a popularity count"),
    ({"batch": {"x": {"solution": "for-you", "filter": "in_category"}}}, "batch.x.filter: 'in_category' has placeholders"),
    ({"batch": {"x": {"solution": "for-you", "rules": ["no"]}}}, "batch.x.rules[0]: there is no rule 'no'"),
    ({"batch": {"x": {"solution": "for-you", "fallback": ["ranking"]}}}, "batch.x.fallback[0]: 'ranking' can't make a list"),
    ({"batch": {"x": {"solution": "for-you", "num_results": 501}}}, "batch.x.num_results"),
    ({"segments": {"x": {"solution": "for-you", "item_ids": ["i"]}}}, "segments.x.solution: 'for-you' makes lists of items"),
    ({"segments": {"x": {"solution": "fans"}}}, "segments.x.item_ids: give either"),
    ({"segments": {"x": {"solution": "fans", "item_attributes": ["ITEMS.A = 1"]}}}, "segments.x.item_ids: the solution's recipe"),
    ({"placements": {"home": {"solution": "for-you", "fallback": ["batch"]}}, "batch": {}}, "placements.home.fallback[0]: 'for-you' has no batch"),
    ({"archive": {"funnel": ["veiw"]}}, "archive.funnel[0]: there is no event type 'veiw', did you mean 'view'?"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "expected"), WRONG)
def test_the_config_refuses_what_no_job_can_do(change: dict[str, Any], expected: str) -> None:
    raw = load_config(SHOP).model_dump(mode="json", by_alias=True, exclude_defaults=True)
    raw["solutions"] |= {"trend": {"recipe": "aws-trending-now", "campaign": {}}, "fans": {"recipe": "aws-item-affinity"}}
    with pytest.raises(ConfigError) as error:
        parse_config(raw | change)
    assert any(expected in problem for problem in error.value.problems), error.value.problems
