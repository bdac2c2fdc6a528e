"""Quotas, rates, and the fixture that gives a test its own emulator."""

from __future__ import annotations

import time
from pathlib import Path

import boto3
import pytest

from personalize_emulator.emulator import PersonalizeEmulator
from personalize_emulator.quotas import Quotas
from tests.harness.waiting import eventually
from tests.personalize_emulator.conftest import NewClient
from tests.personalize_emulator.journey import ROLE, Client, csv_of, error_of
from tests.personalize_emulator.requests import send


def test_pending_imports(new_client: NewClient) -> None:
    client = new_client()
    users = client.dataset(client.group("imports"), "Users")
    location = {"dataLocation": client.put("users.csv", csv_of("Users"))}
    request = {"jobName": "import-5", "datasetArn": users, "dataSource": location}
    with client.lasting("dataset-import-job", seconds=2):
        started = [client.start_import(users, csv_of("Users"), f"import-{n}") for n in range(5)]
        code, message = error_of(client.personalize.create_dataset_import_job, **request)
    assert (code, message) == ("LimitExceededException", "More than 5 resources with PENDING or IN_PROGRESS status")
    for job in started:
        client.wait(job)
    client.wait(client.personalize.create_dataset_import_job(**request)["datasetImportJobArn"])


@pytest.mark.parametrize(
    ("quotas", "code"),
    [
        (Quotas(filters_per_dataset_group=1), "LimitExceededException"),
        (Quotas(filter_fields_per_dataset_group=1), "LimitExceededException"),
        (Quotas(fields_per_filter=0), "InvalidInputException"),
    ],
)
def test_filters(new_client: NewClient, quotas: Quotas, code: str) -> None:
    client = new_client(quotas=quotas)
    group = client.group("filters")
    client.dataset(group, "Items")
    if quotas.fields_per_filter:
        client.filter(group, "first", "INCLUDE ItemID WHERE Items.GENRES IN ($GENRE)")
    request = {"name": "next", "datasetGroupArn": group, "filterExpression": "INCLUDE ItemID WHERE Items.PRICE < 5"}
    assert error_of(client.personalize.create_filter, **request)[0] == code


def test_rates_throttle_and_recover(new_client: NewClient) -> None:
    client = new_client(quotas=Quotas(put_records_per_second=3))
    users = client.dataset(client.group("rates"), "Users")
    request = {"datasetArn": users, "users": [{"userId": "u1", "properties": '{"age": 3}'}]}
    answers = [send(client.endpoint, "PutUsers", request) for _ in range(20)]
    assert answers[0][0] == 200
    assert {answer["__type"] for status, answer in answers if status == 429} == {"ThrottlingException"}
    eventually(lambda: send(client.endpoint, "PutUsers", request)[0] == 200)


def test_a_campaign_throttles_above_what_is_provisioned_until_it_is_scaled(client: Client, shop: str) -> None:
    version = client.version(client.solution(shop, "scaled", "aws-popularity-count"))
    campaign = client.campaign(version, "scaled", minProvisionedTPS=1)
    with client.lasting("scaling", seconds=3600):
        answers = [send(client.endpoint, "GetRecommendations", {"campaignArn": campaign})[0] for _ in range(330)]
        assert set(answers[:300]) == {200}  # five minutes of one call a second
        assert 429 in answers[300:]
    eventually(lambda: send(client.endpoint, "GetRecommendations", {"campaignArn": campaign})[0] == 200)


def test_an_event_larger_than_10_kb_is_refused(client: Client, shop: str) -> None:
    impression = ["\u4e2d" * 250 for _ in range(25)]
    tracking_id = client.tracker(client.loaded_group("large", ["Interactions"]), "large")
    event = {"eventType": "View", "itemId": "i1", "sentAt": 1_700_000_000, "impression": impression}
    request = {"trackingId": tracking_id, "sessionId": "s", "eventList": [event]}
    status, answer = send(client.endpoint, "PutEvents", request)
    assert (status, answer["__type"]) == (400, "InvalidInputException")
    assert "10240 bytes" in answer["message"]


def test_filters_see_events_after_the_lag(new_client: NewClient) -> None:
    client = new_client(speed=1000, filter_lag=5000)  # five real seconds
    group = client.loaded_group("lag")
    campaign = client.campaign(client.version(client.solution(group, "lag", "aws-popularity-count")), "lag")
    unseen = client.filter(group, "lag", 'EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("View")')
    tracking_id = client.tracker(group, "lag")
    top = client.recommended(campaign, userId="newcomer", numResults=1)[0]
    event = {"eventType": "View", "itemId": top, "sentAt": time.time()}
    client.events.put_events(trackingId=tracking_id, sessionId="s", userId="newcomer", eventList=[event])
    sent = time.monotonic()
    assert top in client.recommended(campaign, userId="newcomer", filterArn=unseen)
    eventually(lambda: top not in client.recommended(campaign, userId="newcomer", filterArn=unseen))
    assert time.monotonic() - sent > 4


def test_the_fixture_leads_clients_to_the_emulator(personalize_emulator: PersonalizeEmulator) -> None:
    created = boto3.client("personalize").create_dataset_group(name="shop")["datasetGroupArn"]
    direct = boto3.client("personalize", endpoint_url=personalize_emulator.endpoint)
    assert direct.describe_dataset_group(datasetGroupArn=created)["datasetGroup"]["name"] == "shop"


def test_account_and_region_are_in_the_arns(new_client: NewClient) -> None:
    client = new_client(account="210987654321", region="eu-west-1")
    arn = client.personalize.create_dataset_group(name="shop")["datasetGroupArn"]
    assert arn == "arn:aws:personalize:eu-west-1:210987654321:dataset-group/shop"


def test_a_folder_in_the_place_of_s3(new_client: NewClient, tmp_path: Path) -> None:
    """s3://bucket/key is bucket/key in the folder, for what jobs read and for what they write."""
    client = new_client(s3_root=tmp_path)
    group = client.group("folder")
    dataset = client.dataset(group, "Items")
    location = tmp_path / "bucket" / "in" / "items.csv"
    location.parent.mkdir(parents=True)
    location.write_bytes(csv_of("Items"))
    request = {"datasetArn": dataset, "roleArn": ROLE}

    def imported(name: str, at: str) -> str:
        arn: str = client.personalize.create_dataset_import_job(jobName=name, dataSource={"dataLocation": at}, **request)[
            "datasetImportJobArn"
        ]
        return arn

    for name, at in (("file", "s3://bucket/in/items.csv"), ("folder", "s3://bucket/in/")):
        client.wait(imported(name, at))
    for name, at in (("nothing", "s3://bucket/none"), ("outside", "s3://bucket/../../etc/hosts")):
        assert "Invalid Data location" in client.wait(imported(name, at), until="CREATE FAILED")["failureReason"]
    output = {"s3DataDestination": {"path": "s3://other/out"}}
    exported = client.personalize.create_dataset_export_job(
        jobName="exported", ingestionMode="BULK", jobOutput=output, **request
    )["datasetExportJobArn"]
    client.wait(exported)
    assert (tmp_path / "other/out/exported.csv").read_bytes().splitlines()[0] == csv_of("Items").splitlines()[0]


def test_a_role_is_assumed_where_there_is_an_sts(new_client: NewClient, s3_endpoint: str) -> None:
    """Without a service behind its address no role can be assumed, and the job says so."""
    for sts, status in ((s3_endpoint, "ACTIVE"), ("http://127.0.0.1:9", "CREATE FAILED")):
        client = new_client(environment={"AWS_ENDPOINT_URL_S3": s3_endpoint, "AWS_ENDPOINT_URL_STS": sts})
        job = client.start_import(client.dataset(client.group("roles"), "Items"), csv_of("Items"), "roles")
        assert ROLE in client.wait(job, until=status).get("failureReason", ROLE)
