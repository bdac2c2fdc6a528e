"""Users who asked to be forgotten: a deletion record each, which stays; all functions that handle users read it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from lambdas.aws import clients
from lambdas.aws.tables import read_all
from lambdas.config import environment
from lambdas.stores import keys


def erase(user_id: str) -> int:
    """Write the deletion record; returns its time in milliseconds since 1970."""
    now = int(time.time() * 1000)
    row: dict[str, Any] = {**keys.key(keys.ERASURES, user_id), "erased_at": {"N": str(now)}}
    clients.dynamodb().put_item(TableName=environment.current().erasures_table, Item=row)
    return now


def erased(user_ids: Sequence[str]) -> set[str]:
    """Those of the users that are erased, as of this moment."""
    wanted = [keys.key(keys.ERASURES, user_id) for user_id in dict.fromkeys(user_ids)]
    rows = read_all(clients.dynamodb(), environment.current().erasures_table, wanted, consistent=True)
    return {keys.partition_of(row, keys.ERASURES) for row in rows}


def all_erased() -> Iterator[str]:
    """Every erased user."""
    return _scanned({})


def erased_since(moment: datetime) -> Iterator[str]:
    """Those who were erased from that moment on."""
    since = {":since": {"N": str(int(moment.timestamp() * 1000))}}
    return _scanned({"FilterExpression": "erased_at >= :since", "ExpressionAttributeValues": since})


def _scanned(which: Any) -> Iterator[str]:
    pages = clients.dynamodb().get_paginator("scan").paginate(TableName=environment.current().erasures_table, **which)
    for page in pages:
        for row in page["Items"]:
            yield keys.partition_of(row, keys.ERASURES)
