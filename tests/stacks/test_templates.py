"""What matters in the templates: encryption, access, retention, and roles that allow just their calls."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from localaws.iam.policies import listed
from tests.stacks.conftest import Templates, resources, statements


def test_one_stack_for_each_capability(templates: Templates) -> None:
    assert set(templates) == {"storage", "training", "ingestion", "serving", "api", "batch", "operations"}
    for name, template in templates.items():
        text = json.dumps(template)
        assert "Fn::ImportValue" not in text, f"{name} must find others by name, not by export"
        assert '"Export"' not in text


def test_buckets_are_private_encrypted_and_kept(templates: Templates) -> None:
    buckets = dict(resources(templates, "AWS::S3::Bucket"))
    assert len(buckets) == 3
    for bucket in buckets.values():
        assert bucket["DeletionPolicy"] == "RetainExceptOnCreate"
        assert bucket["Properties"]["BucketEncryption"]
        assert all(bucket["Properties"]["PublicAccessBlockConfiguration"].values())
        assert bucket["Properties"]["LifecycleConfiguration"]["Rules"]
    for _, policy in resources(templates, "AWS::S3::BucketPolicy"):
        document = policy["Properties"]["PolicyDocument"]["Statement"]
        assert any(
            s["Effect"] == "Deny" and s["Condition"]["Bool"] == {"aws:SecureTransport": "false"}
            for s in document
            if "Bool" in s.get("Condition", {})
        )


def test_only_where_lists_are_shown_roles_may_make_them(templates: Templates, templates_of_prod: Templates) -> None:
    """In prod a person decides about a recipe that answers for users; in the other deployment nobody is asked."""

    def allowed(of: Templates, role: str) -> set[str]:
        mine = [statement for _, statement in statements(of, role)]
        return {action for statement in mine for action in listed(statement["Action"])}

    def reached(of: Templates, role: str) -> str:
        return json.dumps([statement["Resource"] for _, statement in statements(of, role)])

    step, report, personalize = "FunctionsApproveVersionsRole", "FunctionsReportRole", "PersonalizeRole"
    making = {"personalize:CreateBatchInferenceJob", "personalize:DescribeBatchInferenceJob", "iam:PassRole"}
    making |= {"s3:GetObject", "s3:PutObject", "s3:ListBucket", "dynamodb:BatchGetItem"}
    assert making <= allowed(templates_of_prod, step)
    assert not making & allowed(templates, step)
    assert "s3:GetObject" in allowed(templates_of_prod, report) - allowed(templates, report)
    for role in (step, personalize):
        assert "/samples/*" in reached(templates_of_prod, role)
        assert "/samples/*" not in reached(templates, role)


def test_what_names_users_for_a_time_goes_with_its_old_versions(templates: Templates) -> None:
    data = next(bucket for name, bucket in resources(templates, "AWS::S3::Bucket") if name.startswith("Data"))
    rules = [rule for rule in data["Properties"]["LifecycleConfiguration"]["Rules"] if "Prefix" in rule]
    assert all(rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1} for rule in rules)
    assert {rule["Prefix"]: rule["ExpirationInDays"] for rule in rules} == {
        "datasets/interactions/without-erased/": 7,
        "datasets/users/without-erased/": 7,
        "batch/": 30,
        "samples/": 1,
        "dead-letters/": 14,
        "aws/lambda/": 14,
        "events-errors/": 14,
        "events-staging/": 2,
        "athena/": 7,
        "events/": 365,
    }


def test_runs_that_time_out_or_are_stopped_ring_as_those_that_fail(templates: Templates) -> None:
    alarms = [alarm["Properties"] for _, alarm in resources(templates, "AWS::CloudWatch::Alarm")]
    counted = {
        alarm["AlarmName"]: {
            metric["MetricStat"]["Metric"]["MetricName"] for metric in alarm["Metrics"] if "MetricStat" in metric
        }
        for alarm in alarms
        if alarm["AlarmName"].endswith("-run-failed")
    }
    assert counted == {
        f"movielens_{name}-run-failed": {"ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"}
        for name in ("train", "batch", "archive")
    }


def test_a_function_is_called_again_whatever_name_a_passing_error_has(templates: Templates) -> None:
    """botocore raises an error that a service describes under its own name, all others as ClientError."""
    passing = {"Sandbox.Timedout", "ClientError", "ThrottlingException", "InternalServerError"}
    passing |= {"ProvisionedThroughputExceededException", "RequestLimitExceeded"}
    machines = [machine["Properties"] for _, machine in resources(templates, "AWS::StepFunctions::StateMachine")]
    assert len(machines) == 3
    for machine in machines:
        definition = json.loads(machine["DefinitionString"])
        invocations = [state for state in states(definition) if "lambda:invoke" in state.get("Resource", "")]
        assert invocations
        for state in invocations:
            assert passing <= set(state["Retry"][0]["ErrorEquals"]), (machine["StateMachineName"], state["Arguments"])


def states(definition: Any) -> Iterator[dict[str, Any]]:
    """The states of a definition, at any depth."""
    for name, value in definition.items() if isinstance(definition, dict) else enumerate(definition):
        if name == "States":
            yield from value.values()
        if isinstance(value, (dict, list)):
            yield from states(value)


def test_personalize_reaches_the_data_for_this_account_alone(templates: Templates) -> None:
    found = 0
    for _, policy in resources(templates, "AWS::S3::BucketPolicy"):
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            if statement.get("Principal") == {"Service": "personalize.amazonaws.com"}:
                found += 1
                assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
                assert "aws:SourceArn" in statement["Condition"]["ArnLike"]
    assert found == 4
    trusts = [
        role["Properties"]["AssumeRolePolicyDocument"]["Statement"][0] for _, role in resources(templates, "AWS::IAM::Role")
    ]
    personalize = [t for t in trusts if t["Principal"] == {"Service": "personalize.amazonaws.com"}]
    assert len(personalize) == 3
    assert all(t["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}} for t in personalize)


def test_tables_can_be_restored(templates: Templates) -> None:
    tables = [table["Properties"] for _, table in resources(templates, "AWS::DynamoDB::Table")]
    assert tables
    for table in tables:
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert table["BillingMode"] == "PAY_PER_REQUEST"


def test_functions_share_runtime_layer_logs_and_traces(templates: Templates) -> None:
    functions = [function["Properties"] for _, function in resources(templates, "AWS::Lambda::Function")]
    assert len(functions) == 21
    for function in functions:
        assert (function["Runtime"], function["Architectures"]) == ("python3.13", ["arm64"])
        assert function["TracingConfig"] == {"Mode": "Active"}
        assert len(function["Layers"]) == 1
        assert function["LoggingConfig"]["LogFormat"] == "JSON"
        assert Path(function["Handler"].replace(".", "/")).parent.with_suffix(".py").exists()
    for _, group in resources(templates, "AWS::Logs::LogGroup"):
        assert group["Properties"]["RetentionInDays"] == 90


def test_roles_allow_named_calls_only(templates: Templates) -> None:
    for name, statement in statements(templates):
        for action in listed(statement["Action"]):
            assert "*" not in action, f"{name} allows {action}"
        if "*" in listed(statement["Resource"]):
            kinds = [
                "BatchInferenceJobs",
                "Campaigns",
                "DataDeletionJobs",
                "DatasetImportJobs",
                "EventTrackers",
                "Filters",
                "SolutionVersions",
                "Solutions",
            ]
            lists = {f"personalize:List{kind}" for kind in kinds}
            plumbing = {"xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets"}
            lists |= {"personalize:PutEvents"}  # takes no resource (personalize/latest/dg/recording-item-interaction-events.html)
            assert all(a in lists | plumbing or a.startswith("logs:") for a in listed(statement["Action"])), (name, statement)


def test_only_four_functions_pass_a_role_and_only_to_personalize(templates: Templates) -> None:
    passing = [(name, s) for name, s in statements(templates) if "iam:PassRole" in listed(s["Action"])]
    assert sorted(name.split("RoleDefault")[0] for name, _ in passing) == [
        "FunctionsDeleteUserData",
        "FunctionsDeployCampaigns",
        "FunctionsImportData",
        "FunctionsRunBatchJob",
    ]
    assert all(s["Condition"] == {"StringEquals": {"iam:PassedToService": "personalize.amazonaws.com"}} for _, s in passing)


def test_every_method_but_approval_links_and_preflights_asks_for_a_key(templates: Templates) -> None:
    paths = {name: resource["Properties"]["PathPart"] for name, resource in resources(templates, "AWS::ApiGateway::Resource")}
    for _, method in resources(templates, "AWS::ApiGateway::Method"):
        path, verb = paths[method["Properties"]["ResourceId"]["Ref"]], method["Properties"]["HttpMethod"]
        page = verb == "GET" and Path(path).suffix in (".html", ".js", ".css", ".json")
        open_to_all = page or verb == "OPTIONS" or path in ("{approval_id}", "docs")
        assert method["Properties"].get("ApiKeyRequired", False) is not open_to_all
    stages = [stage["Properties"] for _, stage in resources(templates, "AWS::ApiGateway::Stage")]
    assert len(stages) == 2
    for stage in stages:
        assert stage["TracingEnabled"]
        log = json.loads(stage["AccessLogSetting"]["Format"])
        assert not any("querystring" in field or "sourceIp" in field or field.endswith("path") for field in log.values())


def test_runs_start_by_the_marker_beside_the_csvs(templates: Templates) -> None:
    rule = next(resources(templates, "AWS::Events::Rule"))[1]["Properties"]
    assert rule["EventPattern"]["detail"]["object"] == {"key": ["datasets/_READY"]}
    data = next(bucket for name, bucket in resources(templates, "AWS::S3::Bucket") if name.startswith("Data"))
    assert data["Properties"]["NotificationConfiguration"] == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}


def test_the_state_machine_is_logged_and_traced(templates: Templates) -> None:
    machine = next(resources(templates, "AWS::StepFunctions::StateMachine"))[1]["Properties"]
    assert machine["LoggingConfiguration"]["Level"] == "ALL"
    assert machine["TracingConfiguration"] == {"Enabled": True}


def test_the_templates_pass_cfn_lint(assembly: Path) -> None:
    done = subprocess.run(
        [
            Path(sys.executable).with_name("cfn-lint"),
            "--ignore-checks",
            "W3005",
            "--",
            *map(str, assembly.glob("*.template.json")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_no_security_finding_is_left_without_a_reason(assembly: Path) -> None:
    """A finding that nobody acknowledged ends the synth; those that were acknowledged say why."""
    report = json.loads((assembly / "validation-report.json").read_text())
    for plugin in report["pluginReports"]:
        assert plugin["violations"] == []
