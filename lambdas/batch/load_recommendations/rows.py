"""Output lines of batch jobs as rows of a table: pure functions.

docs: personalize/latest/dg/batch-inference-job-output-examples.html, amazondynamodb/latest/developerguide/ServiceQuotas.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from typing import Any, Literal

from lambdas.stores.batch_lists import pack, row_key
from lambdas.stores.segments import MOST_BYTES, part_row, parts

Row = dict[str, Any]
_MOST_KEY_BYTES = 2048
ERASED = "erased"


class Rejected(Exception):
    """A line that makes no row; the message is the reason."""


def list_rows(
    name: str, version: str, of: Literal["userId", "itemId"], erased: Collection[str], expires: int
) -> Callable[[bytes], list[Row]]:
    """Makes one row of each line of a batch inference job; the function that it returns raises Rejected."""
    expiry = {"N": str(expires)}

    def rows(line: bytes) -> list[Row]:
        given, output = _read_record(line)
        key = given.get(of)
        if not isinstance(key, str) or not key:
            raise Rejected(f"input.{of}: is missing")
        if of == "userId" and key in erased:
            raise Rejected(ERASED)
        item_ids, scores, reasons = (output.get(field) or [] for field in ("recommendedItems", "scores", "reasons"))
        if not isinstance(item_ids, list) or not all(isinstance(item_id, str) for item_id in item_ids):
            raise Rejected("output.recommendedItems: is not a list of item ids")
        for field, values in (("scores", scores), ("reasons", reasons)):
            if values and (not isinstance(values, list) or len(values) != len(item_ids)):
                raise Rejected(f"output.{field}: are not as many as the items")
        partition = {"S": checked(row_key(name, version, key))}
        return [{"list": partition, "items": {"B": packed(item_ids, scores, reasons)}, "expires": expiry}]

    return rows


def segment_rows(
    name: str, version: str, queries: Sequence[str], erased: Collection[str], expires: int
) -> Callable[[bytes], list[Row]]:
    """Makes the rows of each line of a batch segment job; the function that it returns raises Rejected.

    The users are in `recommendedUsers` by the documentation and in `usersList` as observed; the query in `input` or beside it.
    """
    numbers = {query: number for number, query in enumerate(queries)}

    def rows(line: bytes) -> list[Row]:
        given, output = _read_record(line)
        query = given.get("itemId") or given.get("itemAttributes")
        if query not in numbers:
            raise Rejected(f"input: '{str(query)[:100]}' is no query of the segment")
        users = output.get("usersList", output.get("recommendedUsers"))
        if not isinstance(users, list) or not all(isinstance(user, str) for user in users):
            raise Rejected("output.usersList: is not a list of user ids")
        kept = [user for user in users if user not in erased]
        try:
            made = list(parts(kept))
        except UnicodeEncodeError:
            raise Rejected("output.usersList: holds text that is not Unicode") from None
        return [
            part_row(name, version, query, (numbers[query], number), users, expires) for number, users in enumerate(made)
        ]  # fmt: skip

    return rows


def _read_record(line: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """What was asked in a line, and what was answered. Raises Rejected, also with an error that the service put into the line."""
    try:
        record = json.loads(line)
    except ValueError as error:
        raise Rejected(f"is not JSON: {error}") from None
    if not isinstance(record, dict):
        raise Rejected("is not a JSON object")
    if record.get("error"):
        raise Rejected(f"Personalize: {record['error']}")
    given, output = record.get("input", record), record.get("output")
    if not isinstance(given, dict) or not isinstance(output, dict):
        raise Rejected("input, output: are not both there")
    return given, output


def packed(item_ids: list[str], scores: list[Any], reasons: list[Any]) -> bytes:
    try:
        made = pack(item_ids, scores, reasons)
    except UnicodeEncodeError:
        raise Rejected("output.recommendedItems: holds text that is not Unicode") from None
    if len(made) > MOST_BYTES:
        raise Rejected(f"the list has {len(made)} bytes; a row of DynamoDB holds 400 KB")
    return made


def checked(key: str) -> str:
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise Rejected("input: holds text that is not Unicode") from None
    if size > _MOST_KEY_BYTES:
        raise Rejected(f"the key has {size} bytes; one of DynamoDB holds {_MOST_KEY_BYTES}")
    return key
