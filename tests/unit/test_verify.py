"""`reco verify`: which calls it asks IAM about, what its file says, and when it trains on a tiny data set."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambdas.config import Config
from lambdas.config.file import load_config
from personalize_rules import limits
from reco.account import simulation
from reco.account.grants import Grants
from reco.account.journey import Step
from reco.account.simulation import Denied, Simulated, simulate
from reco.account.trial import Trial
from reco.commands import verify
from reco.errors import RecoError

ACCOUNT, REGION, BUCKET = "210987654321", "eu-west-1", "recostack-shop-data"
ROLE = "training/FunctionsReportRole"
RESOURCES = {
    "recostack-shop-training": [
        ("AWS::IAM::Role", "FunctionsReportRole12345678", "report-role"),
        ("AWS::IAM::Role", "PersonalizeRole12345678", "personalize-role"),
        ("AWS::IAM::Role", "NewRole12345678", "new-role"),
    ],
    "recostack-shop-prod-training": [("AWS::IAM::Role", "FunctionsReportRole12345678", "a-neighbours")],
}


class Account:
    """Clients of a deployment's account; `decide` is IAM's answer for (role, action, resource)."""

    deployment, local = "shop", None

    def __init__(self, denied: tuple[str, ...] = (), groups: tuple[str, ...] = (), keys: tuple[str, ...] = ()) -> None:
        self.denied, self.groups, self.keys = denied, groups, keys
        self.asked: list[dict[str, Any]] = []

    def client(self, _: str) -> Any:
        return SimpleNamespace(get_paginator=lambda operation: SimpleNamespace(paginate=getattr(self, operation)))

    def output(self, stack: str, name: str) -> str:
        return BUCKET if name == "DataBucket" else f"{stack}-{name}"

    def describe_stacks(self) -> Iterator[Any]:
        yield {"Stacks": [{"StackName": name} for name in RESOURCES]}

    def list_stack_resources(self, StackName: str) -> Iterator[Any]:  # noqa: N803
        names = ("ResourceType", "LogicalResourceId", "PhysicalResourceId")
        yield {"StackResourceSummaries": [dict(zip(names, one, strict=True)) for one in RESOURCES[StackName]]}

    def simulate_principal_policy(self, **asked: Any) -> Iterator[Any]:
        self.asked.append(asked)
        (action,) = asked["ActionNames"]
        decisions = {True: "implicitDeny", False: "allowed"}
        yield {
            "EvaluationResults": [
                {"EvalActionName": action, "EvalResourceName": one, "EvalDecision": decisions[action in self.denied]}
                for one in asked["ResourceArns"]
            ]
        }

    def list_dataset_groups(self) -> Iterator[Any]:
        yield {"datasetGroups": [{"name": name} for name in self.groups]}

    def list_objects_v2(self, **_: Any) -> Iterator[Any]:
        yield {"Contents": [{"Key": key, "Size": 1} for key in self.keys]}


@pytest.fixture
def config() -> Config:
    return load_config(Path("config/shop.yaml"))


@pytest.fixture
def grants(tmp_path: Path) -> Grants:
    """Of a config in which the role of the report writes reports and passes a role."""
    statements = [
        {"Effect": "Allow", "Action": "s3:PutObject", "Resource": {"Fn::Join": ["", ["arn:aws:s3:::", BUCKET, "/reports/*"]]}},
        {"Effect": "Allow", "Action": ["iam:PassRole"], "Resource": {"Fn::GetAtt": ["PersonalizeRole12345678", "Arn"]}},
    ]
    policy = {"Roles": [{"Ref": "FunctionsReportRole12345678"}], "PolicyDocument": {"Statement": statements}}
    resources = {"Policy": {"Type": "AWS::IAM::Policy", "Properties": policy}}
    (tmp_path / "recostack-shop-training.template.json").write_text(json.dumps({"Resources": resources}))
    return Grants(tmp_path, ACCOUNT, REGION)


@pytest.fixture(autouse=True)
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = [
        ["s3:PutObject", "arn:aws:s3:::recostack-{name}-data/reports/a.json", {}],
        ["s3:PutObject", "arn:aws:s3:::recostack-{name}-data/snapshots/a.json", {}],
        ["iam:PassRole", "{role:training/PersonalizeRole}", {"iam:PassedToService": "personalize.amazonaws.com"}],
    ]
    monkeypatch.setattr(simulation, "FILE", tmp_path / "calls.json")
    simulation.FILE.write_text(json.dumps({ROLE: calls}))


def test_iam_is_asked_about_what_this_config_grants_and_what_is_done_on_its_behalf(grants: Grants) -> None:
    account = Account()
    found = simulate(account, grants, ACCOUNT, REGION)  # type: ignore[arg-type]
    assert (found.denied, found.unlisted) == ([], ["training/NewRole"])
    asked = [(one["PolicySourceArn"], one["ActionNames"], one["ResourceArns"]) for one in account.asked]
    report, personalize = (f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("report-role", "personalize-role"))
    assert (report, ["s3:PutObject"], [f"arn:aws:s3:::{BUCKET}/reports/a.json"]) in asked
    assert (report, ["iam:PassRole"], [personalize]) in asked
    assert any(source == personalize and action == ["s3:GetObject"] for source, action, _ in asked)
    assert not any("snapshots" in resource for source, _, resources in asked if source == report for resource in resources)
    (context,) = [one["ContextEntries"] for one in account.asked if one["ActionNames"] == ["iam:PassRole"]]
    assert context[0]["ContextKeyValues"] == ["personalize.amazonaws.com"]
    assert not any("a-neighbours" in source for source, _, _ in asked)


def test_where_the_config_has_a_key_iam_is_asked_about_its_use(grants: Grants) -> None:
    """Personalize's four actions, and S3's in the name of whoever reads or writes objects of the data bucket."""
    key, account = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1", Account(denied=("kms:ListGrants",))
    found = simulate(account, grants, ACCOUNT, REGION, key)  # type: ignore[arg-type]
    asked = {
        (one["PolicySourceArn"].rpartition("/")[2], one["ActionNames"][0])
        for one in account.asked
        if one["ResourceArns"] == [key]
    }
    personalize = {("personalize-role", f"kms:{call}") for call in ("Decrypt", "DescribeKey", "GenerateDataKey", "ListGrants")}
    assert asked == {*personalize, ("report-role", "kms:GenerateDataKey")}
    assert found.denied == [Denied("training/PersonalizeRole", "kms:ListGrants", key, "implicitDeny")]
    without = Account()
    simulate(without, grants, ACCOUNT, REGION)  # type: ignore[arg-type]
    assert not any(one["ActionNames"][0].startswith("kms:") for one in without.asked)


def test_what_iam_denies_is_named_with_its_role_action_and_resource(grants: Grants) -> None:
    found = simulate(Account(denied=("iam:PassRole",)), grants, ACCOUNT, REGION)  # type: ignore[arg-type]
    assert found.denied == [Denied(ROLE, "iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/personalize-role", "implicitDeny")]


def test_the_file_has_every_difference_and_no_account_number(capsys: Any) -> None:
    simulated = Simulated(1, 2, [Denied(ROLE, "s3:PutObject", f"arn:aws:iam::{ACCOUNT}:role/r", "implicitDeny")], [])
    steps = [Step("event accepted", 202, 403, 1.0), Step("item accepted", 202, 202)]
    report = verify.report_of("shop", REGION, simulated, "", steps)
    assert [difference["check"] for difference in report["differences"]] == [f"{ROLE}: s3:PutObject", "event accepted"]
    assert verify.code_of(report) == verify.DIFFERS
    text = verify.without_account(json.dumps(report), ACCOUNT)
    assert ACCOUNT not in text
    assert "123456789012" not in verify.without_account("arn:aws:s3:::a-123456789012-b", ACCOUNT)
    assert verify.without_account("1764438000123 and 00000000001234567890", ACCOUNT) == "1764438000123 and 00000000001234567890"
    verify.show("shop", REGION, json.loads(text), Path("verify-shop.json"))
    said = capsys.readouterr().out
    assert "event accepted: 403, here it is 202." in said
    assert "2 differences from what happens here: verify-shop.json has all of it." in said
    assert max(len(line) for line in said.splitlines() if line[:1] in "┃│┏└") <= 80


def test_without_leave_to_simulate_the_rest_is_verified(grants: Grants, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def refused(*_: Any) -> Any:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "SimulatePrincipalPolicy")

    monkeypatch.setattr(verify, "simulate", refused)
    found, why = verify._simulated(None, grants, ACCOUNT, REGION, None, print)  # type: ignore[arg-type]
    report = verify.report_of("shop", REGION, found, why, [Step("event accepted", 202, 202)])
    assert verify.code_of(report) == verify.UNKNOWN
    verify.show("shop", REGION, report, Path("f.json"))
    assert "IAM could not be asked (SimulatePrincipalPolicy: AccessDenied)" in capsys.readouterr().out


def test_the_tiny_data_set_is_one_that_can_be_imported_and_trained(config: Config, tmp_path: Path) -> None:
    from reco.data.csv_folder import look_into

    files = Trial(Account(), config)._csvs(tmp_path)  # type: ignore[arg-type]
    assert not look_into(tmp_path).findings.errors
    with files["interactions"].open() as file:
        rows = list(csv.DictReader(file))
    pairs = {(row["USER_ID"], row["ITEM_ID"], row["TIMESTAMP"]) for row in rows}
    assert len(pairs) == len(rows) >= limits.MIN_INTERACTIONS
    assert len({row["USER_ID"] for row in rows}) >= limits.MIN_USERS


def test_only_a_deployment_without_data_is_trained_and_the_price_is_said(config: Config) -> None:
    Trial(Account(), config).require_new()  # type: ignore[arg-type]
    with pytest.raises(RecoError, match="has a dataset group already"):
        Trial(Account(groups=("shop",)), config).require_new()  # type: ignore[arg-type]
    with pytest.raises(RecoError, match="There are CSVs in S3 already"):
        Trial(Account(keys=("datasets/items/a.csv",)), config).require_new()  # type: ignore[arg-type]
    assert "costs about $" in Trial(Account(), config).price()  # type: ignore[arg-type]
