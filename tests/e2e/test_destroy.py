"""`reco destroy` in the middle of a train run, and while events flow: all of it goes, a second time finds nothing."""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from tests.e2e.conftest import CommandLine
from tests.harness.shop_csvs import write
from tests.harness.waiting import eventually

SHOP = ("--config", "config/shop.yaml")
PORTS = ("--port", "0", "--api-port", "0", "--personalize-port", "0")


def client(endpoints: dict[str, str], service: str) -> Any:
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=endpoints["aws_endpoint"],
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def test_destroy_during_a_train_run(reco: CommandLine) -> None:
    endpoints = reco.json("up", "--detach", *SHOP, *PORTS, "--speed", "200")
    personalize, cloudformation = client(endpoints, "personalize"), client(endpoints, "cloudformation")
    reco.run("load", str(write(reco.folder / "csv")), *SHOP)
    execution = reco.json("train", *SHOP)["execution"]
    eventually(lambda: personalize.list_solution_versions()["solutionVersions"])

    declined = reco.run("destroy", *SHOP, code=130, stdin="n\n")[1]
    assert "solution/shop_for-you" in declined
    assert personalize.list_dataset_groups()["datasetGroups"]

    done = reco.json("destroy", "--yes", "--keep-stacks", *SHOP)
    assert client(endpoints, "stepfunctions").describe_execution(executionArn=execution)["status"] != "RUNNING"
    assert {arn.split(":")[-1].split("/")[0] for arn in done["resources"]} >= {"solution", "dataset", "dataset-group", "schema"}
    for kind in ("campaigns", "solutions", "event_trackers", "filters", "datasets", "dataset_groups", "schemas"):
        left = next(v for v in getattr(personalize, f"list_{kind}")().values() if isinstance(v, list))
        assert left == [], kind
    assert done["stacks"] == []

    done = reco.json("destroy", "--yes", *SHOP)
    assert done["resources"] == []
    assert len(done["stacks"]) >= 4
    assert cloudformation.describe_stacks()["Stacks"] == []
    assert any("-data-" in bucket for bucket in done["kept_buckets"])
    for bucket in done["kept_buckets"]:
        client(endpoints, "s3").head_bucket(Bucket=bucket)

    assert reco.json("destroy", "--yes", *SHOP) == {"resources": [], "parameters": [], "stacks": [], "kept_buckets": []}
    assert "Nothing of shop is there." in reco.run("destroy", *SHOP)[0]
    reco.run("down")


def test_a_deployment_that_failed_midway_is_repeated_and_one_that_events_flow_to_is_destroyed(reco: CommandLine) -> None:
    """In an environment that keeps nothing: no bucket, no table and no stack is there at the end."""
    dev = ("--env", "dev")
    endpoints = reco.json(*dev, "up", "--detach", *SHOP, *PORTS, "--speed", "200")
    reco.json(*dev, "destroy", "--yes", *SHOP)
    database, cloudformation = client(endpoints, "dynamodb"), client(endpoints, "cloudformation")
    key = {"AttributeName": "pk", "AttributeType": "S"}
    database.create_table(
        TableName="shop-dev_runs",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[key],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    said = "".join(reco.run(*dev, "deploy", *SHOP, code=1))
    assert "shop-dev_runs" in said
    database.delete_table(TableName="shop-dev_runs")
    reco.json(*dev, "deploy", *SHOP)

    outputs = {
        output["OutputKey"]: output["OutputValue"]
        for stack in cloudformation.describe_stacks()["Stacks"]
        for output in stack.get("Outputs", [])
    }
    done = threading.Event()
    flowing = threading.Thread(target=flow, args=(endpoints, outputs, done), daemon=True)
    flowing.start()
    try:
        eventually(lambda: objects(endpoints, outputs["DataBucket"]))
        reco.json(*dev, "destroy", "--yes", *SHOP)
    finally:
        done.set()
        flowing.join(30)
    assert cloudformation.describe_stacks()["Stacks"] == []
    assert [b["Name"] for b in client(endpoints, "s3").list_buckets()["Buckets"] if "shop-dev" in b["Name"]] == []
    assert [name for name in database.list_tables()["TableNames"] if name.startswith("shop-dev")] == []
    reco.run("down")


def flow(endpoints: dict[str, str], outputs: dict[str, str], done: threading.Event) -> None:
    """Put events into the stream, and objects into the bucket as a log delivery would, as long as there are such."""
    kinesis, s3 = client(endpoints, "kinesis"), client(endpoints, "s3")
    for n in itertools.count():
        if done.wait(0.02):
            return
        record = {"kind": "event", "received_at": 1, "id": f"e{n}", "body": {"event_type": "visit", "session_id": "s"}}
        with contextlib.suppress(ClientError, BotoCoreError):
            kinesis.put_record(StreamName=outputs["EventStream"], Data=json.dumps(record).encode(), PartitionKey="s")
        with contextlib.suppress(ClientError, BotoCoreError):
            if n % 50 == 0:
                s3.put_object(Bucket=outputs["DataBucket"], Key=f"dead-letters/{n}", Body=b"late")


def objects(endpoints: dict[str, str], bucket: str) -> list[Any]:
    return list(client(endpoints, "s3").list_objects_v2(Bucket=bucket).get("Contents", []))
