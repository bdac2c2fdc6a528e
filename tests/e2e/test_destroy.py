"""`reco destroy` on a deployment that is in the middle of a train run: all of it goes, a second time finds nothing."""

from __future__ import annotations

from typing import Any

import boto3

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
