"""What a call needs of IAM, and whether a role's policies give it."""

from __future__ import annotations

from typing import Any

import pytest

from localaws.iam.actions import Caller, UnknownOperation, accesses
from localaws.iam.policies import Access, UnknownCondition, allowed_by

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
    with pytest.raises(UnknownCondition, match="NumericLessThan"):
        allowed_by(
            [statement(Condition={"NumericLessThan": {"aws:MultiFactorAuthAge": "300"}})], Access("dynamodb:GetItem", TABLE)
        )


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
    with pytest.raises(UnknownOperation, match="s3:PutBucketAcl"):
        accesses(CALLER, "s3", "PutBucketAcl", {"Bucket": "b"})
    with pytest.raises(UnknownOperation, match="quantum:Leap"):
        accesses(CALLER, "quantum", "Leap", {})
