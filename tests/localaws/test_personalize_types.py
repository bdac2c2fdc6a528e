"""A CDK app with the eight types of `AWS::Personalize::*`, and what `Ref` and `Fn::GetAtt` give of each."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

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


def build(stack: cdk.Stack, version: str | None = None, tps: int = 1) -> None:
    """Everything, and a campaign once there is a version."""
    service = iam.ServicePrincipal("personalize.amazonaws.com")
    role = iam.Role(stack, "Role", assumed_by=service)
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
        "Role": role.role_arn, "TrackingId": tracker.attr_tracking_id, "FilterArn": views.attr_filter_arn,
        "FilterStatus": views.get_att("Status").to_string(), "AttributionStatus": attribution.get_att("Status").to_string(),
    }  # fmt: skip
    if version:
        campaign = personalize.CfnCampaign(stack, "Campaign", name="typed", solution_version_arn=version, min_provisioned_tps=tps)
        outputs |= {"Campaign": campaign.ref, "Status": campaign.get_att("Status").to_string()}
    for name, value in outputs.items():
        cdk.CfnOutput(stack, f"{name}Output", value=value).override_logical_id(name)


def test_all_eight_types_are_made_and_refer_to_each_other(tmp_path: Path) -> None:
    app = synthesized(tmp_path / "app", "typed", build)
    with launch(app, tmp_path / "data", port=0, api_port=0, personalize_port=0, speed=2000) as environment:
        found, client = environment.outputs("typed"), environment.client("personalize")
        assert found["FilterArn"] == found["Filter"]
        assert (found["FilterStatus"], found["AttributionStatus"]) == ("ACTIVE", "ACTIVE")
        tracker = client.describe_event_tracker(eventTrackerArn=found["Tracker"])["eventTracker"]
        assert found["TrackingId"] == tracker["trackingId"]

        environment.client("s3").put_object(Bucket="typed-bucket", Key="in.csv", Body=CSV.encode())
        source, describe = {"dataLocation": "s3://typed-bucket/in.csv"}, client.describe_dataset_import_job
        job = client.create_dataset_import_job(
            jobName="in", datasetArn=found["Dataset"], dataSource=source, roleArn=found["Role"]
        )["datasetImportJobArn"]
        eventually(lambda: describe(datasetImportJobArn=job)["datasetImportJob"]["status"] == "ACTIVE")
        version = client.create_solution_version(solutionArn=found["Solution"])["solutionVersionArn"]
        of_version = client.describe_solution_version
        eventually(lambda: of_version(solutionVersionArn=version)["solutionVersion"]["status"] == "ACTIVE")

        environment.deploy(synthesized(tmp_path / "with-campaign", "typed", partial(build, version=version)))
        campaign = environment.outputs("typed")
        assert campaign["Status"] == "ACTIVE"
        environment.deploy(synthesized(tmp_path / "with-more", "typed", partial(build, version=version, tps=2)))
        assert environment.outputs("typed")["Campaign"] == campaign["Campaign"], "changed in its place"
        described = client.describe_campaign(campaignArn=campaign["Campaign"])["campaign"]
        assert described["minProvisionedTPS"] == 2
