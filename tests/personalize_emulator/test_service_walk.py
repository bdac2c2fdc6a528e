"""All 79 operations once, with a real client, in the order of a life: create, use, describe, list, delete."""

from __future__ import annotations

import json
import time
from typing import Any

from botocore.model import Shape

from personalize_emulator.quotas import Quotas
from tests.personalize_emulator.conftest import NewClient
from tests.personalize_emulator.journey import BUCKET, RECIPE, ROLE, Client, avro, csv_of, rows
from tests.personalize_emulator.requests import OPERATIONS

VIDEO_ITEMS = [
    {"name": "ITEM_ID", "type": "string"},
    {"name": "GENRES", "type": "string", "categorical": True},
    {"name": "CREATION_TIMESTAMP", "type": "long"},
]
ACTIONS = [
    {"name": "ACTION_ID", "type": "string"},
    {"name": "VALUE", "type": ["null", "long"]},
    {"name": "LEVEL", "type": ["null", "string"], "categorical": True},
]
ACTION_INTERACTIONS = [
    {"name": "USER_ID", "type": "string"},
    {"name": "ACTION_ID", "type": "string"},
    {"name": "EVENT_TYPE", "type": "string"},
    {"name": "TIMESTAMP", "type": "long"},
]


class Walk:
    """Calls operations, and checks that each answer has what its model requires."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.called: set[str] = set()
        for boto in (client.personalize, client.runtime, client.events):
            boto.meta.events.register("after-call", self._after)

    def _after(self, parsed: dict[str, Any], model: Any, **_: Any) -> None:
        self.called.add(model.name)
        if model.output_shape and "Error" not in parsed:
            check_required(model.output_shape, parsed)


def check_required(shape: Shape, value: Any) -> None:
    if shape.type_name == "structure":
        assert set(shape.required_members) <= set(value)
        for name, member in shape.members.items():
            if name in value:
                check_required(member, value[name])
    elif shape.type_name == "list":
        for entry in value:
            check_required(shape.member, entry)


def test_all_operations_answer(new_client: NewClient) -> None:
    client = new_client(speed=2000, quotas=Quotas(pending_import_jobs=20))
    client.s3.put_object(Bucket=BUCKET, Key="in/users.json", Body=b'{"userId": "u1"}\n{"userId": "u2"}\n')
    client.s3.put_object(Bucket=BUCKET, Key="in2/items.json", Body=b'{"itemId": "i1"}\n')
    walk = Walk(client)
    custom(client)
    actions(client)
    domain(client)
    catalogue(client)
    assert walk.called == set(OPERATIONS)


def custom(client: Client) -> None:
    p = client.personalize
    group = client.loaded_group("walk")
    interactions, items = f"{group.replace('-group', '')}/INTERACTIONS", f"{group.replace('-group', '')}/ITEMS"
    users = f"{group.replace('-group', '')}/USERS"
    solution = client.solution(group, "walk", "aws-user-personalization")
    version = client.version(solution, name="first")
    campaign = client.campaign(version, "walk", campaignConfig={"itemExplorationConfig": {"explorationWeight": "0.1"}})
    ranking = client.campaign(client.version(client.solution(group, "rank", "aws-personalized-ranking")), "rank")
    kept = client.filter(group, "walk", 'EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("Purchase")')
    tracking_id = client.tracker(group, "walk")
    client.events.put_events(
        trackingId=tracking_id, sessionId="s", userId="u1", eventList=[{"eventType": "View", "sentAt": time.time()}]
    )
    client.events.put_items(datasetArn=items, items=[{"itemId": "i1", "properties": json.dumps({"price": 2.5})}])
    client.events.put_users(datasetArn=users, users=[{"userId": "u1", "properties": json.dumps({"age": 20})}])
    client.runtime.get_recommendations(campaignArn=campaign, userId="u1", filterArn=kept)
    client.runtime.get_personalized_ranking(campaignArn=ranking, userId="u1", inputList=["i1", "i2"])
    p.get_solution_metrics(solutionVersionArn=version)
    p.update_campaign(campaignArn=campaign, minProvisionedTPS=2)
    p.update_solution(solutionArn=solution, performAutoTraining=True)
    attribution = p.create_metric_attribution(
        name="walk",
        datasetGroupArn=group,
        metrics=[{"eventType": "Purchase", "metricName": "sold", "expression": "SUM(Items.PRICE)"}],
        metricsOutputConfig={"roleArn": ROLE},
    )["metricAttributionArn"]
    client.wait(attribution)
    p.update_metric_attribution(metricAttributionArn=attribution, removeMetrics=["sold"])
    p.list_metric_attribution_metrics(metricAttributionArn=attribution)
    schema = p.create_schema(name="wider", schema=avro("Users", [*json.loads(avro("Users"))["fields"], nullable("CITY")]))[
        "schemaArn"
    ]
    p.update_dataset(datasetArn=users, schemaArn=schema)
    with client.lasting("solution-version", seconds=5):
        stopped = p.create_solution_version(solutionArn=solution)["solutionVersionArn"]
        p.stop_solution_version_creation(solutionVersionArn=stopped)
    jobs = bulk_jobs(client, group, interactions, version)
    p.tag_resource(resourceArn=campaign, tags=[{"tagKey": "team", "tagValue": "search"}])
    assert p.list_tags_for_resource(resourceArn=campaign)["tags"] == [{"tagKey": "team", "tagValue": "search"}]
    p.untag_resource(resourceArn=campaign, tagKeys=["team"])
    list_everything(client, group, version)
    for job in jobs:
        client.wait(job, until="COMPLETED" if "deletion" in job else "ACTIVE")
    client.wait(stopped, until="CREATE STOPPED")
    for arn in (campaign, solution, attribution, users):
        updated(client, arn)
    tear_down(client, group, solution, [campaign, ranking], kept, attribution)


def nullable(name: str) -> dict[str, Any]:
    return {"name": name, "type": ["null", "string"], "categorical": True}


def bulk_jobs(client: Client, group: str, interactions: str, version: str) -> list[str]:
    p = client.personalize
    affinity = client.version(client.solution(group, "affinity", "aws-item-affinity"))
    batch = {"jobName": "walk", "roleArn": ROLE}
    output = {"s3DataDestination": {"path": f"s3://{BUCKET}/out/"}}
    return [
        p.create_batch_inference_job(
            **batch,
            solutionVersionArn=version,
            jobInput={"s3DataSource": {"path": f"s3://{BUCKET}/in/users.json"}},
            jobOutput=output,
        )["batchInferenceJobArn"],
        p.create_batch_segment_job(
            **batch,
            solutionVersionArn=affinity,
            jobInput={"s3DataSource": {"path": f"s3://{BUCKET}/in2/"}},
            jobOutput=output,
        )["batchSegmentJobArn"],
        p.create_dataset_export_job(**batch, datasetArn=interactions, jobOutput=output)["datasetExportJobArn"],
        p.create_data_deletion_job(
            **batch, datasetGroupArn=group, dataSource={"dataLocation": client.put("gone.csv", b"USER_ID\nu59\n")}
        )["dataDeletionJobArn"],
    ]


def list_everything(client: Client, group: str, version: str) -> None:
    for name, model in OPERATIONS.items():
        if not name.startswith("List") or name.startswith(("ListTags", "ListMetricAttributionMetrics", "ListRecipes")):
            continue
        method = getattr(client.personalize, "list" + "".join(f"_{c.lower()}" if c.isupper() else c for c in name[4:]))
        arguments = {"datasetGroupArn": group, "solutionVersionArn": version, "solutionArn": version.rsplit("/", 1)[0]}
        answer = method(**{k: v for k, v in arguments.items() if k in model.input_shape.members})
        [entries] = [value for key, value in answer.items() if key not in ("ResponseMetadata", "nextToken")]
        assert entries or name == "ListRecommenders" or name == "ListBatchSegmentJobs", name


def updated(client: Client, arn: str) -> None:
    """Wait until the latest update of a resource is done."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        shown = client.wait(arn)
        updates = [value for key, value in shown.items() if key.startswith("latest") and key.endswith("Update")]
        if all(update["status"] == "ACTIVE" for update in updates):
            return
        time.sleep(0.02)
    raise AssertionError(f"{arn} is still being updated")


def tear_down(client: Client, group: str, solution: str, campaigns: list[str], kept: str, attribution: str) -> None:
    p = client.personalize
    for campaign in campaigns:
        p.delete_campaign(campaignArn=campaign)
    for campaign in campaigns:
        client.wait(campaign, until=None)
    p.delete_metric_attribution(metricAttributionArn=attribution)
    p.delete_filter(filterArn=kept)
    trackers = p.list_event_trackers(datasetGroupArn=group)["eventTrackers"]
    p.delete_event_tracker(eventTrackerArn=trackers[0]["eventTrackerArn"])
    solutions = [s["solutionArn"] for s in p.list_solutions(datasetGroupArn=group)["solutions"]]
    assert solution in solutions
    for arn in solutions:
        p.delete_solution(solutionArn=arn)
    for arn in (kept, attribution, trackers[0]["eventTrackerArn"], *solutions):
        client.wait(arn, until=None)
    datasets = [d["datasetArn"] for d in p.list_datasets(datasetGroupArn=group)["datasets"]]
    schemas = [p.describe_dataset(datasetArn=arn)["dataset"]["schemaArn"] for arn in datasets]
    for arn in datasets:
        p.delete_dataset(datasetArn=arn)
    for arn in datasets:
        client.wait(arn, until=None)
    p.delete_dataset_group(datasetGroupArn=group)
    client.wait(group, until=None)
    for schema in schemas:
        p.describe_schema(schemaArn=schema)
        p.delete_schema(schemaArn=schema)
    assert group not in [g["datasetGroupArn"] for g in p.list_dataset_groups()["datasetGroups"]]


def actions(client: Client) -> None:
    group = client.loaded_group("actions", ["Interactions"])
    actions = client.dataset(group, "Actions", ACTIONS)
    schema = client.personalize.create_schema(name="action-interactions", schema=avro("ActionInteractions", ACTION_INTERACTIONS))[
        "schemaArn"
    ]
    taken = client.personalize.create_dataset(
        name="taken", schemaArn=schema, datasetGroupArn=group, datasetType="Action_Interactions"
    )["datasetArn"]
    client.events.put_actions(
        datasetArn=actions, actions=[{"actionId": f"a{n}", "properties": json.dumps({"value": n})} for n in range(5)]
    )
    client.events.put_action_interactions(
        trackingId=client.wait(taken)["trackingId"],
        actionInteractions=[{"actionId": "a1", "userId": "u1", "sessionId": "s", "timestamp": time.time(), "eventType": "Taken"}],
    )
    campaign = client.campaign(client.version(client.solution(group, "actions", "aws-next-best-action")), "actions")
    answer = client.runtime.get_action_recommendations(campaignArn=campaign, userId="u1")
    assert len(answer["actionList"]) == 5
    assert all(0 <= action["score"] <= 1 for action in answer["actionList"])


def domain(client: Client) -> None:
    p = client.personalize
    group = client.group("video", domain="VIDEO_ON_DEMAND")
    videos = [[item, genre, created] for item, genre, _, created in rows("Items")]
    watched = [[u, i, t, "Watch", v] for u, i, t, _, v in rows("Interactions")]
    tables = {"Interactions": (None, csv_of("Interactions", watched)), "Items": (VIDEO_ITEMS, b"")}
    tables["Items"] = (
        VIDEO_ITEMS,
        b"ITEM_ID,GENRES,CREATION_TIMESTAMP\n" + "".join(f"{i},{g},{t}\n" for i, g, t in videos).encode(),
    )
    for name, (fields, body) in tables.items():
        client.wait(client.start_import(client.dataset(group, name, fields), body, f"video-{name}"))
    recommender = p.create_recommender(name="picks", datasetGroupArn=group, recipeArn=RECIPE + "aws-vod-top-picks")[
        "recommenderArn"
    ]
    assert client.wait(recommender)["modelMetrics"]
    answer = client.runtime.get_recommendations(recommenderArn=recommender, userId="u1", numResults=5)
    assert len(answer["itemList"]) == 5
    p.update_recommender(recommenderArn=recommender, recommenderConfig={"minRecommendationRequestsPerSecond": 2})
    updated(client, recommender)
    p.stop_recommender(recommenderArn=recommender)
    client.wait(recommender, until="INACTIVE")
    p.start_recommender(recommenderArn=recommender)
    client.wait(recommender)
    assert p.list_recommenders(datasetGroupArn=group)["recommenders"]
    p.delete_recommender(recommenderArn=recommender)
    client.wait(recommender, until=None)


def catalogue(client: Client) -> None:
    p = client.personalize
    recipes = p.list_recipes()["recipes"]
    assert {"aws-user-personalization-v2", "aws-vod-top-picks"} <= {recipe["name"] for recipe in recipes}
    assert all(recipe["domain"] == "ECOMMERCE" for recipe in p.list_recipes(domain="ECOMMERCE")["recipes"])
    recipe = p.describe_recipe(recipeArn=RECIPE + "aws-sims")["recipe"]
    algorithm = p.describe_algorithm(algorithmArn=recipe["algorithmArn"])["algorithm"]
    assert "popularity_discount_factor" in algorithm["defaultHyperParameters"]
    transformation = p.describe_feature_transformation(featureTransformationArn=recipe["featureTransformationArn"])
    assert transformation["featureTransformation"]["status"] == "ACTIVE"
