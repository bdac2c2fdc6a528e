"""What commands say when AWS or a file is not as they need it: a sentence, never a traceback."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from reco.deployment.batch import rebuild_interactions
from reco.errors import RecoError
from reco.target import Target


@mock_aws
def test_a_stack_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with pytest.raises(RecoError, match="There is no stack recostack-shop-api: deploy it first"):
        Target("shop", None).output("api", "ApiUrl")


def test_whoever_may_not_ask_for_a_stack_reads_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(StackName: str) -> Any:  # noqa: N803
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": f"not for you: {StackName}"}}, "DescribeStacks")

    monkeypatch.setattr(Target, "client", lambda self, service: SimpleNamespace(describe_stacks=refuse))
    with pytest.raises(RecoError, match=r"AccessDenied.*not for you: recostack-shop-api"):
        Target("shop", None).output("api", "ApiUrl")


def test_erased_users_that_cannot_be_listed_stop_the_rebuild(monkeypatch: pytest.MonkeyPatch) -> None:
    error = io.BytesIO(json.dumps({"errorMessage": "the table is gone", "errorType": "ResourceNotFoundException"}).encode())
    aws = SimpleNamespace(invoke=lambda **given: {"FunctionError": "Unhandled", "Payload": error})
    monkeypatch.setattr(Target, "client", lambda self, service: aws)
    monkeypatch.setattr(Target, "output", lambda self, capability, name: name)
    with pytest.raises(RecoError, match="erased users could not be listed: the table is gone"):
        rebuild_interactions(Target("shop", None), lambda state: None)
