"""Calls that AWS takes only in part, or that are made twice."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambdas.aws import clients
from lambdas.stores import deployment, reports
from lambdas.training.import_data import datasets
from tests.unit.conftest import Deployment


def test_an_event_that_was_not_taken_is_an_error_before_the_mail_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPLOYMENT", "shop")
    monkeypatch.setenv("TOPIC_ARN", "topic")
    mails: list[dict[str, Any]] = []
    refused = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure", "ErrorMessage": "try again"}]}
    monkeypatch.setattr(clients, "events", lambda: SimpleNamespace(put_events=lambda **given: refused))
    monkeypatch.setattr(clients, "sns", lambda: SimpleNamespace(publish=lambda **given: mails.append(given)))
    with pytest.raises(ClientError, match="InternalFailure"):
        reports.tell("train", {"status": "SUCCEEDED", "run_id": "r"}, "text", "page")
    assert not mails


def test_a_schema_that_a_repeated_call_finds_is_taken(shop: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    schema = datasets.ensure_schema(shop.config, "items")
    monkeypatch.setattr(datasets, "described", lambda describe: None)
    assert datasets.ensure_schema(shop.config, "items") == schema


def test_a_large_deployment_finds_room(shop: Deployment) -> None:
    campaigns = {f"solution-{n}": f"arn:aws:personalize:us-east-1:123456789012:campaign/shop_{n}" for n in range(60)}
    deployment.publish(deployment.Deployment(run_id="r", dataset_group_arn="g", tracking_id="t", campaigns=campaigns, filters={}))
    (written,) = shop.client("ssm").describe_parameters(
        ParameterFilters=[{"Key": "Name", "Values": [deployment.parameter_name(shop.config.name)]}]
    )["Parameters"]
    assert written["Tier"] == "Intelligent-Tiering"
