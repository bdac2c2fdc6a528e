"""A deployment for each test: moto and the Personalize emulator over HTTP, and the environment that a function has in Lambda."""

from __future__ import annotations

import csv
import io
import json
import os
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from lambdas import config
from lambdas.aws import clients, retry
from lambdas.config import Config
from lambdas.config import environment as environments
from lambdas.config.file import load_config
from lambdas.config.names import dataset_arn
from lambdas.config.packed import pack, packed_config
from lambdas.config.schemas import DatasetKind
from lambdas.ingestion.put_events import handler as put_events
from lambdas.stores import deployment, recent_items
from localaws.moto import app
from personalize_emulator.pytest_plugin import StartEmulator
from personalize_emulator.quotas import Quotas
from tests.harness.deployment import make_tracker
from tests.harness.shop_csvs import csv_text, rows
from tests.harness.waiting import eventually
from tests.unit.serving import away, dynamodb, new_worker, ssm

__all__ = ["away", "dynamodb", "ssm"]

SHOP = Path("config/shop.yaml")
Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


@cache
def _client(service: str, variables: frozenset[tuple[str, str]]) -> Any:
    """The tests' own client of a service, made once for the variables that say where it is: to make one takes a while."""
    return boto3.client(service)  # type: ignore[call-overload]


@dataclass
class Deployment:
    """What a test holds of its deployment."""

    config: Config
    bucket: str
    packed: Path

    def raw(self) -> dict[str, Any]:
        """The config as it is packed now, as plain data."""
        return packed_config().model_dump(mode="json", by_alias=True, exclude_defaults=True)

    def pack(self, raw: dict[str, Any]) -> None:
        """Let the functions have another config."""
        self.packed.write_bytes(pack(Config.model_validate(raw)))
        packed_config.cache_clear()

    def put_csv(self, kind: str, text: str | None = None, name: str | None = None) -> None:
        body = csv_text(kind, rows()[kind]) if text is None else text
        self.client("s3").put_object(Bucket=self.bucket, Key=f"datasets/{kind}/{name or kind}.csv", Body=body.encode())

    def put_all_csvs(self) -> None:
        for kind in self.config.datasets.present():
            self.put_csv(kind)

    def client(self, service: str) -> Any:
        return _client(service, frozenset((name, value) for name, value in os.environ.items() if name.startswith("AWS_")))

    @cached_property
    def context(self) -> Any:
        """A Lambda context with a minute left."""
        return SimpleNamespace(
            function_name="function",
            memory_limit_in_mb=512,
            invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:function",
            aws_request_id="request",
            get_remaining_time_in_millis=lambda: 60_000,
        )

    def call(self, handler: Handler, **event: Any) -> dict[str, Any]:
        """One invocation, its answer as JSON gives it back."""
        answer: dict[str, Any] = json.loads(json.dumps(handler(event, self.context)))
        return answer

    def until_done(self, handler: Handler, **event: Any) -> list[dict[str, Any]]:
        """Invoke as the state machine does: again and again until nothing is pending. Returns the parts of the answer."""

        def done() -> dict[str, Any] | None:
            answer = self.call(handler, **event)
            if answer["status"] == "DONE":
                return answer
            assert answer["wait_seconds"] >= 60
            assert answer["waited_seconds"] == event.get("waited_seconds", 0) + answer["wait_seconds"]
            kept = ("waited_seconds", "loaded", "removed")
            event.update({name: value for name, value in answer.items() if name in kept})
            return None

        return list(eventually(done)["parts"])

    def until_active(self, handler: Handler, **event: Any) -> dict[str, Any]:
        """The one part of a step that must end as ACTIVE."""
        (made,) = self.until_done(handler, **event)
        assert made["status"] == "ACTIVE", made
        return made


def operated(shop: Deployment) -> Any:
    """The deployment as a command holds it."""
    tables = {("training", "RunsTable"): f"{shop.config.name}-runs"}
    return SimpleNamespace(deployment=shop.config.name, client=shop.client, output=lambda *name: tables[name])


@pytest.fixture(autouse=True)
def every_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """One process is all functions here: each reads of the variables that are set at the time what it needs."""
    fields = environments.Environment.fields()
    monkeypatch.setattr(
        environments,
        "current",
        lambda: environments.Environment(**{name: value for name in fields if (value := os.environ.get(name.upper()))}),
    )


@pytest.fixture(scope="session")
def moto_endpoint() -> Iterator[str]:
    app.install()  # moto as the local AWS has it
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def personalize_endpoint(start_personalize: StartEmulator, moto_endpoint: str) -> str:
    return start_personalize(
        speed=2000, quotas=Quotas(dataset_groups=1000), environment={"AWS_ENDPOINT_URL_S3": moto_endpoint}
    ).endpoint


@pytest.fixture
def shop(moto_endpoint: str, personalize_endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Deployment]:
    """A deployment of `config/shop.yaml` under a name of its own, with an empty bucket and table."""
    name = f"shop{time.time_ns() % 10**12:x}"
    # A busy machine must not make answers fall back.
    shop_config = load_config(SHOP).model_copy(update={"name": name, "serving": config.Serving(time_budget_ms=4000)})
    packed = tmp_path / "config.pickle"
    packed.write_bytes(pack(shop_config))
    for key, value in environment(name, packed, moto_endpoint, personalize_endpoint).items():
        monkeypatch.setenv(key, value)
    forget()
    made = Deployment(shop_config, f"{name}-data", packed)
    made.client("s3").create_bucket(Bucket=made.bucket)
    made.client("dynamodb").create_table(
        TableName=f"{name}-catalogue",
        KeySchema=[{"AttributeName": "item_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "item_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    made.client("dynamodb").create_table(
        TableName=f"{name}-runs",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")],
        BillingMode="PAY_PER_REQUEST",
    )
    for table, key in (("erasures", "user_id"), ("records", "record")):
        made.client("dynamodb").create_table(
            TableName=f"{name}-{table}",
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    made.client("dynamodb").create_table(
        TableName=f"{name}-recent-items",
        KeySchema=[{"AttributeName": "user_id", "KeyType": "HASH"}, {"AttributeName": "what", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            *({"AttributeName": key, "AttributeType": "S"} for key in ("user_id", "what")),
            {"AttributeName": "at", "AttributeType": "N"},
        ],
        LocalSecondaryIndexes=[
            {
                "IndexName": recent_items.NEWEST,
                "KeySchema": [{"AttributeName": "user_id", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    made.client("dynamodb").create_table(
        TableName=f"{name}-batch-lists",
        KeySchema=[{"AttributeName": "list", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "list", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    made.client("sns").create_topic(Name=f"{name}-runs")
    made.client("sqs").create_queue(QueueName=f"{name}-dead-letters")
    yield made
    forget()


@pytest.fixture
def stream(shop: Deployment, personalize_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    """The shop with datasets and an event tracker, nothing trained; pauses between attempts are short."""
    monkeypatch.setattr(retry, "FIRST_PAUSE", 0.001)
    deployment.publish(make_tracker(shop.config, shop.client("personalize")))
    yield shop
    set_faults(personalize_endpoint, [])


def set_faults(endpoint: str, faults: list[dict[str, Any]]) -> None:
    settings(endpoint, {"faults": faults})


def settings(endpoint: str, change: dict[str, Any] | None = None) -> dict[str, Any]:
    """The emulator's settings, after a change of some."""
    body = None if change is None else json.dumps(change).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{endpoint}/_emulator", body, method="PUT" if body else "GET")) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def dead_letters(shop: Deployment) -> list[dict[str, Any]]:
    """The dead letters so far; they are taken out of the queue."""
    sqs, url, found = shop.client("sqs"), os.environ["DEAD_LETTER_QUEUE_URL"], []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            found.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def exported(shop: Deployment, kind: DatasetKind, *columns: str) -> list[list[str]]:
    """The rows that Personalize holds, by an export of the dataset: what a training would see."""
    personalize, name = shop.client("personalize"), f"export{time.time_ns()}"
    job = personalize.create_dataset_export_job(
        jobName=name,
        datasetArn=dataset_arn(shop.config, kind),
        ingestionMode="PUT",
        roleArn="arn:aws:iam::123456789012:role/personalize",
        jobOutput={"s3DataDestination": {"path": f"s3://{shop.bucket}/export/"}},
    )["datasetExportJobArn"]

    def exported() -> bool:
        described = personalize.describe_dataset_export_job(datasetExportJobArn=job)["datasetExportJob"]
        assert "FAILED" not in described["status"], described
        return bool(described["status"] == "ACTIVE")

    eventually(exported)
    body = shop.client("s3").get_object(Bucket=shop.bucket, Key=f"export/{name}.csv")["Body"].read().decode()
    return sorted(
        [row[column] for column in columns] for row in csv.DictReader(io.StringIO(body), doublequote=False, escapechar="\\")
    )


def environment(name: str, packed: Path, moto_endpoint: str, personalize_endpoint: str) -> dict[str, str]:
    """All that the stacks give to the functions, and where AWS is."""
    return {
        "AWS_ENDPOINT_URL": moto_endpoint,
        "AWS_ENDPOINT_URL_PERSONALIZE": personalize_endpoint,
        "AWS_ENDPOINT_URL_PERSONALIZE_RUNTIME": personalize_endpoint,
        "AWS_ENDPOINT_URL_PERSONALIZE_EVENTS": personalize_endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "CONFIG_PATH": str(packed),
        "DEPLOYMENT": name,
        "DATA_BUCKET": f"{name}-data",
        "ERASURE_BUCKET": f"{name}-data",
        "CATALOGUE_TABLE": f"{name}-catalogue",
        "DEPLOYMENT_PARAMETER": deployment.parameter_name(name),
        "PERSONALIZE_ARN_PREFIX": "arn:aws:personalize:us-east-1:123456789012",
        "PERSONALIZE_ROLE_ARN": "arn:aws:iam::123456789012:role/personalize",
        "RECENT_ITEMS_TABLE": f"{name}-recent-items",
        "RULES_PARAMETER": deployment.rules_parameter_name(name),
        "RUNS_TABLE": f"{name}-runs",
        "API_URL_PARAMETER": f"/recostack/{name}/api-url",
        "TOPIC_ARN": f"arn:aws:sns:us-east-1:123456789012:{name}-runs",
        "ERASURES_TABLE": f"{name}-erasures",
        "RECORDS_TABLE": f"{name}-records",
        "RECORD_QUEUE_URL": f"{moto_endpoint}/123456789012/{name}-record-queue",
        "BATCH_LISTS_TABLE": f"{name}-batch-lists",
        "EVENT_STREAM": f"{name}-events",
        "DEAD_LETTER_QUEUE_URL": f"{moto_endpoint}/123456789012/{name}-dead-letters",
    }


def recent(user_id: str) -> dict[str, dict[str, float]]:
    """A user's recent items as serving reads them."""
    return recent_items.recent_items(clients.dynamodb(), os.environ["RECENT_ITEMS_TABLE"], user_id)


def forget() -> None:
    """A function keeps clients, config and deployment for its life; each test begins with a new one."""
    for made in vars(clients).values():
        if hasattr(made, "cache_clear"):
            made.cache_clear()
    put_events.deployment.cache_clear()
    new_worker()
