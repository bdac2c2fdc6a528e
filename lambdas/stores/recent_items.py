"""Users' recent items, fresher than a filter of Personalize knows them: one row for each user, event type and item.

Writing a row again changes nothing but its time, so events may come twice and in any order. Rows expire.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from lambdas.aws import clients
from lambdas.aws.tables import delete_all, write_all
from lambdas.config import environment
from lambdas.stores import keys

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

    from lambdas.aws.signed import SignedClient

_KEPT_DAYS = 90
#: The latest rows of a user that are looked at, and the index that has them by time.
MOST, NEWEST = 1000, "newest"


def keep(events: Iterable[tuple[str, str, str, float]]) -> None:
    """Remember events: user, event type, item, seconds since 1970. Keys that the table puts off are written again."""
    latest: dict[tuple[str, str], float] = {}
    for user_id, event_type, item_id, at in events:
        what = user_id, f"{event_type}#{item_id}"
        latest[what] = max(at, latest.get(what, 0))
    rows = (
        {
            **keys.key(keys.RECENT_ITEMS, user_id, what),
            "at": {"N": str(round(at))},
            keys.EXPIRES: {"N": str(round(at) + _KEPT_DAYS * 86_400)},
        }
        for (user_id, what), at in latest.items()
    )
    write_all(environment.current().recent_items_table, rows)


def recent_items(client: DynamoDBClient | SignedClient, table: str, user_id: str) -> dict[str, dict[str, float]]:
    """A user's, by event type: item id to seconds since the event."""
    found: dict[str, dict[str, float]] = {}
    now = time.time()
    answer = client.query(
        TableName=table,
        IndexName=NEWEST,
        KeyConditionExpression=f"{keys.RECENT_ITEMS[0]} = :user",
        ExpressionAttributeValues={":user": {"S": user_id}},
        ScanIndexForward=False,
        Limit=MOST,
    )
    for entry in answer["Items"]:
        event_type, _, item_id = entry[keys.RECENT_ITEMS[1]]["S"].partition("#")
        found.setdefault(event_type, {})[item_id] = now - float(entry["at"]["N"])
    return found


def delete_items_of(user_ids: Iterable[str]) -> None:
    """Delete all rows of users."""
    for user_id in user_ids:
        _delete(user_id)


def _delete(user_id: str) -> None:
    table = environment.current().recent_items_table
    pages = (
        clients.dynamodb()
        .get_paginator("query")
        .paginate(
            TableName=table,
            KeyConditionExpression=f"{keys.RECENT_ITEMS[0]} = :user",
            ExpressionAttributeValues={":user": {"S": user_id}},
            ProjectionExpression=", ".join(keys.RECENT_ITEMS),
        )
    )
    delete_all(table, (row for page in pages for row in page["Items"]))
