"""What the service does by itself: automatic trainings, updates and retrainings; and its jobs over S3."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.harness.waiting import eventually
from tests.personalize_emulator.conftest import NewClient
from tests.personalize_emulator.journey import BUCKET, RECIPE, ROLE, START, Client, csv_of, error_of, rows

HOUR = 3600


def versions(client: Client, solution: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = client.personalize.list_solution_versions(solutionArn=solution)["solutionVersions"]
    return listed


def test_automatic_training_and_its_end(new_client: NewClient) -> None:
    client = new_client(speed=24 * HOUR)  # a day a second
    group = client.loaded_group("auto")
    schedule = {"autoTrainingConfig": {"schedulingExpression": "rate(2 days)"}}
    solution = client.solution(group, "auto", "aws-popularity-count", performAutoTraining=True, solutionConfig=schedule)
    first = eventually(lambda: [v for v in versions(client, solution) if v["status"] == "ACTIVE"])
    assert [version["trainingType"] for version in first] == ["AUTOMATIC"]
    later = client.loaded_group("later")
    witness = client.solution(later, "later", "aws-popularity-count", performAutoTraining=True, solutionConfig=schedule)
    eventually(lambda: [v for v in versions(client, witness) if v["status"] == "ACTIVE"])
    view(client, later, "later")
    eventually(lambda: len(versions(client, witness)) == 2)
    assert len(versions(client, solution)) == 1  # no new data, no new version, when the time for it has passed
    view(client, group, "auto")
    eventually(lambda: len(versions(client, solution)) == 2)
    client.personalize.update_solution(solutionArn=solution, performAutoTraining=False)
    eventually(lambda: client.wait(solution)["performAutoTraining"] is False)


def view(client: Client, group: str, tracker: str) -> None:
    event = {"eventType": "View", "itemId": "i1", "sentAt": time.time()}
    client.events.put_events(trackingId=client.tracker(group, tracker), sessionId="s", userId="u1", eventList=[event])


def test_a_manual_training_replaces_the_first_automatic_one(new_client: NewClient) -> None:
    client = new_client(speed=HOUR)
    group = client.loaded_group("manual", ["Interactions"])
    solution = client.solution(group, "manual", "aws-popularity-count", performAutoTraining=True)
    client.version(solution)
    witness = client.solution(group, "later", "aws-popularity-count", performAutoTraining=True)
    eventually(lambda: versions(client, witness))
    assert [version["trainingType"] for version in versions(client, solution)] == ["MANUAL"]


def test_a_new_item_appears_with_the_automatic_update(new_client: NewClient) -> None:
    client = new_client(speed=2 * HOUR)
    group = client.loaded_group("new-items")
    campaign = client.campaign(
        client.version(client.solution(group, "new-items", "aws-user-personalization")),
        "new-items",
        campaignConfig={"itemExplorationConfig": {"explorationWeight": "1.0"}},
    )
    items = "arn:aws:personalize:us-east-1:123456789012:dataset/new-items/ITEMS"
    properties = json.dumps({"genres": "Drama", "price": 1.0, "creationTimestamp": int(time.time())})
    client.events.put_items(datasetArn=items, items=[{"itemId": "brand-new", "properties": properties}])
    eventually(lambda: "brand-new" in client.recommended(campaign, userId="u1", numResults=100))


def test_batch_inference_writes_a_line_per_line(client: Client, shop: str) -> None:
    version = client.version(client.solution(shop, "batch", "aws-user-personalization-v2"))
    kept = client.filter(shop, "batch", "INCLUDE ItemID WHERE Items.GENRES IN ($GENRE)")
    for n, users in enumerate((["u1", "u2"], ["u3"])):
        lines = [json.dumps({"userId": u, "filterValues": {"GENRE": '"Drama"'}}) for u in users]
        client.put(f"batch-in/{n}.json", "\n".join([*lines, '{"itemId": "i1"}', "no json"]).encode())
    job = client.personalize.create_batch_inference_job(
        jobName="batch",
        solutionVersionArn=version,
        filterArn=kept,
        numResults=7,
        jobInput={"s3DataSource": {"path": f"s3://{BUCKET}/batch-in/"}},
        jobOutput={"s3DataDestination": {"path": f"s3://{BUCKET}/batch-out/"}},
        roleArn=ROLE,
    )["batchInferenceJobArn"]
    client.wait(job)
    found = client.s3.list_objects_v2(Bucket=BUCKET, Prefix="batch-out/")["Contents"]
    assert {entry["Key"] for entry in found} == {"batch-out/0.json.out", "batch-out/1.json.out", "batch-out/_CHECK"}
    body = client.s3.get_object(Bucket=BUCKET, Key="batch-out/0.json.out")["Body"].read().decode()
    answers = [json.loads(line) for line in body.splitlines()]
    assert [answer["error"] is None for answer in answers] == [True, True, False, False]
    for answer in answers[:2]:
        assert answer["input"]["userId"] in ("u1", "u2")
        assert len(answer["output"]["recommendedItems"]) == len(answer["output"]["scores"]) == 7
        assert all(int(item[1:]) % 4 == 2 for item in answer["output"]["recommendedItems"])


def test_segments_list_users(client: Client, shop: str) -> None:
    version = client.version(client.solution(shop, "segments", "aws-item-affinity"))
    job = client.personalize.create_batch_segment_job(
        jobName="segments",
        solutionVersionArn=version,
        numResults=10,
        jobInput={"s3DataSource": {"path": client.put("segments.json", b'{"itemId": "i1"}\n')}},
        jobOutput={"s3DataDestination": {"path": f"s3://{BUCKET}/segments/"}},
        roleArn=ROLE,
    )["batchSegmentJobArn"]
    client.wait(job)
    answer = json.loads(client.s3.get_object(Bucket=BUCKET, Key="segments/segments.json.out")["Body"].read())
    assert len(answer["output"]["usersList"]) == 10


def test_batch_jobs_refuse_recipes_that_have_none(client: Client, shop: str) -> None:
    version = client.version(client.solution(shop, "no-batch", "aws-trending-now"))
    request = {
        "jobName": "refused",
        "solutionVersionArn": version,
        "jobInput": {"s3DataSource": {"path": f"s3://{BUCKET}/x"}},
        "jobOutput": {"s3DataDestination": {"path": f"s3://{BUCKET}/y/"}},
        "roleArn": ROLE,
    }
    for call in (client.personalize.create_batch_inference_job, client.personalize.create_batch_segment_job):
        code, message = error_of(call, **request)
        assert code == "InvalidInputException"
        assert "aws-trending-now" in message


def test_deleted_users_are_gone_after_retraining(client: Client) -> None:
    group = client.loaded_group("deletion")
    users = "USER_ID\n" + "\n".join(f"u{n}" for n in range(10))
    job = client.personalize.create_data_deletion_job(
        jobName="deletion",
        datasetGroupArn=group,
        dataSource={"dataLocation": client.put("deletion/below/users.csv", users.encode()).rsplit("below", 1)[0]},
        roleArn=ROLE,
    )["dataDeletionJobArn"]
    assert client.wait(job, until="COMPLETED")["numDeleted"] == 10 * (1 + 25)
    version = client.version(client.solution(group, "deletion", "aws-item-affinity"))
    segment = client.personalize.create_batch_segment_job(
        jobName="after-deletion",
        solutionVersionArn=version,
        numResults=100,
        jobInput={"s3DataSource": {"path": client.put("after.json", b'{"itemId": "i1"}\n')}},
        jobOutput={"s3DataDestination": {"path": f"s3://{BUCKET}/after/"}},
        roleArn=ROLE,
    )["batchSegmentJobArn"]
    client.wait(segment)
    answer = json.loads(client.s3.get_object(Bucket=BUCKET, Key="after/after.json.out")["Body"].read())
    assert len(answer["output"]["usersList"]) == 50
    assert not {f"u{n}" for n in range(10)} & set(answer["output"]["usersList"])


def test_a_recommender_is_retrained_weekly(new_client: NewClient) -> None:
    client = new_client(speed=7 * 24 * HOUR)  # a week a second
    group = client.group("weekly", domain="ECOMMERCE")
    dataset = client.dataset(group, "Interactions")
    client.wait(client.start_import(dataset, csv_of("Interactions"), "weekly-1"))
    arn = client.personalize.create_recommender(
        name="weekly", datasetGroupArn=group, recipeArn=RECIPE + "aws-ecomm-popular-items-by-views"
    )["recommenderArn"]
    client.wait(arn)

    def most_viewed() -> str:
        items = client.runtime.get_recommendations(recommenderArn=arn, userId="u1", numResults=1)["itemList"]
        return str(items[0]["itemId"])

    assert most_viewed() != "hit"
    hits = [[f"u{n}", "hit", START + n, "View", 1.0] for n in range(60)]
    table = rows("Interactions") + hits + [[f"v{n}", "hit", START + n, "View", 1.0] for n in range(60)]
    client.wait(client.start_import(dataset, csv_of("Interactions", table), "weekly-2"))
    eventually(lambda: most_viewed() == "hit")
