"""A small shop to try things on: data with four tastes, imported and trained through the API, with a campaign that answers.

The same every time: users u0 to u59, items i0 to i47. An item's category follows from its number, and so does a user's taste:
`_CATEGORIES[number % 4]`.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import numpy as np

from personalize_rules.csv import line_of

BUCKET = "personalize-shop"
USERS, ITEMS, EVENTS_PER_USER = 60, 48, 24
_CATEGORIES = ("books", "garden", "music", "tools")
START, HOUR = 1_700_000_000, 3_600
ROLE = "arn:aws:iam::123456789012:role/personalize"
RECIPE = "arn:aws:personalize:::recipe/aws-user-personalization-v2"
_PATIENCE = 300  # seconds until something must be ACTIVE

_FIELDS: dict[str, list[dict[str, Any]]] = {
    "Interactions": [
        {"name": "USER_ID", "type": "string"},
        {"name": "ITEM_ID", "type": "string"},
        {"name": "EVENT_TYPE", "type": "string"},
        {"name": "TIMESTAMP", "type": "long"},
    ],
    "Items": [
        {"name": "ITEM_ID", "type": "string"},
        {"name": "CATEGORY", "type": "string", "categorical": True},
        {"name": "PRICE", "type": "float"},
    ],
    "Users": [{"name": "USER_ID", "type": "string"}, {"name": "TASTE", "type": "string", "categorical": True}],
}


@dataclass(frozen=True)
class TrainedShop:
    """The ARNs of the shop, and clients of the emulator that it is in."""

    endpoint: str
    dataset_group_arn: str
    dataset_arns: dict[str, str]
    solution_arn: str
    solution_version_arn: str
    campaign_arn: str
    filter_arn: str
    """Includes items of the category in the placeholder $CATEGORY."""
    tracking_id: str

    @cached_property
    def personalize(self) -> Any:
        """A boto3 client of `personalize`."""
        return client("personalize", self.endpoint)

    @cached_property
    def runtime(self) -> Any:
        """A boto3 client of `personalize-runtime`."""
        return client("personalize-runtime", self.endpoint)

    @cached_property
    def events(self) -> Any:
        """A boto3 client of `personalize-events`."""
        return client("personalize-events", self.endpoint)


def client(service: str, endpoint: str) -> Any:
    """A boto3 client of an emulator, which takes any credentials."""
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")  # noqa: S106
    return session.client(service, endpoint_url=endpoint)  # type: ignore[call-overload]


def train_shop(endpoint: str, s3_root: Path) -> TrainedShop:
    """Load the shop into the emulator at this address, which reads S3 in this folder; takes a few seconds.

    A shop that is there already is left as it is. Raises RuntimeError if something of it fails, or is there in part.
    """
    personalize = client("personalize", endpoint)
    if any(group["name"] == "shop" for group in personalize.list_dataset_groups()["datasetGroups"]):
        return _present(personalize, endpoint)
    group = personalize.create_dataset_group(name="shop")["datasetGroupArn"]
    _until_active(personalize, "dataset_group", group)
    datasets = {kind: _dataset(personalize, group, kind) for kind in _FIELDS}
    _import(personalize, datasets, s3_root)
    expression = "INCLUDE ItemID WHERE Items.CATEGORY IN ($CATEGORY)"
    chosen = personalize.create_filter(name="shop-category", datasetGroupArn=group, filterExpression=expression)["filterArn"]
    tracker = personalize.create_event_tracker(name="shop", datasetGroupArn=group)
    solution = personalize.create_solution(name="shop", datasetGroupArn=group, recipeArn=RECIPE, performAutoTraining=False)
    version = personalize.create_solution_version(solutionArn=solution["solutionArn"])["solutionVersionArn"]
    _until_active(personalize, "solution_version", version)
    campaign = personalize.create_campaign(name="shop", solutionVersionArn=version)["campaignArn"]
    for kind, arn in (("campaign", campaign), ("filter", chosen), ("event_tracker", tracker["eventTrackerArn"])):
        _until_active(personalize, kind, arn)
    return TrainedShop(endpoint, group, datasets, solution["solutionArn"], version, campaign, chosen, tracker["trackingId"])


def _present(personalize: Any, endpoint: str) -> TrainedShop:
    campaigns = [c for c in personalize.list_campaigns()["campaigns"] if c["name"] == "shop" and c["status"] == "ACTIVE"]
    if not campaigns:
        raise RuntimeError(
            "The state has the dataset group shop and no ACTIVE campaign of that name: begin with an empty directory"
        )
    campaign = campaigns[0]["campaignArn"]
    version = personalize.describe_campaign(campaignArn=campaign)["campaign"]["solutionVersionArn"]
    group = campaign.replace("campaign/", "dataset-group/")
    tracker = personalize.list_event_trackers(datasetGroupArn=group)["eventTrackers"][0]["eventTrackerArn"]
    return TrainedShop(
        endpoint,
        group,
        {kind: campaign.replace("campaign/shop", f"dataset/shop/{kind.upper()}") for kind in _FIELDS},
        version.rsplit("/", 1)[0],
        version,
        campaign,
        campaign.replace("campaign/shop", "filter/shop-category"),
        personalize.describe_event_tracker(eventTrackerArn=tracker)["eventTracker"]["trackingId"],
    )


def _dataset(personalize: Any, group: str, kind: str) -> str:
    record = {"type": "record", "name": kind, "namespace": "com.amazonaws.personalize.schema", "version": "1.0"}
    schema = personalize.create_schema(name=f"shop-{kind}", schema=json.dumps(record | {"fields": _FIELDS[kind]}))["schemaArn"]
    arn: str = personalize.create_dataset(name=kind, schemaArn=schema, datasetGroupArn=group, datasetType=kind)["datasetArn"]
    _until_active(personalize, "dataset", arn)
    return arn


def _import(personalize: Any, datasets: dict[str, str], s3_root: Path) -> None:
    jobs = []
    for kind, rows in _rows().items():
        file = s3_root / BUCKET / f"{kind}.csv"
        file.parent.mkdir(parents=True, exist_ok=True)
        header = [field["name"] for field in _FIELDS[kind]]
        file.write_text("".join(f"{line_of([str(cell) for cell in row])}\n" for row in (header, *rows)), encoding="utf-8")
        job = personalize.create_dataset_import_job(
            jobName=f"shop-{kind}",
            datasetArn=datasets[kind],
            dataSource={"dataLocation": f"s3://{BUCKET}/{kind}.csv"},
            roleArn=ROLE,
        )
        jobs.append(job["datasetImportJobArn"])
    for arn in jobs:
        _until_active(personalize, "dataset_import_job", arn)


def _rows() -> dict[str, list[list[Any]]]:
    """Four of five events of a user are with items of the user's taste; nobody takes an item twice."""
    random = np.random.default_rng(0)
    events: list[list[Any]] = []
    for user in range(USERS):
        liking = np.where(np.arange(ITEMS) % len(_CATEGORIES) == user % len(_CATEGORIES), 12.0, 1.0)
        for place, item in enumerate(random.choice(ITEMS, EVENTS_PER_USER, replace=False, p=liking / liking.sum())):
            events.append([f"u{user}", f"i{item}", "Purchase" if place % 4 == 3 else "View", START + place * HOUR + user])
    return {
        "Interactions": events,
        "Items": [[f"i{n}", _CATEGORIES[n % len(_CATEGORIES)], 5.0 + n] for n in range(ITEMS)],
        "Users": [[f"u{n}", _CATEGORIES[n % len(_CATEGORIES)]] for n in range(USERS)],
    }


def _until_active(personalize: Any, kind: str, arn: str) -> None:
    member = kind.split("_")[0] + "".join(word.capitalize() for word in kind.split("_")[1:])
    deadline = time.monotonic() + _PATIENCE
    while True:
        shown = getattr(personalize, f"describe_{kind}")(**{f"{member}Arn": arn})[member]
        if shown["status"] == "ACTIVE":
            return
        if "FAILED" in shown["status"] or time.monotonic() > deadline:
            raise RuntimeError(f"{arn} is {shown['status']}: {shown.get('failureReason', 'it took too long')}")
        time.sleep(0.05)
