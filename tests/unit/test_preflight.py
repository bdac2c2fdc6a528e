"""`reco preflight`: each check against recorded answers of AWS, and what cannot be read against refusals of AWS."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from moto import mock_aws
from typer.testing import CliRunner

from lambdas.config import Config
from lambdas.config.file import load_config
from reco.account.needs import Needs, needs_of
from reco.account.preflight import Finding, Preflight
from reco.cli import app
from reco.commands import preflight as command

REGION, ACCOUNT = "eu-west-1", "123456789012"
NEEDS = Needs(
    names={
        "recostack-shop-storage": [("AWS::S3::Bucket", "recostack-shop-data"), ("AWS::DynamoDB::Table", "shop-catalogue")],
        "recostack-shop-ingestion": [("AWS::Kinesis::Stream", "shop-events"), ("AWS::SQS::Queue", "shop-records")],
    },
    ingesting=10,
    concurrency=70,
    on_demand_streams=1,
    shards=0,
    bootstrap_version=6,
)
#: As AWS answers where moto does not; of an account in which nothing was done yet, with raised quotas.
ANSWERS: dict[str, Any] = {
    "GetAccountSettings": {"AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000}},
    "DescribeLimits": {"ShardLimit": 200, "OpenShardCount": 0, "OnDemandStreamCount": 0, "OnDemandStreamCountLimit": 50},
    "ListDatasetGroups": {"datasetGroups": []},
    "ListSchemas": {"schemas": []},
    "ListServiceQuotas": {
        "Quotas": [{"QuotaName": "Active dataset groups", "Value": 10.0}, {"QuotaName": "Schemas", "Value": 500.0}]
    },
}


@pytest.fixture
def config() -> Config:
    return load_config(Path("config/shop.yaml"))


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """An account with a bootstrap; what is put into the answers is answered, errors are raised, all else is moto's."""
    given, make = dict(ANSWERS), BaseClient._make_api_call  # type: ignore[attr-defined]

    def call(client: Any, operation: str, parameters: Any) -> Any:
        if operation not in given:
            return make(client, operation, parameters)
        if isinstance(given[operation], str):
            raise ClientError({"Error": {"Code": given[operation], "Message": "not allowed"}}, operation)
        return given[operation]

    with mock_aws():
        monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
        monkeypatch.setattr(BaseClient, "_make_api_call", call)
        boto3.client("ssm").put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value="21", Type="String")
        yield given


def look(config: Config, needs: Needs = NEEDS, region: str = REGION) -> dict[str, Finding]:
    client: Callable[[str], Any] = boto3.client
    return {finding.check: finding for finding in Preflight(client, config, needs, region).findings()}


def test_a_prepared_account_is_ready_and_nothing_was_written(
    config: Config, answers: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    called = []
    make = BaseClient._make_api_call  # type: ignore[attr-defined]
    monkeypatch.setattr(BaseClient, "_make_api_call", lambda *given: (called.append(given[1]), make(*given))[1])
    found = look(config)
    assert {finding.state for finding in found.values()} == {"ok"}
    assert command.code_of(list(found.values())) == 0
    assert {name for name in called if not name.startswith(("Get", "Describe", "List", "Head"))} == set()


def test_a_new_account_is_told_what_to_ask_for(config: Config, answers: dict[str, Any]) -> None:
    answers["GetAccountSettings"] = {"AccountLimit": {"ConcurrentExecutions": 10}}
    answers["DescribeLimits"] = {**ANSWERS["DescribeLimits"], "OnDemandStreamCount": 50}
    answers["ListDatasetGroups"] = {"datasetGroups": [{"name": f"g{n}"} for n in range(10)]}
    found = look(config)
    assert {check for check, finding in found.items() if finding.state == "ask"} == {
        "Lambda concurrency",
        "Kinesis on-demand streams",
        "Personalize dataset groups",
    }
    assert "Ask for 1,000" in found["Lambda concurrency"].remedy
    assert "can hold 10: calls of the API would fail" in found["Lambda concurrency"].remedy
    assert "Ask for 11" in found["Personalize dataset groups"].remedy
    assert command.code_of(list(found.values())) == command.LACKS


def test_more_campaigns_than_a_dataset_group_may_have(config: Config, answers: dict[str, Any]) -> None:
    answers["ListServiceQuotas"] = {"Quotas": [{"QuotaName": "Active campaigns per dataset group", "Value": 0.0}]}
    found = look(config)["Personalize campaigns"]
    assert (found.state, found.found) == ("ask", "0 of 0 free")
    assert found.remedy.startswith(f"Ask for {found.needed}:")


def test_without_service_quotas_the_defaults_are_named_as_such(config: Config, answers: dict[str, Any]) -> None:
    answers["ListServiceQuotas"] = "AccessDeniedException"
    assert look(config)["Personalize dataset groups"].found == "5 of 5 free (default)"


def test_a_region_without_a_service(config: Config, answers: dict[str, Any]) -> None:
    found = look(config, region="eu-south-2")["services in the region"]
    assert found.state == "mend"
    assert "personalize" in found.found


def test_no_bootstrap_and_one_that_is_too_old(config: Config, answers: dict[str, Any]) -> None:
    assert look(config, replace(NEEDS, bootstrap_version=22))["CDK bootstrap"].state == "mend"
    boto3.client("ssm").delete_parameter(Name="/cdk-bootstrap/hnb659fds/version")
    found = look(config)["CDK bootstrap"]
    assert (found.state, found.found, found.remedy) == ("mend", "not done", f"npx cdk bootstrap aws://ACCOUNT/{REGION}")


def test_a_bootstrap_with_a_qualifier_of_its_own(config: Config, answers: dict[str, Any]) -> None:
    def look_at(qualifier: str) -> Finding:
        findings = Preflight(boto3.client, config, NEEDS, REGION, qualifier).findings()  # type: ignore[arg-type]
        return next(finding for finding in findings if finding.check == "CDK bootstrap")

    assert "--qualifier prod --toolkit-stack-name CDKToolkit-prod" in look_at("prod").remedy
    boto3.client("ssm").put_parameter(Name="/cdk-bootstrap/prod/version", Value="21", Type="String")
    assert look_at("prod").state == "ok"


def test_names_that_are_taken_are_each_named(config: Config, answers: dict[str, Any]) -> None:
    boto3.client("s3").create_bucket(Bucket="recostack-shop-data", CreateBucketConfiguration={"LocationConstraint": REGION})
    boto3.client("sqs").create_queue(QueueName="shop-records")
    findings = list(Preflight(boto3.client, config, NEEDS, REGION).findings())  # type: ignore[arg-type]
    taken = [finding.found for finding in findings if finding.check == "names"]
    assert taken == ["S3 recostack-shop-data exists", "SQS shop-records exists"]


def test_a_bucket_of_another_account_may_not_be_looked_at(config: Config, answers: dict[str, Any]) -> None:
    answers["HeadBucket"] = "403"
    found = look(config)["names"]
    assert (found.state, "recostack-shop-data" in found.found) == ("unknown", True)


@pytest.mark.parametrize(
    ("status", "state"), [("CREATE_COMPLETE", "ok"), ("ROLLBACK_COMPLETE", "mend"), ("UPDATE_IN_PROGRESS", "mend")]
)
def test_stacks_that_are_there(config: Config, answers: dict[str, Any], status: str, state: str) -> None:
    answers["DescribeStacks"] = {"Stacks": [{"StackStatus": status}]}
    boto3.client("sqs").create_queue(QueueName="shop-records")  # the stack's own
    found = look(config)
    stacks = [finding for check, finding in found.items() if check.startswith("stack")]
    assert {finding.state for finding in stacks} == {state}
    assert found["names"].state == "ok"
    if status == "ROLLBACK_COMPLETE":
        assert "aws cloudformation delete-stack --stack-name recostack-shop-" in stacks[0].remedy
        assert "termination-protection" not in stacks[0].remedy


def test_a_protected_stack_that_failed_is_unprotected_first(config: Config, answers: dict[str, Any]) -> None:
    answers["DescribeStacks"] = {"Stacks": [{"StackStatus": "ROLLBACK_COMPLETE", "EnableTerminationProtection": True}]}
    said = look(config)["stack recostack-shop-storage"].remedy
    unlock, delete = (said.index(f"aws cloudformation {call}") for call in ("update-termination-protection", "delete-stack"))
    assert unlock < delete
    [shown] = re.findall(r"aws cloudformation update-termination-protection .*", Path("docs/deploying.md").read_text())
    assert shown in said


@pytest.mark.parametrize(
    ("operation", "check"),
    [
        ("GetParameters", "services in the region"),
        ("GetParameter", "CDK bootstrap"),
        ("DescribeStacks", "stacks"),
        ("GetAccountSettings", "Lambda concurrency"),
        ("DescribeLimits", "Kinesis streams"),
        ("ListDatasetGroups", "Personalize quotas"),
    ],
)
def test_a_refused_call_is_a_sentence_and_the_other_checks_go_on(
    config: Config, answers: dict[str, Any], operation: str, check: str
) -> None:
    answers[operation] = "AccessDeniedException"
    found = look(config)
    assert found[check].state == "unknown"
    assert found[check].found == f"{operation} is refused to your credentials"
    assert operation in found[check].remedy
    assert any(finding.state == "ok" for finding in found.values())
    assert command.code_of(list(found.values())) == command.UNKNOWN


def test_the_command_fits_80_columns_and_speaks_json(
    answers: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(command, "synthesize", lambda *_, **__: Path())
    monkeypatch.setattr(command, "needs_of", lambda *_: replace(NEEDS, concurrency=2000))
    arguments = {"config": Path("config/shop.yaml"), "aws": True}
    with pytest.raises(command.typer.Exit) as ended:
        command.preflight(**arguments, as_json=True)  # type: ignore[arg-type]
    shown = json.loads(capsys.readouterr().out)
    assert ended.value.exit_code == command.LACKS
    assert (shown["ready"], shown["region"], ACCOUNT in json.dumps(shown)) == (False, REGION, False)
    with pytest.raises(command.typer.Exit):
        command.preflight(**arguments)  # type: ignore[arg-type]
    said = capsys.readouterr().out
    assert "Lambda concurrency: 1000. Ask for 2,000" in said
    assert max(len(line) for line in said.splitlines() if line[:1] in "┃│┏└") <= 80


def test_needs_are_read_from_the_templates(tmp_path: Path) -> None:
    resources = {
        "Stream": {"Type": "AWS::Kinesis::Stream", "Properties": {"Name": "e", "StreamModeDetails": {"StreamMode": "ON_DEMAND"}}},
        "OfStream": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": {"ParallelizationFactor": 2}},
        "OfQueue": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": {"ScalingConfig": {"MaximumConcurrency": 2}}},
        "Plan": {"Type": "AWS::ApiGateway::UsagePlan", "Properties": {"Throttle": {"RateLimit": 100, "BurstLimit": 200}}},
        "Bucket": {
            "Type": "AWS::S3::Bucket",
            "Properties": {"BucketName": {"Fn::Join": ["-", ["data", {"Ref": "AWS::AccountId"}, {"Ref": "AWS::Region"}]]}},
        },
        "Unnamed": {"Type": "AWS::S3::Bucket", "Properties": {}},
    }
    rule = {"Assertions": [{"Assert": {"Fn::Not": [{"Fn::Contains": [["1", "2", "3", "4", "5"], {"Ref": "BootstrapVersion"}]}]}}]}
    (tmp_path / "recostack-x-all.template.json").write_text(
        json.dumps({"Resources": resources, "Rules": {"CheckBootstrapVersion": rule}})
    )
    assert needs_of(tmp_path, ACCOUNT, REGION) == Needs(
        names={"recostack-x-all": [("AWS::Kinesis::Stream", "e"), ("AWS::S3::Bucket", f"data-{ACCOUNT}-{REGION}")]},
        ingesting=10,
        concurrency=70,
        on_demand_streams=1,
        shards=0,
        bootstrap_version=6,
    )


@pytest.mark.parametrize(("refused", "code"), [((), 0), (("GetParameters", "DescribeLimits"), command.UNKNOWN)])
def test_the_command_looks_at_what_the_app_synthesizes(answers: dict[str, Any], refused: tuple[str, ...], code: int) -> None:
    """The whole command on the shop's real templates; AWS answers as an account that is prepared, and refuses some reads."""
    answers.update(dict.fromkeys(refused, "AccessDeniedException"))
    done = CliRunner().invoke(app, ["preflight", "-c", "config/shop.yaml", "--aws", "--json"])
    assert done.exit_code == code, done.output
    shown = json.loads(done.stdout)
    assert set(shown) == {"deployment", "region", "ready", "findings"}
    assert (shown["deployment"], shown["region"], shown["ready"]) == ("shop", REGION, code == 0)
    found = {finding["check"]: finding for finding in shown["findings"]}
    assert all(set(finding) == {"check", "state", "found", "needed", "remedy"} for finding in shown["findings"])
    assert found["stacks"]["found"] == "none yet"
    free, _, _ = found["names"]["found"].partition(" ")
    assert int(free) > 20, "the names of the templates' tables, queues, streams, buckets and functions"
    assert int(found["Lambda concurrency"]["needed"].replace(",", "")) > 0
    unknown = {check for check, finding in found.items() if finding["state"] == "unknown"}
    assert unknown == ({"services in the region", "Kinesis streams"} if refused else set())
    assert ACCOUNT not in done.stdout
