"""A client of Amazon Personalize for tests: boto3 over HTTP, and the steps that most tests share."""

from __future__ import annotations

import csv
import io
import json
import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.request import Request, urlopen

import boto3
from botocore.config import Config

ROLE = "arn:aws:iam::123456789012:role/personalize"
RECIPE = "arn:aws:personalize:::recipe/"
BUCKET = "data"
GENRES = ("Action", "Comedy", "Drama", "Horror")
SCHEMAS = {
    "Interactions": [
        {"name": "USER_ID", "type": "string"},
        {"name": "ITEM_ID", "type": "string"},
        {"name": "TIMESTAMP", "type": "long"},
        {"name": "EVENT_TYPE", "type": "string"},
        {"name": "EVENT_VALUE", "type": ["null", "float"]},
    ],
    "Items": [
        {"name": "ITEM_ID", "type": "string"},
        {"name": "GENRES", "type": ["null", "string"], "categorical": True},
        {"name": "PRICE", "type": ["null", "float"]},
        {"name": "CREATION_TIMESTAMP", "type": "long"},
    ],
    "Users": [{"name": "USER_ID", "type": "string"}, {"name": "AGE", "type": "int"}],
}
START = 1_700_000_000


def avro(name: str, fields: list[dict[str, Any]] | None = None) -> str:
    return json.dumps(
        {
            "type": "record",
            "name": name,
            "namespace": "com.amazonaws.personalize.schema",
            "fields": fields or SCHEMAS[name],
            "version": "1.0",
        }
    )


def rows(name: str, users: int = 60, items: int = 80, per_user: int = 25) -> list[list[Any]]:
    """A small shop in which every user has two genres to like."""
    draw = random.Random(7)
    if name == "Users":
        return [[f"u{u}", 18 + u % 50] for u in range(users)]
    if name == "Items":
        return [[f"i{i}", GENRES[i % 4], round(1 + i / 4, 2), START - i * 1000] for i in range(items)]
    events = []
    for user in range(users):
        liked = [i for i in range(items) if i % 4 in (user % 4, (user + 1) % 4)]
        for n in range(per_user):
            item = draw.choice(liked)
            events.append(
                [f"u{user}", f"i{item}", START + user * 100 + n * 3600, "Purchase" if n % 5 == 4 else "View", n % 5 + 1]
            )
    return events


def csv_of(name: str, table: Iterable[Iterable[Any]] | None = None) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([field["name"] for field in SCHEMAS[name]])
    writer.writerows(rows(name) if table is None else table)
    return text.getvalue().encode()


class Client:
    """boto3 clients of one emulator and one S3."""

    def __init__(self, endpoint: str, s3_endpoint: str) -> None:
        def client(service: str, url: str) -> Any:
            return boto3.client(
                service,
                endpoint_url=url,
                region_name="us-east-1",
                aws_access_key_id="test",
                aws_secret_access_key="test",
                config=Config(retries={"total_max_attempts": 1}),
            )

        self.endpoint = endpoint
        self.personalize = client("personalize", endpoint)
        self.runtime = client("personalize-runtime", endpoint)
        self.events = client("personalize-events", endpoint)
        self.s3 = client("s3", s3_endpoint)

    @contextmanager
    def lasting(self, work: str, seconds: float) -> Iterator[None]:
        """Within the block each state of this kind of work that is begun lasts real seconds, long enough to be seen."""
        settings = self._settings()
        simulated = seconds * settings["speed"]
        self._settings({"durations": {work: [simulated, simulated]}})
        yield
        self._settings({"durations": settings["durations"]})

    def _settings(self, change: dict[str, Any] | None = None) -> dict[str, Any]:
        """The settings of the emulator, after a change of some."""
        data = None if change is None else json.dumps(change).encode()
        with urlopen(Request(f"{self.endpoint}/_emulator", data, method="PUT" if data else "GET")) as answer:
            settings: dict[str, Any] = json.load(answer)
        return settings

    def wait(self, arn: str, *, until: str | None = "ACTIVE", seconds: float = 300) -> dict[str, Any]:
        """Describe a resource until it has a status (None: until it is gone)."""
        member = _member_of(arn)
        describe = getattr(self.personalize, f"describe_{_snake(member)}")
        deadline = time.monotonic() + seconds
        while True:
            try:
                shown: dict[str, Any] = describe(**{f"{member}Arn": arn})[member]
            except self.personalize.exceptions.ResourceNotFoundException:
                if until is None:
                    return {}
                raise
            status = shown["status"]
            if status == until:
                return shown
            failed = status.endswith("FAILED") and until != status
            assert not failed, f"{arn}: {shown.get('failureReason')}"
            assert time.monotonic() < deadline, f"{arn} is {status}, not {until}"
            time.sleep(0.02)

    def group(self, name: str, domain: str | None = None) -> str:
        options = {"domain": domain} if domain else {}
        arn: str = self.personalize.create_dataset_group(name=name, **options)["datasetGroupArn"]
        self.wait(arn)
        return arn

    def dataset(self, group: str, name: str, fields: list[dict[str, Any]] | None = None) -> str:
        prefix = group.rsplit("/", 1)[-1]
        schema = self.personalize.create_schema(name=f"{prefix}-{name}", schema=avro(name, fields))["schemaArn"]
        arn: str = self.personalize.create_dataset(
            name=f"{prefix}-{name}", schemaArn=schema, datasetGroupArn=group, datasetType=name
        )["datasetArn"]
        self.wait(arn)
        return arn

    def put(self, key: str, body: bytes) -> str:
        """The s3:// location of a new object."""
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        return f"s3://{BUCKET}/{key}"

    def start_import(self, dataset: str, body: bytes, job: str, mode: str = "FULL") -> str:
        arn: str = self.personalize.create_dataset_import_job(
            jobName=job,
            datasetArn=dataset,
            dataSource={"dataLocation": self.put(f"{job}.csv", body)},
            roleArn=ROLE,
            importMode=mode,
        )["datasetImportJobArn"]
        return arn

    def loaded_group(self, name: str, datasets: Iterable[str] = SCHEMAS) -> str:
        """A dataset group with the small shop in it."""
        group = self.group(name)
        jobs = [self.start_import(self.dataset(group, kind), csv_of(kind), f"{name}-{kind}") for kind in datasets]
        for job in jobs:
            self.wait(job)
        return group

    def solution(self, group: str, name: str, recipe: str, **options: Any) -> str:
        options = {"performAutoTraining": False} | options
        arn: str = self.personalize.create_solution(name=name, datasetGroupArn=group, recipeArn=RECIPE + recipe, **options)[
            "solutionArn"
        ]
        self.wait(arn)
        return arn

    def version(self, solution: str, **options: Any) -> str:
        arn: str = self.personalize.create_solution_version(solutionArn=solution, **options)["solutionVersionArn"]
        self.wait(arn)
        return arn

    def campaign(self, version: str, name: str, **options: Any) -> str:
        arn: str = self.personalize.create_campaign(name=name, solutionVersionArn=version, **options)["campaignArn"]
        self.wait(arn)
        return arn

    def filter(self, group: str, name: str, expression: str) -> str:
        arn: str = self.personalize.create_filter(name=name, datasetGroupArn=group, filterExpression=expression)["filterArn"]
        self.wait(arn)
        return arn

    def tracker(self, group: str, name: str) -> str:
        """The tracking id of a new event tracker."""
        created = self.personalize.create_event_tracker(name=name, datasetGroupArn=group)
        self.wait(created["eventTrackerArn"])
        tracking_id: str = created["trackingId"]
        return tracking_id

    def recommended(self, campaign: str, **request: Any) -> list[str]:
        answer = self.runtime.get_recommendations(campaignArn=campaign, **request)
        return [item["itemId"] for item in answer["itemList"]]


def error_of(call: Callable[..., Any], **request: Any) -> tuple[str, str]:
    """Code and message of the error that a call answers."""
    from botocore.exceptions import ClientError

    try:
        call(**request)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    raise AssertionError(f"no error for {request}")


def _member_of(arn: str) -> str:
    parts = arn.split(":", 5)[5].split("/")
    if parts[0] == "solution" and len(parts) == 3:
        return "solutionVersion"
    first, *rest = parts[0].split("-")
    return first + "".join(word.capitalize() for word in rest)


def _snake(member: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in member)
