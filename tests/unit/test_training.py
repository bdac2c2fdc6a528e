"""The functions of the train state machine, called as it calls them, against the Personalize emulator."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from moto.s3.models import s3_backends

from lambdas.aws.signed import SignedObjects
from lambdas.config.names import filter_name
from lambdas.ingestion.put_records import handler as put_records
from lambdas.stores import snapshots
from lambdas.stores.runs import VersionRecord, keep_version, versions
from lambdas.training.deploy_campaigns import handler as deploy_campaigns
from lambdas.training.import_data import handler as import_data
from lambdas.training.prepare_resources import handler as prepare_resources
from lambdas.training.publish_deployment import handler as publish_deployment
from lambdas.training.publish_deployment.tidy import GRACE_SECONDS
from lambdas.training.report import handler as report
from lambdas.training.train_solutions import handler as train_solutions
from reco.deployment.rollback import rollback
from reco.errors import RecoError
from tests.harness.deployment import until
from tests.harness.shop_csvs import csv_text, rows
from tests.unit.conftest import Deployment, dead_letters, exported, operated, set_faults
from tests.unit.test_put_records import ITEM, message, patch

STARTED = datetime.now(UTC).isoformat()


def import_request(shop: Deployment, kind: str, files: str = "00000001", run_id: str = "run-1") -> dict[str, Any]:
    dataset = {"kind": kind, "location": f"s3://{shop.bucket}/datasets/{kind}/", "files": files}
    return {"run_id": run_id, "datasets": [dataset]}


@pytest.fixture
def imported(shop: Deployment) -> Deployment:
    """The shop with its data in Personalize."""
    shop.put_all_csvs()
    shop.until_active(prepare_resources.handler, **prepare_request("dataset_group"))
    for kind in ("interactions", "items", "users"):
        shop.until_active(import_data.handler, **import_request(shop, kind))
    return shop


def train_request(name: str, **more: Any) -> dict[str, Any]:
    return {"solutions": [name], "run_started": datetime.now(UTC).isoformat()} | more


def prepare_request(kind: str, name: str = "") -> dict[str, Any]:
    return {"resources": [{"kind": kind, "name": name}]}


def deploy_request(name: str, version: str, **more: Any) -> dict[str, Any]:
    verdict = {"name": name, "arn": version, "decision": "deploy"} | more
    return {"verdicts": [verdict], "answers": [], "run_started": STARTED}


def jobs(shop: Deployment, kind: str) -> list[dict[str, Any]]:
    dataset = f"arn:aws:personalize:us-east-1:123456789012:dataset/{shop.config.name}/{kind.upper()}"
    return list(shop.client("personalize").list_dataset_import_jobs(datasetArn=dataset)["datasetImportJobs"])


def test_the_catalogue_gets_typed_attributes(imported: Deployment) -> None:
    found = imported.client("dynamodb").get_item(TableName=f"{imported.config.name}-catalogue", Key={"item_id": {"S": "i1"}})
    attributes = found["Item"]["attributes"]["M"]
    assert attributes["CATEGORY"] == {"L": [{"S": "kitchen"}]}
    assert attributes["PRICE"] == {"N": "6.5"}
    assert attributes["STOCK"] == {"N": "1"}
    assert "DESCRIPTION" not in attributes  # free text is for training alone


def test_equal_files_are_imported_once_and_changed_ones_again(imported: Deployment) -> None:
    imported.until_active(import_data.handler, **import_request(imported, "users", run_id="run-2"))
    assert len(jobs(imported, "users")) == 1
    imported.until_active(import_data.handler, **import_request(imported, "users", files="00000002", run_id="run-3"))
    assert len(jobs(imported, "users")) == 2


def test_an_import_that_fails_raises_the_reason_of_the_service(imported: Deployment) -> None:
    imported.put_csv("users", csv_text("users", ["u1,20,F,gold", "u2,young,F,gold"]))
    (failed,) = imported.until_done(import_data.handler, **import_request(imported, "users", files="0000bad0", run_id="run-2"))
    assert failed["failure"]["Error"] == "ResourceFailed"
    assert re.search(r"CREATE FAILED: .*AGE", failed["failure"]["Cause"])
    imported.put_csv("users")  # corrected; the next run tries again although an import of that name failed before
    imported.until_active(import_data.handler, **import_request(imported, "users", run_id="run-3"))
    assert len(jobs(imported, "users")) == 3


def test_a_catalogue_that_takes_long_goes_on_where_it_was(imported: Deployment) -> None:
    imported.context.get_remaining_time_in_millis = lambda: 0
    answer = imported.call(import_data.handler, **import_request(imported, "items"))
    assert (answer["status"], answer["loaded"]["items"]) == ("PENDING", 25)
    answer = imported.call(import_data.handler, **import_request(imported, "items"), loaded=answer["loaded"])
    assert (answer["status"], answer["loaded"]["items"]) == ("PENDING", 50)
    imported.context.get_remaining_time_in_millis = lambda: 60_000
    answer = imported.call(import_data.handler, **import_request(imported, "items"), loaded=answer["loaded"])
    assert (answer["status"], answer["loaded"]["items"]) == ("DONE", 60)


def test_an_item_put_after_the_upload_stays_until_a_newer_csv(imported: Deployment) -> None:
    table, key = f"{imported.config.name}-catalogue", {"item_id": {"S": "i1"}}
    database = imported.client("dynamodb")

    def stock() -> str:
        return str(database.get_item(TableName=table, Key=key)["Item"]["attributes"]["M"]["STOCK"]["N"])

    def run(run_id: str, files: str = "00000001") -> None:
        imported.until_done(import_data.handler, **import_request(imported, "items", files=files, run_id=run_id))

    assert stock() == "1"
    put(imported, "i1", seconds_ago=-10)
    run("run-2")
    assert stock() == "3"
    imported.put_csv("items")
    newer = s3_backends["123456789012"]["global"].buckets[imported.bucket].keys["datasets/items/items.csv"]
    newer.last_modified += timedelta(hours=1)
    run("run-3", files="00000002")
    assert stock() == "1"


def catalogue_of(shop: Deployment) -> dict[str, Any]:
    rows = shop.client("dynamodb").scan(TableName=f"{shop.config.name}-catalogue")["Items"]
    return {row["item_id"]["S"]: row for row in rows}


def put(shop: Deployment, item_id: str, seconds_ago: float) -> None:
    """As PUT /items does, some time ago."""
    received_at = round((time.time() - seconds_ago) * 1000)
    change = message("item", item_id, ITEM | {"STOCK": 3}, received_at)
    assert shop.call(put_records.handler, Records=[change]) == {"batchItemFailures": []}


def test_a_patch_of_an_imported_item(imported: Deployment) -> None:
    """What the CSV said of its other columns stays, now and when the CSVs are imported again."""
    now_ms = int(time.time() * 1000) + 5000
    changes = [patch("item", "i1", {"STOCK": 0}, now_ms), patch("user", "u1", {"AGE": 99}, now_ms + 1)]
    assert imported.call(put_records.handler, Records=changes) == {"batchItemFailures": []}
    assert dead_letters(imported) == []
    assert [row for row in exported(imported, "users", "USER_ID", "AGE", "GENDER") if row[0] == "u1"] == [["u1", "99", "M"]]
    for _ in range(2):
        row = catalogue_of(imported)["i1"]["attributes"]["M"]
        assert (row["STOCK"], row["TITLE"]) == ({"N": "0"}, {"S": "Item 1"})
        import_items(imported, "00000002", [line.replace("6.5", "7.5") for line in rows()["items"]])
    assert catalogue_of(imported)["i1"]["attributes"]["M"]["PRICE"] == {"N": "7.5"}


def import_items(shop: Deployment, files: str, lines: list[str] | None = None, name: str | None = None) -> None:
    if lines is not None:
        shop.put_csv("items", csv_text("items", lines), name)
    shop.until_done(import_data.handler, **import_request(shop, "items", files=files, run_id=f"run-{files}"))


def test_items_that_a_later_csv_lacks_leave_the_catalogue_unless_they_were_put_since(imported: Deployment) -> None:
    everything, lines = set(catalogue_of(imported)), rows()["items"]
    assert len(everything) == 60
    put(imported, "by-put", seconds_ago=3600)
    put(imported, "i3", seconds_ago=3600)  # older than the CSV that had it
    put(imported, "i5", seconds_ago=-3600)
    put(imported, "i6", seconds_ago=-3600)
    put(imported, "new", seconds_ago=-3600)
    import_items(imported, "00000002", [line for line in lines if line.split(",")[0] not in ("i1", "i2", "i3", "i5")])
    found = catalogue_of(imported)
    assert everything - set(found) == {"i1", "i2", "i3"}
    assert set(found) - everything == {"new"}
    assert found["i6"]["attributes"]["M"]["TITLE"] == {"S": "Spade"}, "what was put counts more than the CSV"
    assert found["i4"]["attributes"]["M"]["STOCK"] == {"N": "4"}
    import_items(imported, "00000003", lines)
    assert set(catalogue_of(imported)) == everything | {"new"}


def test_of_several_csvs_one_alone_may_be_uploaded_again(imported: Deployment) -> None:
    lines = rows()["items"]
    imported.put_csv("items", csv_text("items", lines[30:]), "second")
    import_items(imported, "00000002", lines[:30])
    assert len(catalogue_of(imported)) == 60
    put(imported, "i40", seconds_ago=-3600)
    import_items(imported, "00000003", lines[1:30])
    assert set(catalogue_of(imported)) == {f"i{n}" for n in range(1, 60)}
    import_items(imported, "00000004", lines[31:40], "second")
    assert set(catalogue_of(imported)) == {f"i{n}" for n in [*range(1, 30), *range(31, 41)]}


def test_an_item_may_move_from_one_csv_to_an_older_one(imported: Deployment) -> None:
    lines = rows()["items"]
    imported.put_csv("items", csv_text("items", lines), "second")
    older = s3_backends["123456789012"]["global"].buckets[imported.bucket].keys["datasets/items/second.csv"]
    older.last_modified -= timedelta(hours=1)
    import_items(imported, "00000002", [line.replace("Item", "Newer") for line in lines[:20]])
    assert catalogue_of(imported)["i7"]["attributes"]["M"]["TITLE"] == {"S": "Newer 7"}
    import_items(imported, "00000003", [line.replace("Item", "Newer") for line in lines[:5]])
    found = catalogue_of(imported)
    assert (len(found), found["i7"]["attributes"]["M"]["TITLE"]) == (60, {"S": "Item 7"})


def test_an_incremental_import_takes_nothing_away(imported: Deployment) -> None:
    raw = imported.config.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    raw["datasets"]["items"]["import_mode"] = "INCREMENTAL"
    imported.pack(raw)
    import_items(imported, "00000002", rows()["items"][:10])
    assert len(catalogue_of(imported)) == 60


def test_a_removal_that_takes_long_is_finished_by_the_next_look(imported: Deployment) -> None:
    imported.put_csv("items", csv_text("items", rows()["items"][:10]))
    request = import_request(imported, "items", files="00000002", run_id="run-2")
    imported.context.get_remaining_time_in_millis = lambda: 0
    while not (answer := imported.call(import_data.handler, **request)).get("loaded"):
        time.sleep(0.05)
    assert (answer["status"], answer["loaded"], answer["removed"]) == ("PENDING", {"items": 10}, {})
    again = {name: answer[name] for name in ("loaded", "removed")}
    answer = imported.call(import_data.handler, **request, **again)
    assert (answer["status"], answer["removed"]["items"]) == ("PENDING", 50)
    imported.context.get_remaining_time_in_millis = lambda: 60_000
    again = {name: answer[name] for name in ("loaded", "removed")}
    answer = imported.call(import_data.handler, **request, **again)
    assert (answer["status"], len(catalogue_of(imported))) == ("DONE", 10)
    assert answer["parts"][0]["items_removed"] == 50


def test_a_dataset_that_was_deleted_is_filled_again(imported: Deployment) -> None:
    """Its import jobs may still be listed: they are no proof of what is in the new one."""
    personalize = imported.client("personalize")
    dataset = f"arn:aws:personalize:us-east-1:123456789012:dataset/{imported.config.name}/USERS"
    personalize.delete_dataset(datasetArn=dataset)
    until(lambda: dataset not in str(personalize.list_datasets()["datasets"]))
    imported.until_active(import_data.handler, **import_request(imported, "users", run_id="run-2"))
    made = personalize.describe_dataset(datasetArn=dataset)["dataset"]["creationDateTime"]
    assert len([job for job in jobs(imported, "users") if job["creationDateTime"] >= made]) == 1


def test_tracker_and_filters_are_made_once(imported: Deployment) -> None:
    tracker = imported.until_active(prepare_resources.handler, **prepare_request("event_tracker"))
    assert tracker["tracking_id"]
    assert imported.until_active(prepare_resources.handler, **prepare_request("event_tracker")) == tracker
    made = imported.until_active(prepare_resources.handler, **prepare_request("filter", "not_bought"))
    described = imported.client("personalize").describe_filter(filterArn=made["arn"])["filter"]
    assert described["filterExpression"] == imported.config.filters["not_bought"]


def test_from_data_to_a_published_deployment(imported: Deployment) -> None:
    tracker = imported.until_active(prepare_resources.handler, **prepare_request("event_tracker"))
    in_stock = imported.until_active(prepare_resources.handler, **prepare_request("filter", "in_stock"))
    trained = imported.until_active(train_solutions.handler, **train_request("for-you"))
    assert trained["recipe"] == "aws-user-personalization-v2"
    assert 0 < trained["metrics"]["normalized_discounted_cumulative_gain_at_25"] <= 1
    solution = imported.client("personalize").describe_solution(
        solutionArn=f"arn:aws:personalize:us-east-1:123456789012:solution/{imported.config.name}_for-you"
    )["solution"]
    assert solution["performAutoTraining"] is False
    assert [e["eventType"] for e in solution["solutionConfig"]["eventsConfig"]["eventParametersList"]] == ["buy", "cart", "view"]

    campaign = imported.until_active(deploy_campaigns.handler, **deploy_request("for-you", trained["arn"]))
    published = imported.call(publish_deployment.handler, run_id="run-1", resources=[tracker, in_stock], campaigns=[campaign])[
        "deployment"
    ]
    assert published["campaigns"] == {"for-you": campaign["arn"]}
    assert published["filters"] == {"in_stock": in_stock["arn"]}
    assert published["tracking_id"] == tracker["tracking_id"]

    by_hand = {"datasetGroupArn": published["dataset_group_arn"], "filterExpression": imported.config.filters["in_stock"]}
    personalize, ours = imported.client("personalize"), [{"tagKey": "recostack:deployment", "tagValue": imported.config.name}]
    for name, tags in (("by-hand", []), (f"{imported.config.name}_by-hand", []), (f"{imported.config.name}_old", ours)):
        personalize.create_filter(name=name, tags=tags, **by_hand)

    def filters() -> list[dict[str, Any]]:
        return list(personalize.list_filters(datasetGroupArn=published["dataset_group_arn"])["Filters"])

    until(lambda: all(entry["status"] == "ACTIVE" for entry in filters()))
    arguments: dict[str, Any] = {"run_id": "run-2", "resources": [], "campaigns": [], "waited_seconds": GRACE_SECONDS}
    again = imported.call(publish_deployment.handler, **arguments)["deployment"]
    assert again == published | {"run_id": "run-2"}  # what a later run did not touch stays
    assert {entry["name"] for entry in filters() if entry["status"] == "ACTIVE"} == {
        "by-hand",
        f"{imported.config.name}_by-hand",
        in_stock["arn"].rpartition("/")[2],
    }


def test_a_solution_is_trained_again_only_for_new_data_or_on_demand(imported: Deployment) -> None:
    first = imported.until_active(train_solutions.handler, **train_request("related"))
    unchanged = imported.until_active(train_solutions.handler, **train_request("related", run_started="2099-01-01T00:00:00Z"))
    assert unchanged["arn"] == first["arn"]
    on_demand = imported.until_active(train_solutions.handler, **train_request("related", retrain=True))
    assert on_demand["arn"] != first["arn"]
    imported.until_active(import_data.handler, **import_request(imported, "users", files="00000002", run_id="run-2"))
    new_data = imported.until_active(train_solutions.handler, **train_request("related"))
    assert new_data["arn"] not in (first["arn"], on_demand["arn"])


def test_a_new_version_and_more_capacity_reach_the_campaign(imported: Deployment) -> None:
    first = imported.until_active(train_solutions.handler, **train_request("related"))
    campaign = imported.until_active(deploy_campaigns.handler, **deploy_request("related", first["arn"]))
    second = imported.until_active(train_solutions.handler, **train_request("related", retrain=True))
    change_config(imported, lambda raw: raw["solutions"]["related"]["campaign"].update(min_provisioned_tps=3))
    imported.until_active(deploy_campaigns.handler, **deploy_request("related", second["arn"]))
    described = imported.client("personalize").describe_campaign(campaignArn=campaign["arn"])["campaign"]
    assert (described["solutionVersionArn"], described["minProvisionedTPS"]) == (second["arn"], 3)


def test_a_rollback_during_a_run_stands(imported: Deployment) -> None:
    """The run's verdicts were made before it: of a version that is kept, and of one that is not let through."""
    first = imported.until_active(train_solutions.handler, **train_request("related"))
    second = imported.until_active(train_solutions.handler, **train_request("related", retrain=True))
    campaign = imported.until_active(deploy_campaigns.handler, **deploy_request("related", second["arn"]))
    personalize = imported.client("personalize")
    personalize.update_campaign(campaignArn=campaign["arn"], solutionVersionArn=first["arn"])
    for verdict in ({"decision": "keep"}, {"decision": "refuse", "deployed_arn": second["arn"]}):
        imported.until_active(deploy_campaigns.handler, **deploy_request("related", second["arn"], **verdict))
        assert personalize.describe_campaign(campaignArn=campaign["arn"])["campaign"]["solutionVersionArn"] == first["arn"]


def test_a_rollback_that_fails_leaves_no_mark(imported: Deployment, faulty: Callable[..., None]) -> None:
    """A version that still serves must not count as rolled back: no later run would deploy it."""
    for _ in range(2):
        trained = imported.until_active(train_solutions.handler, **train_request("related", retrain=True))
        campaign = imported.until_active(deploy_campaigns.handler, **deploy_request("related", trained["arn"]))
        given = {"solution": "related", "version_arn": trained["arn"], "run_id": "run", "metrics": {}, "decision": "deploy"}
        keep_version(VersionRecord.model_validate({**given, "trained_at": now(), "deployed": True}))
    first, second = (record.version_arn for record in versions("related"))
    faulty("UpdateCampaign")
    with pytest.raises(RecoError, match="The campaign could not be updated"):
        rollback(operated(imported), "related", every=0.01)
    assert [record.decision for record in versions("related")] == ["deploy", "deploy"]
    faulty()
    assert rollback(operated(imported), "related", every=0.01) == (second, first)
    assert [(record.version_arn, record.decision) for record in versions("related")] == [
        (first, "deploy"),
        (second, "rolled_back"),
    ]
    described = imported.client("personalize").describe_campaign(campaignArn=campaign["arn"])["campaign"]
    assert described["solutionVersionArn"] == first


def now() -> str:
    return datetime.now(UTC).isoformat()


@pytest.fixture
def faulty(imported: Deployment, personalize_endpoint: str) -> Iterator[Callable[..., None]]:
    """Lets the creation of resources fail, until the end of the test."""

    def fail(*operations: str) -> None:
        faults = [{"operation": operation, "action": "create-failed", "reason": "No capacity left"} for operation in operations]
        set_faults(personalize_endpoint, faults)

    yield fail
    set_faults(personalize_endpoint, [])


def test_what_failed_in_an_earlier_run_is_made_anew(imported: Deployment, faulty: Callable[..., None]) -> None:
    """Of this run it is a failure, with the service's reason; the next run heals it."""
    faulty("CreateSolution")
    failing = train_request("related")
    for _ in range(2):
        (failed,) = imported.until_done(train_solutions.handler, **failing)
        assert failed["failure"]["Error"] == "ResourceFailed"
        assert "CREATE FAILED" in failed["failure"]["Cause"]
    faulty()
    made = imported.until_active(train_solutions.handler, **train_request("related"))
    faulty("CreateCampaign")
    run = deploy_request("related", made["arn"]) | {"run_started": now()}
    for _ in range(2):
        (failed,) = imported.until_done(deploy_campaigns.handler, **run)
        assert "CREATE FAILED: No capacity left" in failed["failure"]["Cause"]
    faulty()
    campaign = imported.until_active(deploy_campaigns.handler, **run | {"run_started": now()})
    described = imported.client("personalize").describe_campaign(campaignArn=campaign["arn"])["campaign"]
    assert (described["status"], described["solutionVersionArn"]) == ("ACTIVE", made["arn"])


def snapshot_jobs(shop: Deployment, version: str) -> list[str]:
    jobs = shop.client("personalize").list_batch_inference_jobs(solutionVersionArn=version)["batchInferenceJobs"]
    return [job["status"] for job in sorted(jobs, key=lambda job: job["creationDateTime"])]


def test_a_snapshot_is_made_again_when_its_job_failed_or_its_file_is_gone(
    imported: Deployment, faulty: Callable[..., None]
) -> None:
    """A job that is listed proves nothing: the file is what an outage is answered from."""
    version = imported.until_active(train_solutions.handler, **train_request("best-sellers"))["arn"]

    def run() -> list[dict[str, Any]]:
        trained = [{"name": "best-sellers", "status": "ACTIVE", "arn": version}]
        request = {"verdicts": [], "answers": [], "trained": trained, "run_started": now()}
        return imported.until_done(deploy_campaigns.handler, **request)

    def ended(*statuses: str) -> None:
        until(lambda: snapshot_jobs(imported, version) == list(statuses))

    faulty("CreateBatchInferenceJob")
    run()
    ended("CREATE FAILED")
    faulty()
    assert run() == []
    ended("CREATE FAILED", "ACTIVE")
    assert len(snapshots.read_snapshot(SignedObjects(), imported.bucket, "best-sellers")) > 20
    assert run() == []
    assert snapshot_jobs(imported, version) == ["CREATE FAILED", "ACTIVE"], "what is there is not made again"
    imported.client("s3").delete_object(Bucket=imported.bucket, Key=snapshots.output_key("best-sellers"))
    assert run() == []
    ended("CREATE FAILED", "ACTIVE", "ACTIVE")
    assert len(snapshots.read_snapshot(SignedObjects(), imported.bucket, "best-sellers")) > 20


@pytest.mark.parametrize(
    ("answers", "decision", "reason"),
    [
        ([{"name": "related", "approved": True}], "deploy", "a person approved it"),
        ([{"name": "related", "approved": False}], "rejected", "a person rejected it"),
        (
            [{"name": "related", "approved": False, "error": "States.Timeout"}],
            "unanswered",
            "nobody answered in time: the next run asks again",
        ),
        (
            [{"name": "related", "approved": False, "error": "KeyError"}],
            "unanswered",
            "nobody could be asked (KeyError): the next run asks again",
        ),
        ([], "unanswered", "the run ended before anybody answered: the next run asks again"),
    ],
)
def test_only_a_person_approves_and_only_a_person_rejects(
    shop: Deployment, answers: list[Any], decision: str, reason: str
) -> None:
    made = shop.call(
        report.handler,
        run_id="run-1",
        run_started="2026-01-01T00:00:00Z",
        solutions=[{"name": "related", "recipe": "aws-similar-items", "status": "ACTIVE", "arn": "version"}],
        verdicts=[{"name": "related", "arn": "version", "decision": "ask"}],
        answers=answers,
    )
    assert made["solutions"][0]["verdict"] == {"decision": decision, "reasons": [reason]}
    assert [record.decision for record in versions("related")] == [decision]


def test_a_changed_recipe_is_drift_that_names_both_values(imported: Deployment) -> None:
    imported.until_active(train_solutions.handler, **train_request("related"))
    change_config(imported, lambda raw: raw["solutions"]["related"].update(recipe="aws-sims"))
    (failed,) = imported.until_done(train_solutions.handler, **train_request("related"))
    assert failed["failure"]["Error"] == "ConfigurationDrift"
    assert (
        "solutions.related.recipe: the config says 'aws-sims', the solution in Personalize has 'aws-similar-items'"
        in failed["failure"]["Cause"]
    )


def test_a_solution_of_our_name_in_another_dataset_group_is_not_taken_over(imported: Deployment) -> None:
    personalize = imported.client("personalize")
    other = another_group(imported)
    recipe = "arn:aws:personalize:::recipe/aws-similar-items"
    personalize.create_solution(
        name=f"{imported.config.name}_related", datasetGroupArn=other, recipeArn=recipe, performAutoTraining=False
    )
    (failed,) = imported.until_done(train_solutions.handler, **train_request("related"))
    assert failed["failure"]["Error"] == "ConfigurationDrift"
    assert f"belongs to dataset-group/{imported.config.name}-two" in failed["failure"]["Cause"]


def test_a_filter_of_our_name_in_another_dataset_group_is_not_taken_over(imported: Deployment) -> None:
    personalize, name = imported.client("personalize"), filter_name(imported.config, "in_stock")
    other = another_group(imported)
    ours = f"arn:aws:personalize:us-east-1:123456789012:dataset/{imported.config.name}/ITEMS"
    schema = personalize.describe_dataset(datasetArn=ours)["dataset"]["schemaArn"]
    dataset = personalize.create_dataset(name="items", schemaArn=schema, datasetGroupArn=other, datasetType="Items")["datasetArn"]
    until(lambda: personalize.describe_dataset(datasetArn=dataset)["dataset"]["status"] == "ACTIVE", 30)
    arn = personalize.create_filter(name=name, datasetGroupArn=other, filterExpression=imported.config.filters["in_stock"])[
        "filterArn"
    ]
    (failed,) = imported.until_done(prepare_resources.handler, **prepare_request("filter", "in_stock"))
    assert failed["failure"]["Error"] == "ConfigurationDrift"
    assert f"belongs to dataset-group/{imported.config.name}-two" in failed["failure"]["Cause"]
    assert personalize.describe_filter(filterArn=arn)["filter"]["datasetGroupArn"] == other


def test_a_campaign_of_our_name_with_a_version_of_another_solution_is_not_taken_over(imported: Deployment) -> None:
    personalize, name = imported.client("personalize"), imported.config.name
    theirs = imported.until_active(train_solutions.handler, **train_request("best-sellers"))["arn"]
    ours = imported.until_active(train_solutions.handler, **train_request("related"))["arn"]
    arn = personalize.create_campaign(name=f"{name}_related", solutionVersionArn=theirs, minProvisionedTPS=1)["campaignArn"]
    until(lambda: personalize.describe_campaign(campaignArn=arn)["campaign"]["status"] == "ACTIVE", 30)
    (failed,) = imported.until_done(deploy_campaigns.handler, **deploy_request("related", ours))
    assert failed["failure"]["Error"] == "ConfigurationDrift"
    assert f"campaign/{name}_related is there already and serves a version of another solution" in failed["failure"]["Cause"]
    assert personalize.describe_campaign(campaignArn=arn)["campaign"]["solutionVersionArn"] == theirs


def another_group(shop: Deployment) -> str:
    """A dataset group that is not the deployment's."""
    personalize = shop.client("personalize")
    arn = personalize.create_dataset_group(name=f"{shop.config.name}-two")["datasetGroupArn"]
    until(lambda: personalize.describe_dataset_group(datasetGroupArn=arn)["datasetGroup"]["status"] == "ACTIVE", 30)
    return str(arn)


def change_config(shop: Deployment, change: Any) -> None:
    """Deploy the functions with another config."""
    raw = shop.raw()
    change(raw)
    shop.pack(raw)


def test_the_report_says_what_went_wrong_and_what_to_do(shop: Deployment) -> None:
    queue = shop.client("sqs").create_queue(QueueName=f"{shop.config.name}-mail")["QueueUrl"]
    arn = shop.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = f"arn:aws:sns:us-east-1:123456789012:{shop.config.name}-runs"
    shop.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    good = {"name": "related", "recipe": "aws-similar-items", "status": "ACTIVE", "arn": "version", "metrics": {"coverage": 0.5}}
    cause = json.dumps({"errorType": "ResourceFailed", "errorMessage": "solution/x: CREATE FAILED: too few users"})
    bad = {"name": "for-you", "status": "FAILED", "failure": {"Error": "ResourceFailed", "Cause": cause}}
    made = shop.call(
        report.handler,
        run_id="run-1",
        run_started="2026-01-01T00:00:00Z",
        solutions=[good, bad],
        verdicts=[{"name": "related", "arn": "version", "decision": "refuse", "reasons": ["worse than before"]}],
        campaigns=[{"name": "related", "status": "ACTIVE", "version_arn": "older"}],
        leftover=["campaign/old"],
        warnings=["items.csv, line 1, column x: is ignored"],
    )
    assert made["status"] == "PARTLY_FAILED"
    assert made["problems"][0]["part"] == "solution for-you"
    assert made["problems"][0]["message"] == "solution/x: CREATE FAILED: too few users"
    assert "start the run again" in made["problems"][0]["what_to_do"]
    assert made["solutions"][0]["verdict"] == {"decision": "refuse", "reasons": ["worse than before"]}
    kept = shop.client("s3").get_object(Bucket=shop.bucket, Key="reports/run-1/report.json")["Body"].read()
    assert json.loads(kept)["status"] == "PARTLY_FAILED"
    mail = json.loads(shop.client("sqs").receive_message(QueueUrl=queue)["Messages"][0]["Body"])
    assert mail["Subject"] == f"{shop.config.name}: train run partly failed"
    assert all(said in mail["Message"] for said in ("too few users", "refuse: worse than before", "campaign/old", "column x: is"))


def test_a_run_that_a_state_ended_has_failed(shop: Deployment) -> None:
    failure = {"Error": "States.Timeout", "Cause": ""}
    made = shop.call(report.handler, run_id="run-1", run_started="2026-01-01T00:00:00Z", failure=failure)
    assert made["status"] == "FAILED"
    assert made["problems"][0]["part"] == "run"
