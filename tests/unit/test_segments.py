"""`reco segment` reads what is there, not what was said to be there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from moto import mock_aws

from lambdas.aws.tables import to_row
from lambdas.stores.segments import part_row, parts, pointer
from reco.deployment import batch
from reco.errors import RecoError
from reco.target import Target

VERSION = "20261124T025000000Z"


class Shop(Target):
    """A deployment without stacks: the table of segments."""

    def output(self, capability: str, name: str) -> str:
        return name


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        made = Shop("shop", None)
        made.client("dynamodb").create_table(
            TableName="SegmentsTable",
            KeySchema=[{"AttributeName": "segment", "KeyType": "HASH"}, {"AttributeName": "part", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("segment", "part")],
            BillingMode="PAY_PER_REQUEST",
        )
        yield made


def put(shop: Shop, row: dict[str, Any]) -> None:
    shop.client("dynamodb").put_item(TableName="SegmentsTable", Item=row)


def test_users_that_expired_are_not_passed_off_as_an_empty_segment(shop: Shop) -> None:
    with pytest.raises(RecoError, match="The segment fans was not made yet"):
        batch.segment(shop, "fans")
    counts = {"lines": 1, "written": 1, "rejected": 0}
    published = {"version": VERSION, "published_at": datetime(2026, 11, 24, tzinfo=UTC).isoformat()} | counts
    put(shop, pointer("fans") | to_row(published))
    with pytest.raises(RecoError, match=r"made on 2026-11-24, and the table has no users of it.*reco batch fans --wait"):
        batch.segment(shop, "fans")
    put(shop, part_row("fans", VERSION, "i1", (0, 0), next(parts(["u1", "u2"])), 2_000_000_000))
    assert batch.segment(shop, "fans") == (VERSION, {"i1": ["u1", "u2"]})
