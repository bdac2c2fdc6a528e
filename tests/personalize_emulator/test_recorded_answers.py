"""Facts that AWS recorded: what its own notebooks and samples show of the service's answers, where the guide says nothing or other."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest

from tests.personalize_emulator.journey import BUCKET, RECIPE, ROLE, SCHEMAS, Client, avro, csv_of


@pytest.fixture(scope="module")
def trained(client: Client, shop: str) -> tuple[str, str]:
    """A solution and its version, made without a pause between the two calls."""
    solution = client.personalize.create_solution(
        name="recorded", datasetGroupArn=shop, recipeArn=f"{RECIPE}aws-user-personalization", performAutoTraining=False
    )["solutionArn"]
    version = client.personalize.create_solution_version(solutionArn=solution)["solutionVersionArn"]
    client.wait(version)
    return solution, version


@pytest.fixture(scope="module")
def campaign(client: Client, trained: tuple[str, str]) -> str:
    return client.campaign(trained[1], "recorded")


def test_a_solution_is_born_active(client: Client, trained: tuple[str, str]) -> None:
    """CreateSolution and CreateSolutionVersion were answered within the same second, six times."""
    shown = client.personalize.describe_solution(solutionArn=trained[0])["solution"]
    assert shown["status"] == "ACTIVE"
    assert shown["creationDateTime"] == shown["lastUpdatedDateTime"]


def test_arns(client: Client, shop: str, trained: tuple[str, str]) -> None:
    ours = re.escape("arn:aws:personalize:us-east-1:") + r"\d{12}:"
    solution, version = trained
    assert re.fullmatch(rf"{ours}dataset-group/shop", shop)
    assert re.fullmatch(rf"{ours}solution/recorded", solution)
    assert re.fullmatch(rf"{ours}solution/recorded/[0-9a-f]{{8}}", version)
    datasets = client.personalize.list_datasets(datasetGroupArn=shop)["datasets"]
    assert {dataset["datasetArn"].rsplit(":", 1)[1] for dataset in datasets} == {
        f"dataset/shop/{kind}" for kind in ("INTERACTIONS", "ITEMS", "USERS")
    }
    tracker = client.personalize.create_event_tracker(name="recorded", datasetGroupArn=client.group("recorded-tracker"))
    assert re.fullmatch(rf"{ours}event-tracker/[0-9a-f]{{8}}", tracker["eventTrackerArn"])


def test_the_type_of_a_dataset_in_any_case(client: Client, shop: str) -> None:
    """The journey creates "Interactions"; Describe tells it in upper case."""
    arn = client.personalize.list_datasets(datasetGroupArn=shop)["datasets"][0]["datasetArn"]
    assert client.personalize.describe_dataset(datasetArn=arn)["dataset"]["datasetType"] == "INTERACTIONS"
    group = client.group("recorded-case")
    schema = client.personalize.create_schema(name="recorded-case", schema=avro("Users"))["schemaArn"]
    made = client.personalize.create_dataset(name="u", schemaArn=schema, datasetGroupArn=group, datasetType="uSeRs")
    assert made["datasetArn"].endswith("dataset/recorded-case/USERS")


@pytest.mark.parametrize("name", ["interactions", "Interactions", "INTERACTIONS"])
def test_the_name_of_a_schema_in_any_case(client: Client, name: str) -> None:
    text = avro("Interactions").replace('"Interactions"', f'"{name}"')
    assert client.personalize.create_schema(name=f"recorded-{name}", schema=text)["schemaArn"]


def test_a_version_without_a_name_is_called_by_its_solution_and_its_id(client: Client, trained: tuple[str, str]) -> None:
    shown = client.personalize.describe_solution_version(solutionVersionArn=trained[1])["solutionVersion"]
    assert shown["name"] == trained[1].split("solution/", 1)[1]


def test_columns_that_the_schema_lacks_are_ignored(client: Client) -> None:
    """An items file with the unnamed index column that pandas writes, and a column more, became ACTIVE."""
    header, *records = csv_of("Items").decode().splitlines()
    body = "\n".join([f",{header},colour", *(f"{number},{record},red" for number, record in enumerate(records))])
    group = client.group("recorded-columns")
    client.wait(client.start_import(client.dataset(group, "Items"), body.encode(), "recorded-columns"))
    exported = client.personalize.create_dataset_export_job(
        jobName="recorded-columns",
        datasetArn=f"{group.replace('-group/', '/')}/ITEMS",
        ingestionMode="BULK",
        roleArn=ROLE,
        jobOutput={"s3DataDestination": {"path": f"s3://{BUCKET}/recorded-columns/"}},
    )["datasetExportJobArn"]
    client.wait(exported)
    key = client.s3.list_objects_v2(Bucket=BUCKET, Prefix="recorded-columns/")["Contents"][0]["Key"]
    back = client.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode().splitlines()
    assert back[0] == header
    assert len(back) == 1 + len(records)


def test_headers_in_another_case_than_the_schema(client: Client) -> None:
    """The items file that AWS publishes has `creation_timestamp` for the schema's CREATION_TIMESTAMP."""
    body = csv_of("Items").replace(b"CREATION_TIMESTAMP", b"creation_timestamp")
    group = client.group("recorded-headers")
    client.wait(client.start_import(client.dataset(group, "Items"), body, "recorded-headers"))


def test_a_campaign_is_listed_under_its_version(client: Client, trained: tuple[str, str], campaign: str) -> None:
    """A recorded clean-up lists the campaigns of a solution version."""
    for listed_by in trained:
        found = client.personalize.list_campaigns(solutionArn=listed_by)["campaigns"]
        assert [one["campaignArn"] for one in found] == [campaign]


def test_answers_of_a_campaign(client: Client, campaign: str) -> None:
    """Sorted by score, also where explored items stand: this recipe gives every third place to one."""
    answer = client.runtime.get_recommendations(campaignArn=campaign, userId="u1")
    uuid = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    assert re.fullmatch(rf"RID-{uuid}", answer["recommendationId"])
    scores = [item["score"] for item in answer["itemList"]]
    assert scores == sorted(scores, reverse=True)


def test_the_list_of_filters_alone_has_a_capital(client: Client, shop: str) -> None:
    arn = client.filter(shop, "recorded", "INCLUDE ItemID WHERE Items.GENRES IN ($G)")
    assert arn in [one["filterArn"] for one in client.personalize.list_filters(datasetGroupArn=shop)["Filters"]]


def test_metrics_have_four_decimals(client: Client, trained: tuple[str, str]) -> None:
    metrics = client.personalize.get_solution_metrics(solutionVersionArn=trained[1])["metrics"]
    assert set(metrics) == {"coverage", "mean_reciprocal_rank_at_25"} | {
        f"{name}_at_{k}" for name in ("normalized_discounted_cumulative_gain", "precision") for k in (5, 10, 25)
    }
    assert all(value == round(value, 4) for value in metrics.values())


def test_a_dataset_whose_schema_changes_is_updated(client: Client) -> None:
    """UPDATE PENDING, UPDATE IN_PROGRESS, ACTIVE."""
    group = client.group("recorded-update")
    dataset = client.dataset(group, "Users")
    wider = [*SCHEMAS["Users"], {"name": "CITY", "type": ["null", "string"], "categorical": True}]
    schema = client.personalize.create_schema(name="recorded-wider", schema=avro("Users", wider))["schemaArn"]
    with client.lasting("update", seconds=1):
        client.personalize.update_dataset(datasetArn=dataset, schemaArn=schema)
        shown = client.personalize.describe_dataset(datasetArn=dataset)["dataset"]
        assert (shown["status"], shown["schemaArn"] == schema) == ("UPDATE PENDING", False)
        client.wait(dataset, until="UPDATE IN_PROGRESS")
    assert client.wait(dataset)["schemaArn"] == schema


def test_output_of_a_batch_job(client: Client, trained: tuple[str, str]) -> None:
    """Programs take `.out` files that were changed after the creation of their job, by dates with milliseconds."""
    source = client.put("recorded-in/job_input.json", b'{"userId": "u1"}\n{"itemId": "i1"}\n')
    with client.lasting("batch-inference-job", seconds=1):
        job = client.personalize.create_batch_inference_job(
            jobName="recorded",
            solutionVersionArn=trained[1],
            roleArn=ROLE,
            jobInput={"s3DataSource": {"path": source}},
            jobOutput={"s3DataDestination": {"path": f"s3://{BUCKET}/recorded-out/"}},
        )["batchInferenceJobArn"]
        client.wait(job, until="CREATE IN_PROGRESS")
    assert "Contents" not in client.s3.list_objects_v2(Bucket=BUCKET, Prefix="recorded-out/")
    shown = client.wait(job)
    assert shown["creationDateTime"].microsecond % 1000 == 0
    objects = client.s3.list_objects_v2(Bucket=BUCKET, Prefix="recorded-out/")["Contents"]
    assert [entry["Key"].rsplit("/", 1)[1] for entry in objects] == ["_CHECK", "job_input.json.out"]
    # Dates of objects are whole seconds here. The second of CREATE PENDING is long over, and that of CREATE IN_PROGRESS too.
    assert all(entry["LastModified"] > shown["creationDateTime"] + timedelta(seconds=1) for entry in objects)
    good, bad = map(json.loads, _text(client, "recorded-out/job_input.json.out"))
    assert (good["input"], good["error"]) == ({"userId": "u1"}, None)
    assert len(good["output"]["recommendedItems"]) == len(good["output"]["scores"]) > 0
    assert bad["output"] == {"recommendedItems": []}
    assert bad["error"] == "User error: Required fields for the provided recipe are userId"


def test_output_of_a_segment_job(client: Client, shop: str) -> None:
    """The users stand under `usersList`; the guide's example says recommendedUsers."""
    version = client.version(client.solution(shop, "recorded-segments", "aws-item-attribute-affinity"))
    line = {"itemAttributes": 'ITEMS.genres = "Comedy"'}
    job = client.personalize.create_batch_segment_job(
        jobName="recorded",
        solutionVersionArn=version,
        roleArn=ROLE,
        numResults=5,
        jobInput={"s3DataSource": {"path": client.put("recorded-segments.json", json.dumps(line).encode())}},
        jobOutput={"s3DataDestination": {"path": f"s3://{BUCKET}/recorded-segments/"}},
    )["batchSegmentJobArn"]
    client.wait(job)
    (answer,) = map(json.loads, _text(client, "recorded-segments/recorded-segments.json.out"))
    assert (answer["input"], answer["error"], len(answer["output"]["usersList"])) == (line, None, 5)
    metrics = client.personalize.get_solution_metrics(solutionVersionArn=version)["metrics"]
    assert set(metrics) == {"coverage", "hits_at_1_percent", "recall_at_1_percent"}


def _text(client: Client, key: str) -> list[str]:
    body: bytes = client.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return body.decode().splitlines()
