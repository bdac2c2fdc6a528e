"""What is current: the pointer row by which readers find the newest complete load of a batch or a segment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from lambdas.aws import clients
from lambdas.aws.tables import to_row


class Published(BaseModel):
    """A version and what became of the lines of its load. Versions are the times at which runs began: a later one is greater."""

    model_config = ConfigDict(defer_build=True)

    version: str
    published_at: datetime
    lines: int
    written: int
    rejected: int


def publish(table: str, key: Mapping[str, Any], published: Published) -> bool:
    """Make a version current, unless a newer one is: then False, and nothing changes."""
    partition = next(iter(key))
    try:
        clients.dynamodb().put_item(
            TableName=table,
            Item={**key, **to_row(published.model_dump(mode="json"))},
            ConditionExpression="attribute_not_exists(#partition) OR version <= :version",
            ExpressionAttributeNames={"#partition": partition},
            ExpressionAttributeValues={":version": {"S": published.version}},
        )
    except clients.dynamodb().exceptions.ConditionalCheckFailedException:
        return False
    return True


def as_published(row: Mapping[str, Any] | None) -> Published | None:
    """A plain pointer row, None for none."""
    return Published.model_validate(row) if row else None
