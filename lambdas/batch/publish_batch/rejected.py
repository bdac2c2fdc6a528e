"""Which queries of a segment made nothing, and why: the loader kept their lines beside the output.

Users are not named here: a report stays, and a user may ask to be forgotten.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

from lambdas.aws import clients
from lambdas.batch.runs import Making
from lambdas.config import environment

#: So many are named.
_MOST_NAMED = 50


def not_made(making: Making) -> list[dict[str, str]]:
    """`{"query": "i7", "reason": "Personalize: ..."}` for each line of a segment that was rejected."""
    named = itertools.islice(rejected_lines(making), _MOST_NAMED)
    return [{"query": _query_of(line["line"]), "reason": line["reason"]} for line in named]


def rejected_lines(making: Making) -> Iterator[dict[str, Any]]:
    bucket = environment.current().data_bucket
    pages = clients.s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=making.key("rejected/"))
    for page in pages:
        for entry in page.get("Contents", []):
            body = clients.s3().get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
            yield from map(json.loads, body.splitlines())


def _query_of(line: str) -> str:
    """What a line of the output was to answer; of one that can't be read, its beginning."""
    try:
        record = json.loads(line)
        given = record.get("input", record)
        return str(given.get("itemId") or given["itemAttributes"])
    except (ValueError, KeyError, AttributeError):
        return line[:100]
