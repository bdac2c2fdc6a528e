"""The dashboard, the alarms and the budget; and what an environment protects."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import boto3
import pytest
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk.assertions import Template

from lambdas.config import Protection
from localaws.iam.policies import listed
from reco.account.grants import Grants
from reco.account.on_behalf import CALLS, calls_with_key
from reco.local.synth import ROOT, node_path
from stacks.alarm_texts import ALARM_TEXTS
from stacks.protection import Protect
from stacks.regions import REGIONS
from stacks.tables import add_table
from tests.permissions.reasons import reason
from tests.stacks.conftest import KEY, Templates, resources

#: A creation that fails leaves nothing: names would block the next attempt.
KEPT = "RetainExceptOnCreate"


def text_of(value: Any) -> str:
    """A template's string with its references left in place."""
    if isinstance(value, str):
        return value
    return "".join(part if isinstance(part, str) else f"<{next(iter(part.values()))}>" for part in value["Fn::Join"][1])


def anchors(page: Path) -> set[str]:
    """The sections of a page, as links name them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_every_alarm_mails_and_names_a_section_that_is_there(templates: Templates) -> None:
    alarms = [alarm["Properties"] for _, alarm in resources(templates, "AWS::CloudWatch::Alarm")]
    assert len(alarms) > 20
    for alarm in alarms:
        assert alarm["AlarmActions"], alarm["AlarmName"]
        linked = re.search(r"\((docs/[\w-]+\.md)#([\w-]+)\)$", alarm["AlarmDescription"])
        assert linked, f"{alarm['AlarmName']} has no runbook"
        assert linked[2] in anchors(ROOT / linked[1]), alarm["AlarmDescription"]


def test_every_text_of_an_alarm_is_used(templates: Templates) -> None:
    said = {
        alarm["Properties"]["AlarmDescription"].split(" (docs/")[0] for _, alarm in resources(templates, "AWS::CloudWatch::Alarm")
    }
    assert set(ALARM_TEXTS.values()) <= said


def test_one_page_has_every_alarm_with_what_to_do(templates: Templates) -> None:
    page = (ROOT / "docs" / "alarms.md").read_text()
    for _, alarm in resources(templates, "AWS::CloudWatch::Alarm"):
        name = re.sub("busy-.*", "busy", alarm["Properties"]["AlarmName"].removeprefix("movielens_"))
        assert re.search(rf"^\|[^|]*`{name}`", page, re.MULTILINE), f"docs/alarms.md lacks {name}"


def test_the_page_of_operations_has_every_alarm_and_every_metric(templates: Templates) -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    for _, alarm in resources(templates, "AWS::CloudWatch::Alarm"):
        name = alarm["Properties"]["AlarmName"].removeprefix("movielens_")
        assert f"`{re.sub('busy-.*', 'busy', name)}" in page, f"docs/operations.md does not tell of {name}"
    for metric in counted_by_functions():
        assert f"`{metric}`" in page, f"docs/operations.md does not tell of the metric {metric}"


def counted_by_functions() -> set[str]:
    """The names of the metrics that functions count: keywords of `count(...)`, keys of a dictionary `counts`."""
    found: set[str] = set()
    for file in (ROOT / "lambdas").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(func=ast.Name(id="count"), keywords=keywords):
                    found |= {keyword.arg for keyword in keywords if keyword.arg}
                case ast.Assign(targets=[ast.Name(id="counts")], value=ast.Dict(keys=keys)):
                    found |= {str(key.value) for key in keys if isinstance(key, ast.Constant) and str(key.value)[0].isupper()}
    return found


def test_dashboard_and_alarms_read_metrics_that_functions_write(templates: Templates) -> None:
    body = text_of(next(resources(templates, "AWS::CloudWatch::Dashboard"))[1]["Properties"]["DashboardBody"])
    shown = set(re.findall(r'"recostack/movielens","(\w+)"', body))
    alarms = [alarm["Properties"] for _, alarm in resources(templates, "AWS::CloudWatch::Alarm")]
    watched = {alarm["MetricName"] for alarm in alarms if alarm.get("Namespace") == "recostack/movielens"}
    assert {"EventsPut", "FallbackItems"} <= shown
    assert {"PutEventsThrottled", "CatalogueFailed"} <= watched
    assert shown | watched <= counted_by_functions()


def test_the_dashboard_has_a_row_for_each_concern(templates: Templates) -> None:
    body = text_of(next(resources(templates, "AWS::CloudWatch::Dashboard"))[1]["Properties"]["DashboardBody"])
    widgets = json.loads(body)["widgets"]
    headings = [w["properties"]["markdown"].split("\n")[0] for w in widgets if w["type"] == "text"]
    assert headings == ["## Ingest", "## Serving", "## Training", "## Batch", "## Money"]
    assert all(widget["x"] + widget["width"] <= 24 for widget in widgets)
    utilization = next(w for w in widgets if w["properties"].get("title") == "Utilization, %")
    labels = [row[-1].get("label") for row in utilization["properties"]["metrics"] if "label" in row[-1]]
    assert {"for-you, % of 1 TPS", "related, % of 1 TPS", "ranking, % of 1 TPS"} <= set(labels)
    assert utilization["properties"]["annotations"]["horizontal"] == [{"value": 100, "yAxis": "left"}]


def test_the_budget_looks_at_the_deployment_alone(templates: Templates, templates_of_prod: Templates) -> None:
    assert not list(resources(templates, "AWS::Budgets::Budget"))
    [(_, budget)] = resources(templates_of_prod, "AWS::Budgets::Budget")
    asked = budget["Properties"]["Budget"]
    assert asked["BudgetLimit"] == {"Amount": 500, "Unit": "USD"}
    assert asked["CostFilters"] == {"TagKeyValue": ["user:recostack:deployment$shop-prod"]}
    kinds = [n["Notification"]["NotificationType"] for n in budget["Properties"]["NotificationsWithSubscribers"]]
    assert kinds == ["ACTUAL", "FORECASTED"]


def test_an_environment_that_keeps_everything(prod: Path, templates_of_prod: Templates) -> None:
    for _, table in resources(templates_of_prod, "AWS::DynamoDB::Table"):
        assert table["DeletionPolicy"] == "RetainExceptOnCreate"
        assert "DeletionProtectionEnabled" not in table["Properties"]  # or a first deployment that fails could not be rolled back
        assert table["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert {group["Properties"]["RetentionInDays"] for _, group in resources(templates_of_prod, "AWS::Logs::LogGroup")} == {365}
    artifacts = json.loads((prod / "manifest.json").read_text())["artifacts"]
    stacks = [artifact["properties"] for artifact in artifacts.values() if artifact["type"] == "aws:cloudformation:stack"]
    assert len(stacks) == len(templates_of_prod)
    assert all(stack["terminationProtection"] for stack in stacks)
    report = json.loads((prod / "validation-report.json").read_text())
    assert all(plugin["violations"] == [] for plugin in report["pluginReports"])


@pytest.mark.parametrize(
    ("keep", "bucket", "table", "restorable"),
    [("nothing", "Delete", "Delete", False), ("buckets", KEPT, "Delete", True), ("everything", KEPT, KEPT, True)],
)
def test_what_outlives_its_stack(keep: str, bucket: str, table: str, restorable: bool) -> None:
    app = cdk.App()
    stack = cdk.Stack(app, "Stack")
    s3.Bucket(stack, "Bucket")
    logs.LogGroup(stack, "Log")
    add_table(stack, "Table", "things", attributes=("id",))
    cdk.Aspects.of(app).add(Protect(Protection.model_validate({"keep": keep, "log_days": 7})))
    made = {r["Type"]: r for r in Template.from_stack(stack).to_json()["Resources"].values()}
    assert made["AWS::S3::Bucket"]["DeletionPolicy"] == bucket
    assert made["AWS::DynamoDB::Table"]["DeletionPolicy"] == table
    assert ("PointInTimeRecoverySpecification" in made["AWS::DynamoDB::Table"]["Properties"]) is restorable
    assert made["AWS::Logs::LogGroup"]["Properties"]["RetentionInDays"] == 7


def test_a_region_without_personalize_is_refused_with_a_sentence() -> None:
    environ = os.environ | {"CDK_DEFAULT_REGION": "eu-north-1", "PATH": node_path()}
    done = subprocess.run([sys.executable, "app.py"], cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.search(r"Amazon Personalize is not in the region eu-north-1 \(as of 20", done.stderr)
    assert "Traceback" not in done.stderr


def test_the_regions_are_those_of_personalize_and_have_all_other_services() -> None:
    session = boto3.Session()
    assert set(session.get_available_regions("personalize")) == REGIONS
    for service in ("apigateway", "athena", "dynamodb", "firehose", "glue", "kinesis", "lambda", "scheduler", "stepfunctions"):
        assert set(session.get_available_regions(service)) >= REGIONS, service


def test_whoever_uses_the_data_bucket_may_use_its_key(templates_of_prod: Templates) -> None:
    """Who reads objects may decrypt with the shop's key, who writes them may make data keys."""
    needed = {"s3:GetObject": "kms:Decrypt", "s3:PutObject": "kms:GenerateDataKey"}
    for role, statements in statements_of_roles(templates_of_prod).items():
        granted = {action for actions, resource in statements if resource == KEY for action in actions}
        for actions, resource in statements:
            if "-data-" in resource and ":s3:::" in resource:
                assert {needed[action] for action in actions if action in needed} <= granted, f"{role}: {actions} on {resource}"


def test_what_verify_asks_about_the_key_is_granted_and_what_is_granted_has_a_reason(
    templates_of_prod: Templates, prod: Path
) -> None:
    grants, asked = Grants(prod, "123456789012", "us-east-1"), set[str]()
    for role, calls in CALLS.items():
        bucket = "arn:aws:s3:::{output:storage/DataBucket}"
        for action, _, _ in calls_with_key(role, calls, bucket, KEY):
            asked.add(role)
            assert grants.holds(role, action, KEY), f"{role}: {action}"
    assert asked >= {"training/PersonalizeRole", "batch/PersonalizeRole", "ingestion/ArchiveRole", "batch/SparkErasureRole"}
    for name, statements in statements_of_roles(templates_of_prod).items():
        [(capability, logical)] = re.findall(r"^(\w+) .*'(\w+)[0-9A-F]{8}'", name)
        role = f"{capability}/{logical}"
        for action in (action for actions, resource in statements if resource == KEY for action in actions):
            assert "key" in reason(role, action), f"{role}: {action}"


def statements_of_roles(templates: Templates) -> dict[str, list[tuple[list[str], str]]]:
    """What the policies allow, by role: the calls on each resource."""
    found: dict[str, list[tuple[list[str], str]]] = {}
    for capability, template in templates.items():
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::IAM::Policy":
                for role in resource["Properties"]["Roles"]:
                    allowed = found.setdefault(f"{capability} {role}", [])
                    for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
                        actions, resources = (listed(statement[key]) for key in ("Action", "Resource"))
                        allowed += [(actions, json.dumps(one) if isinstance(one, dict) else one) for one in resources]
    return found
