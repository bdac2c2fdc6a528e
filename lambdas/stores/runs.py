"""The table of runs: who holds the lock, which versions were trained and what became of them, approvals that are waited for.

Keys: `lock / <state machine>`, `version#<solution> / <version ARN>`, `approval#<hash> / -`. Approvals expire (`expires`).
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, Field

from lambdas.aws import clients
from lambdas.aws.tables import from_row, to_row
from lambdas.config import environment
from lambdas.stores import keys

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

#: The kinds of rows: the locks, and what comes before the hash of an approval's id.
LOCK, APPROVAL = "lock", "approval#"

Decision = Literal["keep", "deploy", "ask", "refuse", "rejected", "unanswered", "rolled_back"]


class VersionRecord(BaseModel):
    """A solution version, what was decided about it, and whether it went live."""

    solution: str
    version_arn: str
    run_id: str
    trained_at: datetime
    metrics: dict[str, float] = Field(default_factory=dict)
    decision: Decision
    deployed: bool = False


def key(kind: str, name: str = "-") -> dict[str, Any]:
    return keys.key(keys.RUNS, kind, name)


def keep_version(record: VersionRecord) -> None:
    """Remember a version. A rollback stands, also one of the time for which this run waited for somebody's answer."""
    values = record.model_dump(mode="json")
    try:
        clients.dynamodb().update_item(
            TableName=environment.current().runs_table,
            Key=version_key(record.solution, record.version_arn),
            UpdateExpression="SET "
            + ", ".join(
                f"#{name} = " + (f"if_not_exists(#{name}, :{name})" if name in _FIRST_STANDS else f":{name}") for name in values
            ),
            ConditionExpression="attribute_not_exists(#decision) OR #decision <> :rolled_back",
            ExpressionAttributeNames={f"#{name}": name for name in values},
            ExpressionAttributeValues={
                **{f":{name}": value for name, value in to_row(values).items()},
                ":rolled_back": {"S": "rolled_back"},
            },
        )
    except clients.dynamodb().exceptions.ConditionalCheckFailedException:
        return


#: The run that trained a version, and when, do not change when a later run looks at it again.
_FIRST_STANDS = frozenset({"run_id", "trained_at"})


def versions(solution: str) -> list[VersionRecord]:
    """All remembered versions of a solution, oldest first."""
    return read_versions(clients.dynamodb(), environment.current().runs_table, solution)


def accepted(solution: str) -> VersionRecord | None:
    """The newest version that was let through, None when none was."""
    return next((record for record in reversed(versions(solution)) if record.decision in ("deploy", "keep")), None)


def _versions_of(solution: str) -> str:
    return f"version#{solution}"


def version_key(solution: str, version_arn: str) -> dict[str, Any]:
    return key(_versions_of(solution), version_arn)


def read_versions(client: DynamoDBClient, table: str, solution: str) -> list[VersionRecord]:
    """The same for whoever brings a client and the table's name."""
    pages = client.get_paginator("query").paginate(
        TableName=table,
        KeyConditionExpression=f"{keys.RUNS[0]} = :pk",
        ExpressionAttributeValues={":pk": {"S": _versions_of(solution)}},
    )  # fmt: skip
    found = [VersionRecord.model_validate(from_row(row)) for page in pages for row in page["Items"]]
    return sorted(found, key=lambda record: record.trained_at)


def take_lock(execution_arn: str, machine: str = "train") -> str | None:
    """Make this execution the one that the machine runs. Returns the ARN of another that runs; one that has ended is replaced."""
    table = environment.current().runs_table
    row = {**key(LOCK, machine), "holder": {"S": execution_arn}}
    held: dict[str, Any] = {}
    for _ in range(3):  # somebody else may take it over between a look and a write
        condition = {"ConditionExpression": f"attribute_not_exists({keys.RUNS[0]}) OR holder = :holder"}
        values = {":holder": {"S": held.get("holder", execution_arn)}}
        try:
            clients.dynamodb().put_item(TableName=table, Item=row, ExpressionAttributeValues=values, **condition)  # type: ignore[arg-type]
        except clients.dynamodb().exceptions.ConditionalCheckFailedException:
            stored = clients.dynamodb().get_item(TableName=table, Key=key(LOCK, machine), ConsistentRead=True)
            held = from_row(stored.get("Item", {}))
            if held and _still_running(held["holder"]):
                return str(held["holder"])
        else:
            return None
    return str(held.get("holder", "another run"))


def _still_running(execution_arn: str) -> bool:
    """Whether an execution is under way; one that is no longer known is not."""
    client = clients.stepfunctions()
    try:
        return client.describe_execution(executionArn=execution_arn)["status"] == "RUNNING"
    except client.exceptions.ExecutionDoesNotExist:
        return False


def release_lock(execution_arn: str, machine: str = "train") -> None:
    """Let the next run begin; a lock that another execution holds stays."""
    try:
        clients.dynamodb().delete_item(
            TableName=environment.current().runs_table,
            Key=key(LOCK, machine),
            ConditionExpression="holder = :holder",
            ExpressionAttributeValues={":holder": {"S": execution_arn}},
        )
    except clients.dynamodb().exceptions.ConditionalCheckFailedException:
        return
