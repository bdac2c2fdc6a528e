"""Rows of DynamoDB: plain values in and out, and batches that are repeated until the table has taken or given all of them."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

from lambdas.aws import backoff, clients

if TYPE_CHECKING:
    from boto3.dynamodb.types import TypeSerializer
    from types_boto3_dynamodb import DynamoDBClient

    from lambdas.aws.signed import SignedClient

#: BatchWriteItem takes this many at once (amazondynamodb/latest/APIReference/API_BatchWriteItem.html).
WRITE_BATCH = 25
#: BatchGetItem takes this many keys (amazondynamodb/latest/APIReference/API_BatchGetItem.html).
READ_BATCH = 100
#: For how long a table may put off keys: the caller's own caller waits (a queue, a stream, a state machine), and asks again.
_READ_SECONDS = 20.0


def deserialize(value: Mapping[str, Any]) -> Any:
    """A value of DynamoDB as JSON has it: numbers as int or float, sets as lists; binary values are bytes."""
    ((kind, held),) = value.items()
    if kind == "N":
        return _number(held)
    if kind == "M":
        return {name: deserialize(inner) for name, inner in held.items()}
    if kind == "L":
        return [deserialize(inner) for inner in held]
    if kind == "NS":
        return [_number(text) for text in held]
    return None if kind == "NULL" else held


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        number = Decimal(text)
        return int(number) if number == number.to_integral_value() else float(number)


def serialize(value: Any) -> Any:
    """A plain value as DynamoDB holds it; floats become decimals, numbers beyond what it holds their spelling.

    docs: amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html (38 digits, from 1E-130 to 9.9E+125)
    """
    return _serializer().serialize(_decimals(value))


@cache
def _serializer() -> TypeSerializer:
    from boto3.dynamodb.types import TypeSerializer  # not at the top: who only reads needs no boto3

    return TypeSerializer()


def _decimals(value: Any) -> Any:
    if isinstance(value, int) and abs(value) >= 10**38:
        value = float(value)
    if isinstance(value, float):
        fits = value == 0 or 1e-130 <= abs(value) < 1e126
        return Decimal(str(value)) if fits else str(value)
    if isinstance(value, dict):
        return {name: _decimals(inner) for name, inner in value.items()}
    return [_decimals(inner) for inner in value] if isinstance(value, list) else value


def to_row(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: serialize(value) for name, value in values.items()}


def from_row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: deserialize(value) for name, value in row.items()}


def write_all(table: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows with distinct keys; those that the table puts off are written again, after longer and longer pauses."""
    _request_all(table, ({"PutRequest": {"Item": row}} for row in rows))


def delete_all(table: str, keys: Iterable[Mapping[str, Any]]) -> None:
    """Delete the rows of distinct keys, as patiently."""
    _request_all(table, ({"DeleteRequest": {"Key": key}} for key in keys))


def _request_all(table: str, requests: Iterator[dict[str, Any]]) -> None:
    while batch := list(itertools.islice(requests, WRITE_BATCH)):
        waiting: Mapping[str, Any] = {table: batch}
        for attempt in itertools.count():
            waiting = clients.dynamodb().batch_write_item(RequestItems=waiting)["UnprocessedItems"]
            if not waiting:
                break
            time.sleep(backoff.pause(attempt, 0.1, 5))


def read_all(
    client: DynamoDBClient | SignedClient,
    table: str,
    keys: Sequence[Mapping[str, Any]],
    *,
    consistent: bool = False,
    seconds: float = _READ_SECONDS,
) -> Iterator[dict[str, Any]]:
    """The rows of the keys that the table has; keys that it puts off are asked for again, after longer and longer pauses.

    Raises TimeoutError where some are put off for so many seconds.
    """
    until = time.monotonic() + seconds
    for start in range(0, len(keys), READ_BATCH):
        waiting: Any = {table: {"Keys": keys[start : start + READ_BATCH], "ConsistentRead": consistent}}
        for attempt in itertools.count():
            answer = client.batch_get_item(RequestItems=waiting)
            yield from answer["Responses"].get(table, [])
            waiting = answer["UnprocessedKeys"]
            if not waiting:
                break
            pause = backoff.pause(attempt, 0.02, 1)
            if time.monotonic() + pause > until:
                raise TimeoutError(f"the table {table} put off {len(waiting[table]['Keys'])} keys for {seconds:g} seconds")
            time.sleep(pause)
