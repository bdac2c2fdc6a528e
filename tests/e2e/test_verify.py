"""`reco verify` where it must find nothing, and against seven deployments that are broken, each in one way."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from lambdas.config.file import load_config
from reco.account.grants import Grants
from reco.account.journey import Journey
from reco.account.simulation import simulate
from reco.account.stacks import StackResources
from reco.target import DATA, Target
from tests.e2e.conftest import CommandLine
from tests.harness.deployment import CONFIG, deployed, make_tracker, publish

ACCOUNT = "123456789012"
#: By which the waits are divided: a broken deployment uses all of them.
PATIENCE = 40.0


@pytest.fixture(scope="module")
def new(folder: Path) -> Iterator[Target]:
    """The shop, just deployed."""
    with deployed(folder, speed=2000) as target:
        (folder / DATA).symlink_to(folder / "aws")
        yield target


@pytest.fixture(scope="module")
def shop(new: Target) -> Target:
    """The shop with what events and items need in Personalize, and workers that keep nothing of what was there before."""
    publish(new, make_tracker(load_config(CONFIG), new.client("personalize")))
    client = new.client("lambda")
    for stack, function in (("ingestion", "FunctionsPutEvents"), ("serving", "FunctionsRecommend")):
        name = StackResources(new).function(stack, function)
        timeout = client.get_function_configuration(FunctionName=name)["Timeout"]
        client.update_function_configuration(FunctionName=name, Timeout=timeout + 1)
    return new


def found(shop: Target, folder: Path, patience: float = PATIENCE) -> set[str]:
    """The names of what differs from a working deployment."""
    account, region = shop.client("sts").get_caller_identity()["Account"], shop.client("sts").meta.region_name
    grants = Grants(folder / "cdk.out", account, region)
    denied = {f"{one.role}: {one.action}" for one in simulate(shop, grants, account, region).denied}
    return denied | {step.check for step in Journey(shop, load_config(CONFIG), patience).steps() if not step.same}


def test_a_tiny_data_set_is_trained_and_deleted_again(new: Target, folder: Path) -> None:
    found = CommandLine(folder).json("verify", "-c", str(CONFIG), "--with-import", "--yes", "--out", str(folder / "first.json"))
    assert found["differences"] == []
    assert found["steps"][0]["check"] == "train run"
    assert new.client("personalize").list_dataset_groups()["datasetGroups"] == []
    assert new.client("personalize").list_schemas()["schemas"] == []
    bucket = new.output("storage", "DataBucket")
    assert new.client("s3").list_objects_v2(Bucket=bucket, Prefix="datasets/")["KeyCount"] == 0
    assert new.client("dynamodb").scan(TableName=new.output("storage", "CatalogueTable"))["Items"] == []


def test_a_working_deployment_differs_in_nothing(shop: Target, folder: Path) -> None:
    file = folder / "found.json"
    report = CommandLine(folder).json("verify", "-c", str(CONFIG), "--out", str(file))
    assert report["differences"] == []
    assert report["permissions"]["roles"] > 20
    assert report["permissions"]["calls"] > 150
    assert {step["check"] for step in report["steps"]} >= {
        "event accepted", "event put to Personalize", "item put to Personalize", "item in the catalogue", "list",
        "dead letter names the type", "both events in the archive",
    }  # fmt: skip
    assert ACCOUNT not in file.read_text()


@contextlib.contextmanager
def without_policies(shop: Target, role: str) -> Iterator[None]:
    iam, name = shop.client("iam"), StackResources(shop).roles[role]
    kept = {
        policy: iam.get_role_policy(RoleName=name, PolicyName=policy)
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
    }
    for policy in kept:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    yield
    for policy, held in kept.items():
        iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(held["PolicyDocument"]))


@contextlib.contextmanager
def elsewhere(shop: Target) -> Iterator[None]:
    """A role whose policy names a bucket that is not the deployment's."""
    iam, name = shop.client("iam"), StackResources(shop).roles["training/PersonalizeRole"]
    kept = {
        policy: iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
    }
    bucket = shop.output("storage", "DataBucket")
    for policy, document in kept.items():
        iam.put_role_policy(
            RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document).replace(bucket, "another-bucket")
        )
    yield
    for policy, document in kept.items():
        iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document))


@contextlib.contextmanager
def without_mapping(shop: Target, source: str) -> Iterator[None]:
    """The event source mapping of a stream or queue is switched off."""
    client = shop.client("lambda")
    mappings = client.list_event_source_mappings()["EventSourceMappings"]
    (mapping,) = [mapping["UUID"] for mapping in mappings if f":{source}:" in mapping["EventSourceArn"]]
    client.update_event_source_mapping(UUID=mapping, Enabled=False)
    yield
    client.update_event_source_mapping(UUID=mapping, Enabled=True)


@contextlib.contextmanager
def late_dead_letters(shop: Target) -> Iterator[None]:
    """The dead-letter queue delays its messages by as much as SQS allows."""
    sqs, queue = shop.client("sqs"), shop.output("ingestion", "DeadLetterQueueUrl")
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"DelaySeconds": "900"})
    yield
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"DelaySeconds": "0"})


@contextlib.contextmanager
def handler_of(shop: Target, stack: str, function: str, handler: str) -> Iterator[None]:
    client, name = shop.client("lambda"), StackResources(shop).function(stack, function)
    kept = client.get_function_configuration(FunctionName=name)["Handler"]
    client.update_function_configuration(FunctionName=name, Handler=handler)
    yield
    client.update_function_configuration(FunctionName=name, Handler=kept)


@contextlib.contextmanager
def without_archive(shop: Target) -> Iterator[None]:
    """Firehose's stream is gone, for good: the last of these tests."""
    firehose = shop.client("firehose")
    (name,) = firehose.list_delivery_streams()["DeliveryStreamNames"]
    firehose.delete_delivery_stream(DeliveryStreamName=name)
    yield


Break = Callable[[Target], AbstractContextManager[None]]
BROKEN: dict[str, tuple[Break, set[str]]] = {
    "a role without its policies": (
        lambda shop: without_policies(shop, "training/FunctionsReportRole"),
        {"training/FunctionsReportRole: s3:PutObject"},
    ),
    "a service's role for another bucket": (elsewhere, {"training/PersonalizeRole: s3:GetObject"}),
    "the stream is not read": (
        lambda shop: without_mapping(shop, "kinesis"),
        {"event put to Personalize", "dead letter names the type"},
    ),
    "the queue is not read": (lambda shop: without_mapping(shop, "sqs"), {"item put to Personalize", "item in the catalogue"}),
    "dead letters are held back": (late_dead_letters, {"dead letter names the type"}),
    "the API's function does not start": (
        lambda shop: handler_of(shop, "serving", "FunctionsRecommend", "lambdas.serving.nowhere.handler"),
        {"list"},
    ),
    "nothing writes the archive": (without_archive, {"both events in the archive"}),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_deployment_is_found(shop: Target, folder: Path, how: str) -> None:
    broken, expected = BROKEN[how]
    with broken(shop):
        assert expected <= found(shop, folder)
