"""The eight types of `AWS::Personalize::*`, with what `Ref` and `Fn::GetAtt` give."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from localaws.environment import launch
from tests.harness.waiting import eventually
from tests.localaws.apps import role, write_app
from tests.localaws.test_with_personalize import SCHEMA

pytestmark = pytest.mark.xdist_group("localaws-personalize")
FIELDS = [*SCHEMA["fields"], {"name": "EVENT_TYPE", "type": "string"}]  # type: ignore[misc]
ROWS = "".join(f"u{n % 40},i{n * 7 % 60},{1_700_000_000 + n},view\n" for n in range(1500))
CSV = "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE\n" + ROWS


def of(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::Personalize::{kind}", "Properties": {"Name": "typed", **properties}}


def attribute(name: str, attribute_name: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [name, attribute_name]}


def resources() -> dict[str, Any]:
    group = {"DatasetGroupArn": {"Ref": "Group"}}
    report = {"RoleArn": attribute("Role", "Arn"), "S3DataDestination": {"Path": "s3://typed-bucket/reports/"}}
    return {
        "Role": role(),
        "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "typed-bucket"}},
        "Schema": of("Schema", Schema=json.dumps({**SCHEMA, "fields": FIELDS})),
        "Group": of("DatasetGroup"),
        "Dataset": of("Dataset", DatasetType="Interactions", SchemaArn={"Ref": "Schema"}, **group),
        "Solution": of("Solution", RecipeArn="arn:aws:personalize:::recipe/aws-sims", **group) | {"DependsOn": "Dataset"},
        "Tracker": of("EventTracker", **group) | {"DependsOn": "Dataset"},
        "Filter": of("Filter", FilterExpression='EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("view")', **group)
        | {"DependsOn": "Dataset"},
        "Attribution": of(
            "MetricAttribution",
            Metrics=[{"EventType": "view", "MetricName": "views", "Expression": "SAMPLECOUNT()"}],
            MetricsOutputConfig=report,
            **group,
        )
        | {"DependsOn": "Dataset"},
    }


def test_all_eight_types_are_made_and_refer_to_each_other(tmp_path: Path) -> None:
    outputs = {name: {"Ref": name} for name in ("Group", "Dataset", "Solution", "Tracker", "Filter", "Attribution")}
    outputs |= {"Role": attribute("Role", "Arn"), "TrackingId": attribute("Tracker", "TrackingId")}
    outputs |= {"FilterArn": attribute("Filter", "FilterArn"), "FilterStatus": attribute("Filter", "Status")}
    outputs |= {"AttributionStatus": attribute("Attribution", "Status")}
    with launch(None, tmp_path / "data", port=0, api_port=0, personalize_port=0, speed=2000) as environment:
        made = {"name": "typed", "resources": resources(), "outputs": outputs}
        environment.deploy(write_app(tmp_path / "app", made))
        found, personalize = environment.outputs("typed"), environment.client("personalize")
        assert found["FilterArn"] == found["Filter"]
        assert (found["FilterStatus"], found["AttributionStatus"]) == ("ACTIVE", "ACTIVE")
        tracker = personalize.describe_event_tracker(eventTrackerArn=found["Tracker"])["eventTracker"]
        assert found["TrackingId"] == tracker["trackingId"]

        environment.client("s3").put_object(Bucket="typed-bucket", Key="in.csv", Body=CSV.encode())
        source, describe = {"dataLocation": "s3://typed-bucket/in.csv"}, personalize.describe_dataset_import_job
        job = personalize.create_dataset_import_job(
            jobName="in", datasetArn=found["Dataset"], dataSource=source, roleArn=found["Role"]
        )["datasetImportJobArn"]
        eventually(lambda: describe(datasetImportJobArn=job)["datasetImportJob"]["status"] == "ACTIVE")
        version = personalize.create_solution_version(solutionArn=found["Solution"])["solutionVersionArn"]
        of_version = personalize.describe_solution_version
        eventually(lambda: of_version(solutionVersionArn=version)["solutionVersion"]["status"] == "ACTIVE")

        made["resources"] |= {"Campaign": of("Campaign", SolutionVersionArn=version, MinProvisionedTPS=1)}
        made["outputs"] |= {"Campaign": {"Ref": "Campaign"}, "Status": attribute("Campaign", "Status")}
        environment.deploy(write_app(tmp_path / "app", made))
        campaign = environment.outputs("typed")
        assert campaign["Status"] == "ACTIVE"
        made["resources"]["Campaign"]["Properties"]["MinProvisionedTPS"] = 2
        environment.deploy(write_app(tmp_path / "app", made))
        assert environment.outputs("typed")["Campaign"] == campaign["Campaign"], "changed in its place"
        described = personalize.describe_campaign(campaignArn=campaign["Campaign"])["campaign"]
        assert described["minProvisionedTPS"] == 2
