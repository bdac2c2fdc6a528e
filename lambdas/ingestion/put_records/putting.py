"""Puts records to Personalize, and keeps what it took: whole for later changes, and items for the catalogue.

Two workers may have changes of one record at once. Each puts first, and then writes the whole record over the one that it had
read; the one that finds another there merges anew and puts again, even if its own change is older, so that the last put has all
changes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any

from lambdas.aws import clients
from lambdas.aws.retry import OutOfTime, Patience, Refused
from lambdas.aws.tables import serialize
from lambdas.config import Config, environment
from lambdas.config.names import dataset_arn
from lambdas.ingestion.put_records.records import DATASETS, Change, Row, UnknownRecord, batches, by_record, merge, schema_of
from lambdas.stores import keys, whole_records
from personalize_rules.limits import RECORDS_PER_CALL


@dataclass
class Outcome:
    """What became of changes: records put, changes refused with the reason, those of unknown records, those not done in time."""

    put: int = 0
    refused: list[tuple[Change, str]] = field(default_factory=list)
    unknown: list[tuple[Change, str]] = field(default_factory=list)
    undone: list[Change] = field(default_factory=list)

    def add(self, other: Outcome) -> None:
        self.put += other.put
        self.refused += other.refused
        self.unknown += other.unknown
        self.undone += other.undone


def put_all(config: Config, changes: Sequence[Change], patience: Patience) -> Outcome:
    """Make all changes that can be made in the time that there is."""
    outcome, waiting = Outcome(), list(changes)
    contested = {change.message_id for change in changes if change.again}
    while waiting:
        if time.monotonic() > patience.deadline:
            outcome.undone += waiting
            break
        rows, waiting = _merged(config, waiting, contested, outcome), []
        for batch in batches(rows, RECORDS_PER_CALL):
            try:
                refused = _put(config, batch, patience)
            except OutOfTime:
                outcome.undone += [change for row in batch for change in row.changes]
                continue
            for row in batch:
                if (row.kind, row.id) in refused:
                    outcome.add(_one_by_one(config, row, refused[row.kind, row.id], patience))
                elif _keep(config, row):
                    outcome.put += 1
                else:
                    waiting += row.changes
                    contested |= {change.message_id for change in row.changes}
    return outcome


def _merged(config: Config, changes: Sequence[Change], contested: Set[str], outcome: Outcome) -> list[Row]:
    """The records that the changes make of those that are kept; what can't be made is added to the outcome.

    `contested` are the messages of changes that may have been put before.
    """
    groups = by_record(changes)
    kept = {(kind, id_): whole for kind in DATASETS for id_, whole in _kept(kind, groups).items()}
    rows = []
    for key, group in groups.items():
        merged = merge(config, kept.get(key), group, any(change.message_id in contested for change in group))
        for change, reason in merged.refused:
            (outcome.unknown if isinstance(reason, UnknownRecord) else outcome.refused).append((change, str(reason)))
        if merged.row is not None:
            rows.append(merged.row)
    return rows


def _kept(kind: whole_records.RecordKind, groups: Any) -> dict[str, whole_records.Whole]:
    return whole_records.read(kind, [id_ for of_kind, id_ in groups if of_kind == kind])


def _put(config: Config, rows: Sequence[Row], patience: Patience) -> dict[tuple[str, str], str]:
    """Put up to RECORDS_PER_CALL rows of one kind; of those that the service refuses, its reasons. Raises OutOfTime."""
    client, kind = clients.personalize_events(), rows[0].kind
    operation: Callable[..., Any] = client.put_items if kind == "item" else client.put_users
    entries = [{f"{kind}Id": row.id, "properties": row.properties} for row in rows]
    try:
        patience.call(operation, datasetArn=dataset_arn(config, DATASETS[kind]), **{f"{kind}s": entries})
    except Refused as error:
        if len(rows) == 1:
            return {(kind, rows[0].id): f"Personalize refused the {kind}: {error}"}
        return {key: reason for row in rows for key, reason in _put(config, [row], patience).items()}
    return {}


def _one_by_one(config: Config, row: Row, reason: str, patience: Patience) -> Outcome:
    """Of several changes of a record that is refused, the good ones are made."""
    if len(row.changes) == 1:
        return Outcome(refused=[(row.changes[0], reason)])
    outcome = Outcome()
    for change in row.changes:
        outcome.add(put_all(config, [change], patience))
    return outcome


def _keep(config: Config, row: Row) -> bool:
    """Keep the whole record, and an item in the catalogue. False if another worker has changed the record meanwhile."""
    whole = replace(row.whole, version=row.whole.version + 1)
    if not whole_records.write(row.kind, row.id, whole, row.over):
        return False
    if row.kind == "item":
        _write_catalogue(config, row.id, whole)
    return True


def _write_catalogue(config: Config, item_id: str, whole: whole_records.Whole) -> None:
    """Write what answers show and rules read, unless a newer version of the record is there."""
    values: dict[str, Any] = {
        ":attributes": serialize(whole_records.attributes(schema_of(config, "item"), whole.columns)),
        ":received_at": {"N": str(whole.received_at)},
        ":version": {"N": str(whole.version)},
    }
    try:
        clients.dynamodb().update_item(
            TableName=environment.current().catalogue_table,
            Key=keys.key(keys.CATALOGUE, item_id),
            UpdateExpression="SET attributes = :attributes, received_at = :received_at, version = :version",
            ConditionExpression="attribute_not_exists(version) OR version <= :version",
            ExpressionAttributeValues=values,
        )
    except clients.dynamodb().exceptions.ConditionalCheckFailedException:
        return  # another worker was faster, with all that this one knows
