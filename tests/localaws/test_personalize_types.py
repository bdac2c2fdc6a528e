"""A CDK app with the eight types of `AWS::Personalize::*`, and what `Ref` and `Fn::GetAtt` give of each."""

from __future__ import annotations

import json
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_personalize as personalize
from aws_cdk import aws_s3 as s3

from localaws.environment import launch
from tests.harness.waiting import eventually
from tests.localaws.apps import synthesized
from tests.localaws.test_with_personalize import SCHEMA

FIELDS = [*SCHEMA["fields"], {"name": "EVENT_TYPE", "type": "string"}]  # type: ignore[misc]
ROWS = "".join(f"u{n % 40},i{n * 7 % 60},{1_700_000_000 + n},view\n" for n in range(1500))
CSV = "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE\n" + ROWS


def attributes(resource: cdk.CfnResource) -> list[str]:
    """What `Fn::GetAtt` gives of the type, which the CDK generates from CloudFormation's registry: `attr_tracking_id`."""
    found = [name for name in dir(type(resource)) if name.startswith("attr_")]
    return ["".join(part.title() for part in name.split("_")[1:]) for name in found]


def check_attributes(found: dict[str, str], kind: str, name: str, described: dict[str, Any]) -> None:
    """Each attribute of a resource against its description."""
    own = {output.removeprefix(kind): value for output, value in found.items() if output.startswith(kind) and output != kind}
    assert own.pop(f"{name}Arn") == found[kind]
    for attribute, value in own.items():
        told = described[f"{attribute[0].lower()}{attribute[1:]}"]
        assert value == (told.isoformat() if isinstance(told, datetime) else told), attribute


def build(stack: cdk.Stack, version: str | None = None, tps: int = 1) -> None:
    """Everything, and a campaign once there is a version."""
    service = iam.ServicePrincipal("personalize.amazonaws.com")
    role, barred = iam.Role(stack, "Role", assumed_by=service), iam.Role(stack, "Barred", assumed_by=service)
    bucket = s3.Bucket(stack, "Bucket", bucket_name="typed-bucket")
    bucket.grant_read_write(role)
    bucket.grant_read_write(service)
    group = personalize.CfnDatasetGroup(stack, "Group", name="typed")
    schema = personalize.CfnSchema(stack, "Schema", name="typed", schema=json.dumps({**SCHEMA, "fields": FIELDS}))
    of_group = {"name": "typed", "dataset_group_arn": group.ref}
    dataset = personalize.CfnDataset(stack, "Dataset", dataset_type="Interactions", schema_arn=schema.ref, **of_group)
    solution = personalize.CfnSolution(stack, "Solution", recipe_arn="arn:aws:personalize:::recipe/aws-sims", **of_group)
    tracker = personalize.CfnEventTracker(stack, "Tracker", **of_group)
    expression = 'EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("view")'
    views = personalize.CfnFilter(stack, "Filter", filter_expression=expression, **of_group)
    metric = personalize.CfnMetricAttribution.MetricAttributeProperty(
        event_type="view", metric_name="views", expression="SAMPLECOUNT()"
    )
    reports = personalize.CfnMetricAttribution.S3DataDestinationProperty(path="s3://typed-bucket/reports/")
    output = personalize.CfnMetricAttribution.MetricsOutputConfigProperty(role_arn=role.role_arn, s3_data_destination=reports)
    attribution = personalize.CfnMetricAttribution(
        stack, "Attribution", metrics=[metric], metrics_output_config=output, **of_group
    )
    for made in (solution, tracker, views, attribution):
        made.add_dependency(dataset)
    attribution.node.add_dependency(role, bucket)
    outputs = {
        "Group": group.ref, "Dataset": dataset.ref, "Solution": solution.ref, "Tracker": tracker.ref, "Filter": views.ref,
        "Schema": schema.ref, "Attribution": attribution.ref, "Role": role.role_arn, "Barred": barred.role_arn,
    }  # fmt: skip
    made_of: dict[str, cdk.CfnResource] = {
        "Group": group, "Schema": schema, "Dataset": dataset, "Solution": solution, "Tracker": tracker, "Filter": views,
        "Attribution": attribution,
    }  # fmt: skip
    if version:
        campaign = personalize.CfnCampaign(stack, "Campaign", name="typed", solution_version_arn=version, min_provisioned_tps=tps)
        outputs["Campaign"] = campaign.ref
        made_of["Campaign"] = campaign
    for kind, resource in made_of.items():
        outputs |= {f"{kind}{name}": resource.get_att(name).to_string() for name in attributes(resource)}
    for name, value in outputs.items():
        cdk.CfnOutput(stack, f"{name}Output", value=value).override_logical_id(name)


def test_all_eight_types_are_made_and_refer_to_each_other(tmp_path: Path) -> None:
    app = synthesized(tmp_path / "app", "typed", build)
    with launch(app, tmp_path / "data", port=0, api_port=0, personalize_port=0, speed=2000) as environment:
        found, client = environment.outputs("typed"), environment.client("personalize")
        tracker = client.describe_event_tracker(eventTrackerArn=found["Tracker"])["eventTracker"]
        check_attributes(found, "Tracker", "EventTracker", tracker)
        assert {"TrackerTrackingId", "FilterCreationDateTime", "FilterLastUpdatedDateTime"} <= found.keys()
        views = client.describe_filter(filterArn=found["Filter"])["filter"]
        check_attributes(found, "Filter", "Filter", views)
        check_attributes(found, "Attribution", "MetricAttribution", {"status": "ACTIVE"})
        for kind, name in {"Group": "DatasetGroup", "Schema": "Schema", "Dataset": "Dataset", "Solution": "Solution"}.items():
            check_attributes(found, kind, name, {})

        environment.client("s3").put_object(Bucket="typed-bucket", Key="in.csv", Body=CSV.encode())
        source, describe = {"dataLocation": "s3://typed-bucket/in.csv"}, client.describe_dataset_import_job
        refused = client.create_dataset_import_job(
            jobName="barred", datasetArn=found["Dataset"], dataSource=source, roleArn=found["Barred"]
        )["datasetImportJobArn"]
        eventually(lambda: describe(datasetImportJobArn=refused)["datasetImportJob"]["status"] == "CREATE FAILED")
        failure = describe(datasetImportJobArn=refused)["datasetImportJob"]["failureReason"]
        assert failure == "Insufficient privileges for accessing data in Amazon S3."
        job = client.create_dataset_import_job(
            jobName="in", datasetArn=found["Dataset"], dataSource=source, roleArn=found["Role"]
        )["datasetImportJobArn"]
        eventually(lambda: describe(datasetImportJobArn=job)["datasetImportJob"]["status"] == "ACTIVE")
        version = client.create_solution_version(solutionArn=found["Solution"])["solutionVersionArn"]
        of_version = client.describe_solution_version
        eventually(lambda: of_version(solutionVersionArn=version)["solutionVersion"]["status"] == "ACTIVE")

        environment.deploy(synthesized(tmp_path / "with-campaign", "typed", partial(build, version=version)))
        campaign = environment.outputs("typed")
        described = client.describe_campaign(campaignArn=campaign["Campaign"])["campaign"]
        check_attributes(campaign, "Campaign", "Campaign", described)
        assert {"CampaignStatus", "CampaignCreationDateTime", "CampaignLastUpdatedDateTime"} <= campaign.keys()
        environment.deploy(synthesized(tmp_path / "with-more", "typed", partial(build, version=version, tps=2)))
        assert environment.outputs("typed")["Campaign"] == campaign["Campaign"], "changed in its place"
        described = client.describe_campaign(campaignArn=campaign["Campaign"])["campaign"]
        assert described["minProvisionedTPS"] == 2
