"""What the control plane refuses, and how."""

from __future__ import annotations

from typing import Any

import pytest

from personalize_emulator.quotas import Quotas
from tests.personalize_emulator.conftest import NewClient
from tests.personalize_emulator.journey import BUCKET, RECIPE, ROLE, Client, avro, csv_of, error_of

NONE = "arn:aws:personalize:us-east-1:123456789012:"


@pytest.fixture(scope="module")
def version(client: Client, shop: str) -> str:
    return client.version(client.solution(shop, "rules", "aws-user-personalization"))


def test_a_name_is_used_once(client: Client, shop: str) -> None:
    code, message = error_of(client.personalize.create_dataset_group, name="shop")
    assert code == "ResourceAlreadyExistsException"
    assert shop in message
    code, _ = error_of(client.personalize.create_schema, name="shop-Items", schema=avro("Items"))
    assert code == "ResourceAlreadyExistsException"
    schema = NONE + "schema/shop-Items"
    code, _ = error_of(
        client.personalize.create_dataset, name="again", schemaArn=schema, datasetGroupArn=shop, datasetType="items"
    )
    assert code == "ResourceAlreadyExistsException"


def test_a_pending_dataset_group_takes_no_dataset(new_client: NewClient) -> None:
    client = new_client(speed=1)
    group = client.personalize.create_dataset_group(name="slow")["datasetGroupArn"]
    schema = client.personalize.create_schema(name="users", schema=avro("Users"))["schemaArn"]
    request = {"name": "users", "schemaArn": schema, "datasetGroupArn": group, "datasetType": "Users"}
    assert error_of(client.personalize.create_dataset, **request)[0] == "ResourceInUseException"
    assert error_of(client.personalize.delete_dataset_group, datasetGroupArn=group)[0] == "ResourceInUseException"


def test_deletes_are_refused_while_something_uses_the_resource(client: Client, shop: str, version: str) -> None:
    solution = version.rsplit("/", 1)[0]
    campaign = client.campaign(version, "user-of-solution")
    p = client.personalize
    for call, request, user in (
        (p.delete_solution, {"solutionArn": solution}, campaign),
        (p.delete_dataset, {"datasetArn": NONE + "dataset/shop/INTERACTIONS"}, "in use by"),
        (p.delete_dataset_group, {"datasetGroupArn": shop}, "dataset"),
        (p.delete_schema, {"schemaArn": NONE + "schema/shop-Items"}, NONE + "dataset/shop/ITEMS"),
    ):
        code, message = error_of(call, **request)
        assert code == "ResourceInUseException"
        assert user in message
    with client.lasting("delete", seconds=2):
        p.delete_campaign(campaignArn=campaign)
        assert error_of(p.update_campaign, campaignArn=campaign, minProvisionedTPS=2)[0] == "ResourceInUseException"
    client.wait(campaign, until=None)


def test_an_import_that_cannot_be_ends_with_its_reason(client: Client) -> None:
    group = client.group("imports")
    users = client.dataset(group, "Users")
    p = client.personalize
    request: dict[str, Any] = {"datasetArn": users, "roleArn": ROLE}
    code, message = error_of(
        p.create_dataset_import_job,
        **request,
        jobName="first-incremental",
        dataSource={"dataLocation": f"s3://{BUCKET}/users.csv"},
        importMode="INCREMENTAL",
    )
    assert code == "InvalidInputException"
    assert "FULL" in message
    missing = p.create_dataset_import_job(
        **request, jobName="nothing-there", dataSource={"dataLocation": f"s3://{BUCKET}/none.csv"}
    )["datasetImportJobArn"]
    assert "Invalid Data location." in client.wait(missing, until="CREATE FAILED")["failureReason"]
    wrong = client.start_import(users, b"USER_ID,AGES\nu1,3\n", "missing-column")
    reason = client.wait(wrong, until="CREATE FAILED")["failureReason"]
    assert "Input CSV is missing the following columns:[AGE]" in reason
    for key, body in (("folder/", b""), ("folder/a.csv", csv_of("Users")), ("folder/below/b.csv", b"no"), ("folder/c.csv", b"")):
        client.put(key, body)
    folder = {"dataLocation": f"s3://{BUCKET}/folder/"}
    empty = p.create_dataset_import_job(**request, jobName="empty", dataSource=folder)["datasetImportJobArn"]
    assert client.wait(empty, until="CREATE FAILED")["failureReason"].startswith("folder/c.csv, line 1: the file is empty")
    client.wait(client.start_import(users, csv_of("Users"), "good"))
    client.wait(client.start_import(users, b"USER_ID,AGE\nnew,33\n", "more", "INCREMENTAL"))


def test_too_little_data_fails_the_solution_version(client: Client) -> None:
    group = client.group("little")
    client.dataset(group, "Interactions")
    solution = client.solution(group, "little", "aws-user-personalization-v2")
    version = client.personalize.create_solution_version(solutionArn=solution)["solutionVersionArn"]
    reason = client.wait(version, until="CREATE FAILED")["failureReason"]
    assert "1000" in reason or "25" in reason
    code, _ = error_of(client.personalize.get_solution_metrics, solutionVersionArn=version)
    assert code == "InvalidInputException"
    latest = client.personalize.describe_solution(solutionArn=solution)["solution"]["latestSolutionVersion"]
    assert (latest["solutionVersionArn"], latest["status"]) == (version, "CREATE FAILED")


@pytest.mark.parametrize(
    ("named", "recipe", "options"),
    [
        ("recipeArn", None, {}),
        ("performAutoML", "aws-sims", {"performAutoML": True}),
        ("performHPO", "aws-popularity-count", {"performHPO": True}),
        ("use case", "aws-vod-top-picks", {}),
        ("bptt", "aws-user-personalization", {"solutionConfig": {"algorithmHyperParameters": {"bptt": "99"}}}),
        ("depth", "aws-user-personalization", {"solutionConfig": {"algorithmHyperParameters": {"depth": "9"}}}),
        ("eventValueThreshold", "aws-sims", {"solutionConfig": {"eventValueThreshold": "high"}}),
        (
            "schedulingExpression",
            "aws-sims",
            {"solutionConfig": {"autoTrainingConfig": {"schedulingExpression": "rate(31 days)"}}},
        ),
        (
            "eventsConfig",
            "aws-sims",
            {"solutionConfig": {"eventsConfig": {"eventParametersList": [{"eventType": "View", "weight": 1.0}]}}},
        ),
        (
            "EVENT_TYPE",
            "aws-user-personalization-v2",
            {"solutionConfig": {"trainingDataConfig": {"excludedDatasetColumns": {"INTERACTIONS": ["EVENT_TYPE"]}}}},
        ),
        (
            "GENRES",
            "aws-user-personalization-v2",
            {"solutionConfig": {"optimizationObjective": {"itemAttribute": "GENRES", "objectiveSensitivity": "LOW"}}},
        ),
    ],
)
def test_a_solution_that_cannot_be_is_refused(
    client: Client, shop: str, named: str, recipe: str | None, options: dict[str, Any]
) -> None:
    request = {"name": "faulty", "datasetGroupArn": shop} | options
    if recipe:
        request["recipeArn"] = RECIPE + recipe
    code, message = error_of(client.personalize.create_solution, **request)
    assert code == "InvalidInputException"
    assert named in message


def test_an_unknown_recipe_is_not_found(client: Client, shop: str) -> None:
    code, _ = error_of(client.personalize.create_solution, name="x", datasetGroupArn=shop, recipeArn=RECIPE + "aws-foo")
    assert code == "ResourceNotFoundException"


def test_hyperparameter_search_reports_what_it_chose(client: Client, shop: str) -> None:
    ranges = {
        "integerHyperParameterRanges": [{"name": "min_cointeraction_count", "minValue": 5, "maxValue": 8}],
        "continuousHyperParameterRanges": [],
        "categoricalHyperParameterRanges": [],
    }
    solution = client.solution(
        shop,
        "hpo",
        "aws-sims",
        performHPO=True,
        solutionConfig={"hpoConfig": {"algorithmHyperParameterRanges": ranges}},
    )
    version = client.version(solution)
    shown = client.personalize.describe_solution_version(solutionVersionArn=version)["solutionVersion"]
    assert shown["tunedHPOParams"]["algorithmHyperParameters"]["min_cointeraction_count"] == "5"


def test_automl_names_the_best_recipe(client: Client, shop: str) -> None:
    created = client.personalize.create_solution(
        name="automl", datasetGroupArn=shop, performAutoML=True, performAutoTraining=False
    )["solutionArn"]
    client.wait(created)
    version = client.version(created)
    best = client.personalize.describe_solution(solutionArn=created)["solution"]["autoMLResult"]["bestRecipeArn"]
    shown = client.personalize.describe_solution_version(solutionVersionArn=version)["solutionVersion"]
    assert shown["recipeArn"] == best
    assert client.recommended(client.campaign(version, "automl"), userId="u1")


def test_training_mode_update_needs_a_full_version(client: Client, shop: str, version: str) -> None:
    p = client.personalize
    solution = client.solution(shop, "update-mode", "aws-user-personalization")
    assert error_of(p.create_solution_version, solutionArn=solution, trainingMode="UPDATE")[0] == "InvalidInputException"
    updated = client.version(version.rsplit("/", 1)[0], trainingMode="UPDATE")
    assert p.get_solution_metrics(solutionVersionArn=updated)["metrics"]
    similar = client.solution(shop, "no-update-mode", "aws-similar-items")
    assert error_of(p.create_solution_version, solutionArn=similar, trainingMode="UPDATE")[0] == "InvalidInputException"


@pytest.mark.parametrize(
    ("named", "config"),
    [
        ("$LATEST", {"syncWithLatestSolutionVersion": True}),
        ("explorationWeight", {"itemExplorationConfig": {"explorationWeight": "1.5"}}),
        ("explorationItemAgeCutOff", {"itemExplorationConfig": {"explorationItemAgeCutOff": "old"}}),
        ("itemExplorationConfig", {"itemExplorationConfig": {"boldness": "1"}}),
        ("rankingInfluence", {"rankingInfluence": {"POPULARITY": 0.5}}),
    ],
)
def test_a_campaign_config_that_cannot_be_is_refused(client: Client, version: str, named: str, config: dict[str, Any]) -> None:
    code, message = error_of(client.personalize.create_campaign, name="faulty", solutionVersionArn=version, campaignConfig=config)
    assert code == "InvalidInputException"
    assert named in message


def test_a_campaign_follows_the_latest_version(client: Client, shop: str) -> None:
    solution = client.solution(shop, "followed", "aws-popularity-count")
    first = client.version(solution)
    campaign = client.campaign(f"{solution}/$LATEST", "follower", campaignConfig={"syncWithLatestSolutionVersion": True})
    assert client.wait(campaign)["solutionVersionArn"] == first
    second = client.version(solution)
    for _ in range(500):
        shown = client.wait(campaign)
        if shown["solutionVersionArn"] == second:
            break
    assert shown["latestCampaignUpdate"]["status"] == "ACTIVE"


def test_quotas_are_on(new_client: NewClient) -> None:
    client = new_client(speed=1, quotas=Quotas(filters_per_dataset_group=1, pending_import_jobs=1, dataset_groups=2))
    p = client.personalize
    for name in ("one", "two"):
        p.create_dataset_group(name=name)
    code, message = error_of(p.create_dataset_group, name="three")
    assert code == "LimitExceededException"
    assert "More than 2 resources in ACTIVE state" in message


def test_pages_are_whole_though_the_list_changes(client: Client) -> None:
    p = client.personalize
    names = [f"page-{n}" for n in range(7)]
    for name in names:
        p.create_schema(name=name, schema=avro("Users"))
    first = p.list_schemas(maxResults=3)
    p.create_schema(name="page-last", schema=avro("Users"))
    seen = [schema["name"] for schema in first["schemas"]]
    token = first["nextToken"]
    while token:
        page = p.list_schemas(maxResults=3, nextToken=token)
        seen += [schema["name"] for schema in page["schemas"]]
        token = page.get("nextToken")
    assert len(seen) == len(set(seen))
    assert set(names) <= set(seen)
    assert error_of(p.list_schemas, nextToken="bogus")[0] == "InvalidNextTokenException"
    other = p.list_recipes(maxResults=1)["nextToken"]
    assert error_of(p.list_schemas, nextToken=other)[0] == "InvalidNextTokenException"


def test_a_list_under_the_wrong_kind_of_arn_is_an_error(client: Client, shop: str, version: str) -> None:
    """An empty list would be taken for an answer."""
    p, solution = client.personalize, version.rsplit("/", 1)[0]
    for call, member, wrong in (
        (p.list_datasets, "datasetGroupArn", solution),
        (p.list_solutions, "datasetGroupArn", version),
        (p.list_filters, "datasetGroupArn", NONE + "dataset/shop/ITEMS"),
        (p.list_dataset_import_jobs, "datasetArn", shop),
        (p.list_campaigns, "solutionArn", shop),
        (p.list_batch_inference_jobs, "solutionVersionArn", solution),
    ):
        code, message = error_of(call, **{member: wrong})
        assert (code, message.startswith(f"{member}: {wrong} is not")) == ("InvalidInputException", True)
    assert p.list_datasets(datasetGroupArn=NONE + "dataset-group/gone")["datasets"] == []


def test_tags(client: Client, shop: str) -> None:
    p = client.personalize
    many = [{"tagKey": f"k{n}", "tagValue": ""} for n in range(51)]
    assert error_of(p.tag_resource, resourceArn=shop, tags=many)[0] == "TooManyTagsException"
    keys = [tag["tagKey"] for tag in many]
    assert error_of(p.untag_resource, resourceArn=shop, tagKeys=keys)[0] == "TooManyTagKeysException"
    assert error_of(p.create_dataset_group, name="tagged", tags=many)[0] == "TooManyTagsException"
    assert error_of(p.tag_resource, resourceArn=shop, tags=[many[0], many[0]])[0] == "InvalidInputException"
    schema = NONE + "schema/shop-Items"
    assert error_of(p.tag_resource, resourceArn=schema, tags=many[:1])[0] == "InvalidInputException"
    assert error_of(p.list_tags_for_resource, resourceArn=NONE + "filter/none")[0] == "ResourceNotFoundException"


def test_one_event_tracker_for_a_dataset_group(client: Client) -> None:
    group = client.group("trackers")
    first = client.tracker(group, "first-tracker")
    code, _ = error_of(client.personalize.create_event_tracker, name="second-tracker", datasetGroupArn=group)
    assert code == "ResourceAlreadyExistsException"
    event = {"eventType": "View", "itemId": "i1", "sentAt": 1_700_000_000}
    for tracking_id in (first, "unknown"):  # the group has no Interactions dataset
        code, message = error_of(client.events.put_events, trackingId=tracking_id, sessionId="s", eventList=[event])
        assert code == "InvalidInputException"
        assert "trackingId" in message


def test_a_filter_is_checked_when_it_is_created(client: Client, shop: str) -> None:
    for expression in (
        "INCLUDE ItemID WHERE Items.NOTHING IN ($X)",
        'INCLUDE ItemID WHERE Items.GENRES = "Drama"',
        "ItemID WHERE",
    ):
        code, _ = error_of(client.personalize.create_filter, name="faulty", datasetGroupArn=shop, filterExpression=expression)
        assert code == "InvalidInputException"


def test_a_filter_by_the_current_item_is_for_recipes_of_related_items(client: Client, shop: str, version: str) -> None:
    campaign = client.campaign(version, "no-current-item")
    near = client.filter(shop, "near", "INCLUDE ItemID WHERE Items.GENRES IN CurrentItem.GENRES")
    code, message = error_of(client.runtime.get_recommendations, campaignArn=campaign, userId="u1", itemId="i1", filterArn=near)
    assert (code, "CurrentItem" in message) == ("InvalidInputException", True)
    client.personalize.delete_filter(filterArn=near)


def test_runtime_refuses_what_is_not_there(client: Client, shop: str, version: str) -> None:
    get = client.runtime.get_recommendations
    assert error_of(get, campaignArn=NONE + "campaign/none", userId="u")[0] == "ResourceNotFoundException"
    assert error_of(get, userId="u")[0] == "InvalidInputException"
    campaign = client.campaign(version, "refusing")
    none = NONE + "filter/none"
    assert error_of(get, campaignArn=campaign, userId="u", filterArn=none)[0] == "ResourceNotFoundException"
    assert error_of(get, campaignArn=campaign)[0] == "InvalidInputException"
    ranking = client.runtime.get_personalized_ranking
    assert error_of(ranking, campaignArn=campaign, userId="u", inputList=["i1"])[0] == "InvalidInputException"
