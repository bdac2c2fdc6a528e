"""The table of segments: the users of each of a segment's queries, in parts, and a pointer to what readers shall read.

Rows: `<segment>#<version>` / `<query's number>#<part's number>` holds a part of the users, zlib over JSON, likeliest first.
The pointer `<segment>` / `-` holds the version that is current. Users expire (`expires`).
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lambdas.aws.tables import from_row
from lambdas.stores import keys
from lambdas.stores.published import Published, as_published

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

#: A row holds 400 KB (amazondynamodb/latest/developerguide/ServiceQuotas.html), an id has 256 characters of up to 4 bytes.
_USERS_PER_PART = 5_000
MOST_BYTES = 380_000


def pointer(segment: str) -> dict[str, Any]:
    return keys.key(keys.SEGMENTS, segment, "-")


def parts(users: Sequence[str]) -> Iterator[bytes]:
    """The users as the table holds them."""
    for start in range(0, len(users), _USERS_PER_PART):
        packed = json.dumps(users[start : start + _USERS_PER_PART], separators=(",", ":"), ensure_ascii=False)
        yield zlib.compress(packed.encode(), 1)


def part_row(segment: str, version: str, query: str, place: tuple[int, int], users: bytes, expires: int) -> dict[str, Any]:
    """A row of the table; `place` is the number of the query among the segment's, and that of the part."""
    return {
        **keys.key(keys.SEGMENTS, f"{segment}#{version}", f"{place[0]:04d}#{place[1]:06d}"),
        "query": {"S": query},
        "users": {"B": users},
        keys.EXPIRES: {"N": str(expires)},
    }


def current_segment(client: DynamoDBClient, table: str, segment: str) -> Published | None:
    """What readers shall read; None before the first load."""
    return as_published(from_row(client.get_item(TableName=table, Key=pointer(segment)).get("Item", {})))


def read_users(client: DynamoDBClient, table: str, segment: str, version: str) -> Iterator[tuple[str, list[str]]]:
    """Each query with users of it, likeliest first; a query with many users comes in several parts."""
    pages = client.get_paginator("query").paginate(
        TableName=table,
        KeyConditionExpression=f"{keys.SEGMENTS[0]} = :segment",
        ExpressionAttributeValues={":segment": {"S": f"{segment}#{version}"}},
    )
    for page in pages:
        for row in page["Items"]:
            yield row["query"]["S"], json.loads(zlib.decompress(row["users"]["B"]))
