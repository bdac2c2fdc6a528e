"""What a call needs of IAM, and whether a role's policies give it."""

from __future__ import annotations

import io
from typing import Any

import pytest
from werkzeug.test import EnvironBuilder

from localaws.iam.actions import Caller, UnknownOperation, accesses
from localaws.iam.policies import Access, Principal, UnknownCondition, allowed_by, evaluate, statements_of
from localaws.iam.requests import asked

CALLER = Caller("eu-west-1", "111122223333")
TABLE = "arn:aws:dynamodb:eu-west-1:111122223333:table/t"


def statement(**members: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": TABLE, **members}


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [
        ([], False),
        ([statement()], True),
        ([statement(Action=["dynamodb:PutItem", "dynamodb:Get*"])], True),
        ([statement(Action="DYNAMODB:getitem")], True),
        ([statement(Action="dynamodb:GetItems")], False),
        ([statement(Resource=f"{TABLE}/index/*")], False),
        ([statement(Resource=["arn:aws:dynamodb:*:*:table/?"])], True),
        ([statement(), statement(Effect="Deny", Action="*", Resource="*")], False),
        ([statement(Condition={"StringEquals": {"aws:PrincipalTag/team": "a"}})], False),
    ],
)
def test_statements_decide(policy: list[dict[str, Any]], allowed: bool) -> None:
    assert bool(allowed_by(policy, Access("dynamodb:GetItem", TABLE))) == allowed


@pytest.mark.parametrize(("prefix", "allowed"), [("datasets/a", True), ("datasets/", True), ("reports/", False), ("", False)])
def test_a_condition_on_a_prefix(prefix: str, allowed: bool) -> None:
    policy = statement(
        Action="s3:ListBucket", Resource="arn:aws:s3:::b", Condition={"StringLike": {"s3:prefix": ["datasets/*", "events/*"]}}
    )
    (access,) = accesses(CALLER, "s3", "ListObjectsV2", {"Bucket": "b", "Prefix": prefix})
    assert bool(allowed_by([policy], access)) == allowed


def test_a_condition_that_is_not_known_is_not_passed_over() -> None:
    with pytest.raises(UnknownCondition, match="NumericSmaller"):
        allowed_by(
            [statement(Condition={"NumericSmaller": {"aws:MultiFactorAuthAge": "300"}})], Access("dynamodb:GetItem", TABLE)
        )


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"NumericLessThan": {"aws:MultiFactorAuthAge": "300"}}, True),
        ({"NumericLessThan": {"aws:MultiFactorAuthAge": "3"}}, False),
        ({"NumericLessThan": {"aws:TokenIssueTime": "3"}}, False),
        ({"StringNotEquals": {"aws:PrincipalAccount": ["a", "b"]}}, True),
        ({"StringNotEquals": {"aws:PrincipalAccount": ["a", "111122223333"]}}, False),
        ({"StringNotEquals": {"aws:Absent": "a"}}, True),
        ({"StringEqualsIfExists": {"aws:Absent": "a"}}, True),
        ({"StringEquals": {"AWS:principalaccount": "${aws:PrincipalAccount}"}}, True),
        ({"StringEquals": {"aws:PrincipalAccount": "${aws:Absent}"}}, False),
        ({"Null": {"aws:Absent": "true"}}, True),
        ({"Null": {"aws:PrincipalAccount": "true"}}, False),
        ({"Bool": {"aws:SecureTransport": "false"}}, False),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:111122223333:t*"}}, True),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:sns*:t"}}, False),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, True),
        ({"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, False),
        ({"DateGreaterThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"}}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}, True),
        ({"ForAnyValue:StringLike": {"aws:TagKeys": ["c*"]}}, False),
        ({"ForAllValues:StringEquals": {"aws:Absent": ["a"]}}, True),
        ({"ForAnyValue:StringEquals": {"aws:Absent": ["a"]}}, False),
    ],
)
def test_conditions_hold_as_iam_documents_them(condition: dict[str, Any], holds: bool) -> None:
    context: dict[str, Any] = {
        "aws:MultiFactorAuthAge": "12",
        "aws:PrincipalAccount": "111122223333",
        "aws:SecureTransport": "true",
        "aws:SourceArn": "arn:aws:sns:eu-west-1:111122223333:topic",
        "aws:SourceIp": "10.1.2.3",
        "aws:CurrentTime": "2026-11-30T00:00:00Z",
        "aws:TagKeys": ["a", "b"],
    }
    access = Access("dynamodb:GetItem", TABLE, context)
    assert bool(allowed_by([statement(Condition=condition)], access)) == holds


ROLE = Principal("arn:aws:sts::111122223333:assumed-role/r/s", "arn:aws:iam::111122223333:role/r", "111122223333")
SERVICE = Principal("sns.amazonaws.com", account="111122223333", service="sns.amazonaws.com")
NAMED = statement(Principal={"AWS": ROLE.role})


@pytest.mark.parametrize(
    ("principal", "identity", "boundary", "resource", "decision"),
    [
        (ROLE, [statement()], None, [], "allowed"),
        (ROLE, [], None, [NAMED], "allowed"),
        (ROLE, [], None, [statement(Principal="*")], "allowed"),
        (ROLE, [], None, [statement(Principal={"AWS": "arn:aws:iam::111122223333:root"})], "implicitDeny"),
        (ROLE, [statement()], [], [], "implicitDeny"),
        (ROLE, [statement()], [statement()], [], "allowed"),
        (ROLE, [statement()], None, [statement(Effect="Deny", Principal="*")], "explicitDeny"),
        (ROLE, [statement()], None, [statement(Effect="Deny", NotPrincipal={"AWS": ROLE.role})], "allowed"),
        (ROLE, [statement(), statement(Effect="Deny", NotAction="s3:*")], None, [], "explicitDeny"),
        (ROLE, [{"Effect": "Allow", "NotAction": "s3:*", "NotResource": "arn:aws:s3:::b"}], None, [], "allowed"),
        (SERVICE, [], None, [statement(Principal={"Service": "sns.amazonaws.com"})], "allowed"),
        (SERVICE, [], None, [statement(Principal={"Service": "s3.amazonaws.com"})], "implicitDeny"),
        (SERVICE, [], None, [statement(Principal={"AWS": "*"})], "implicitDeny"),
    ],
)
def test_policies_of_callers_and_resources_decide_together(
    principal: Principal, identity: Any, boundary: Any, resource: Any, decision: str
) -> None:
    verdict = evaluate(Access("dynamodb:GetItem", TABLE), identity, boundary, resource, principal)
    assert verdict.decision == decision


def test_a_policy_without_a_version_has_no_variables() -> None:
    document = {"Statement": statement(Resource=f"{TABLE.removesuffix('t')}${{aws:PrincipalAccount}}")}
    access = Access("dynamodb:GetItem", TABLE.removesuffix("t") + "111122223333", {"aws:PrincipalAccount": "111122223333"})
    assert not allowed_by(statements_of(document), access)
    assert allowed_by(statements_of({"Version": "2012-10-17", **document}), access)


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "needed"),
    [
        ("s3", "GetObject", {"Bucket": "b", "Key": "k/x"}, [("s3:GetObject", "arn:aws:s3:::b/k/x")]),
        (
            "s3",
            "CopyObject",
            {"Bucket": "b", "Key": "new", "CopySource": {"Bucket": "a", "Key": "old"}},
            [("s3:PutObject", "arn:aws:s3:::b/new"), ("s3:GetObject", "arn:aws:s3:::a/old")],
        ),
        ("dynamodb", "BatchGetItem", {"RequestItems": {"t": {}}}, [("dynamodb:BatchGetItem", TABLE)]),
        ("dynamodb", "Query", {"TableName": "t", "IndexName": "i"}, [("dynamodb:Query", f"{TABLE}/index/i")]),
        (
            "personalize",
            "CreateCampaign",
            {"name": "c", "solutionVersionArn": "arn:aws:personalize:eu-west-1:111122223333:solution/s/1", "tags": [{}]},
            [
                ("personalize:CreateCampaign", "arn:aws:personalize:eu-west-1:111122223333:campaign/c"),
                ("personalize:CreateCampaign", "arn:aws:personalize:eu-west-1:111122223333:solution/s/1"),
                ("personalize:TagResource", "arn:aws:personalize:eu-west-1:111122223333:campaign/c"),
            ],
        ),
        ("personalize", "ListSolutions", {"datasetGroupArn": "arn:aws:personalize:::x"}, [("personalize:ListSolutions", "*")]),
        (
            "personalize",
            "CreateDatasetImportJob",
            {"jobName": "j", "roleArn": "arn:aws:iam::111122223333:role/r"},
            [
                ("personalize:CreateDatasetImportJob", "arn:aws:personalize:eu-west-1:111122223333:dataset-import-job/j"),
                ("iam:PassRole", "arn:aws:iam::111122223333:role/r"),
            ],
        ),
        ("ssm", "GetParameter", {"Name": "/a/b"}, [("ssm:GetParameter", "arn:aws:ssm:eu-west-1:111122223333:parameter/a/b")]),
        (
            "sqs",
            "SendMessageBatch",
            {"QueueUrl": "https://queue.example/111122223333/q"},
            [("sqs:SendMessage", "arn:aws:sqs:eu-west-1:111122223333:q")],
        ),
        (
            "lambda",
            "Invoke",
            {"FunctionName": "f"},
            [("lambda:InvokeFunction", "arn:aws:lambda:eu-west-1:111122223333:function:f")],
        ),
    ],
)
def test_what_a_call_needs(service: str, operation: str, parameters: dict[str, Any], needed: list[tuple[str, str]]) -> None:
    assert [(access.action, access.resource) for access in accesses(CALLER, service, operation, parameters)] == needed


def test_a_role_is_passed_to_the_service_that_takes_it() -> None:
    *_, passing = accesses(CALLER, "personalize", "CreateDatasetImportJob", {"jobName": "j", "roleArn": "arn:r"})
    assert passing.context == {"iam:PassedToService": "personalize.amazonaws.com"}


def test_what_is_not_known_is_said() -> None:
    with pytest.raises(UnknownOperation, match="apigateway:PutMethod"):
        accesses(CALLER, "apigateway", "PutMethod", {"restApiId": "a"})
    with pytest.raises(UnknownOperation, match="quantum:Leap"):
        accesses(CALLER, "quantum", "Leap", {})


@pytest.mark.parametrize(
    ("verb", "path", "operation", "parameters"),
    [
        ("GET", "/", "ListBuckets", {}),
        ("GET", "/b?list-type=2&prefix=a%2Fb", "ListObjectsV2", {"Bucket": "b", "Prefix": "a/b"}),
        ("GET", "/b?Key=k", "ListObjects", {"Bucket": "b"}),
        ("GET", "/b/a//%EA%B0%80%2F+x?versionId=3", "GetObject", {"Bucket": "b", "Key": "a//가/+x", "VersionId": "3"}),
        ("HEAD", "/b/folder/", "HeadObject", {"Bucket": "b", "Key": "folder/"}),
        ("PUT", "/b/k?tagging", "PutObjectTagging", {"Bucket": "b", "Key": "k"}),
        ("DELETE", "/b?lifecycle", "DeleteBucketLifecycle", {"Bucket": "b"}),
        ("POST", "/b/k?uploads", "CreateMultipartUpload", {"Bucket": "b", "Key": "k"}),
        ("POST", "/b?delete", "DeleteObjects", {"Bucket": "b", "Delete": {"Objects": [{"Key": "a&b", "VersionId": "1"}]}}),
    ],
)
def test_which_call_of_s3_a_request_is(verb: str, path: str, operation: str, parameters: dict[str, Any]) -> None:
    body = io.BytesIO(b"<Delete><Object><Key>a&amp;b</Key><VersionId>1</VersionId></Object></Delete>")
    found = asked("s3", EnvironBuilder(path, method=verb, input_stream=body).get_environ() | {"RAW_URI": path})
    assert (found.operation, {name: found.parameters[name] for name in parameters}) == (operation, parameters)
    assert found.parameters.keys() & {"Bucket", "Key", "CopySource", "Delete"} <= parameters.keys()
