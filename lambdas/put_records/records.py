"""Puts items and users to Personalize, and items into the catalogue: the newest put of each id counts, whenever it comes."""

from __future__ import annotations

import json
import os
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from lambdas.put_records.rows import Unusable, attributes, properties_text, read_row
from lambdas.shared import clients
from lambdas.shared.config import Config
from lambdas.shared.dead_letters import DeadLetter
from lambdas.shared.erasures import erased
from lambdas.shared.names import dataset_arn
from lambdas.shared.patience import Patience, Refused
from lambdas.shared.schemas import KINDS, DatasetKind
from lambdas.shared.tables import serialize
from personalize_rules.limits import MAX_ID, MAX_RECORD_PROPERTIES

DATASETS: dict[str, DatasetKind] = {"item": "items", "user": "users"}
#: A message comes at most so late: the queue keeps it no longer, nor do the dead letters.
LATEST_DAYS = 30


class RecordMessage(BaseModel):
    """A message of the queue: the API's time and id of receipt; the record's id and body in base64."""

    kind: Literal["item", "user"]
    received_at: int
    id: str
    record_id: str
    body: str


@dataclass(frozen=True)
class Row:
    """A record ready to be put."""

    message_id: str
    kind: str
    id: str
    received_at: int
    columns: dict[str, Any]
    properties: str
    request_id: str


def read_message(config: Config, message: Mapping[str, Any]) -> Row:
    """The row in a message. Raises Unusable."""
    try:
        read = RecordMessage.model_validate_json(message["body"])
        record_id, given = b64decode(read.record_id).decode(), json.loads(b64decode(read.body))
    except (ValidationError, ValueError, RecursionError):
        raise Unusable("the message is not one of the API's") from None
    if len(record_id) > MAX_ID:
        raise Unusable(f"{read.kind}_id: has more than {MAX_ID} characters")
    dataset = config.datasets.present().get(DATASETS[read.kind])
    if dataset is None:
        raise Unusable(f"the deployment has no dataset of {read.kind}s")
    columns = read_row(dataset.avro, f"{read.kind.upper()}_ID", given)
    properties = properties_text(columns, MAX_RECORD_PROPERTIES[KINDS[DATASETS[read.kind]]])
    return Row(message["messageId"], read.kind, record_id, read.received_at, columns, properties, read.id)


def newest(rows: Sequence[Row]) -> list[Row]:
    """Only the newest row of each record: a put replaces the whole record."""
    latest: dict[tuple[str, str], Row] = {}
    for row in sorted(rows, key=lambda row: row.received_at):
        latest[row.kind, row.id] = row
    return list(latest.values())


def without_erased(rows: Sequence[Row]) -> list[Row]:
    """No row of a user that asked to be forgotten."""
    gone = erased([row.id for row in rows if row.kind == "user"])
    return [row for row in rows if row.kind != "user" or row.id not in gone]


def is_newest(config: Config, row: Row) -> bool:
    """Whether no newer put of the record is known; an item is in the catalogue then."""
    if row.kind == "user":
        expires = {"N": str(row.received_at // 1000 + LATEST_DAYS * 86_400)}
        return _newer(os.environ["USER_PUTS_TABLE"], {"user_id": {"S": row.id}}, row.received_at, "expires", expires)
    avro = config.datasets.present()["items"].avro
    kept = serialize(attributes(avro, row.columns))
    return _newer(os.environ["CATALOGUE_TABLE"], {"item_id": {"S": row.id}}, row.received_at, "attributes", kept)


def _newer(table: str, key: Any, received_at: int, attribute: str, value: Any) -> bool:
    """Write the attribute and the time of the put, unless a newer put has been written."""
    try:
        clients.dynamodb().update_item(
            TableName=table,
            Key=key,
            UpdateExpression="SET #attribute = :value, received_at = :now",
            ConditionExpression="attribute_not_exists(received_at) OR received_at <= :now",
            ExpressionAttributeNames={"#attribute": attribute},
            ExpressionAttributeValues={":value": value, ":now": {"N": str(received_at)}},
        )
    except clients.dynamodb().exceptions.ConditionalCheckFailedException:
        return False
    return True


def put(config: Config, kind: str, rows: Sequence[Row], patience: Patience) -> list[tuple[Row, str]]:
    """Put up to RECORDS_PER_CALL rows of one kind; returns those that the service refuses, with its reasons. Raises OutOfTime."""
    client, dataset = clients.personalize_events(), dataset_arn(config, DATASETS[kind])
    operation: Callable[..., Any] = client.put_items if kind == "item" else client.put_users
    entries = [{f"{kind}Id": row.id, "properties": row.properties} for row in rows]
    try:
        patience.call(operation, datasetArn=dataset, **{f"{kind}s": entries})
    except Refused as error:
        if len(rows) == 1:
            return [(rows[0], f"Personalize refused the {kind}: {error}")]
        return [refused for row in rows for refused in put(config, kind, [row], patience)]
    return []


def dead_letter(message: Mapping[str, Any], reason: str) -> DeadLetter:
    return DeadLetter(message["messageId"], reason, message["body"].encode())
