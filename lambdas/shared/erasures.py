"""Users that asked to be forgotten: a tombstone each, which stays, for whoever handles users to ask for."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from typing import Any

from lambdas.shared import clients

#: BatchGetItem takes this many keys (amazondynamodb/latest/APIReference/API_BatchGetItem.html).
CHUNK = 100


def erase(user_id: str) -> int:
    """Write the tombstone; returns its time in milliseconds since 1970."""
    now = int(time.time() * 1000)
    row: dict[str, Any] = {"user_id": {"S": user_id}, "erased_at": {"N": str(now)}}
    clients.dynamodb().put_item(TableName=os.environ["ERASURES_TABLE"], Item=row)
    return now


def erased(user_ids: Sequence[str]) -> set[str]:
    """Those of the users that are erased, as of this moment."""
    table, found = os.environ["ERASURES_TABLE"], set[str]()
    distinct = list(dict.fromkeys(user_ids))
    for start in range(0, len(distinct), CHUNK):
        keys = [{"user_id": {"S": user_id}} for user_id in distinct[start : start + CHUNK]]
        waiting: Any = {table: {"Keys": keys, "ConsistentRead": True}}
        while waiting:
            answer = clients.dynamodb().batch_get_item(RequestItems=waiting)
            found |= {row["user_id"]["S"] for row in answer["Responses"].get(table, [])}
            waiting = answer["UnprocessedKeys"]
    return found


def all_erased() -> Iterator[str]:
    """Every erased user."""
    pages = clients.dynamodb().get_paginator("scan").paginate(TableName=os.environ["ERASURES_TABLE"])
    for page in pages:
        for row in page["Items"]:
            yield row["user_id"]["S"]
