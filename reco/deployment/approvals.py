"""Approvals from the command line: what waits for a decision, and the decision, with the operator's own permissions."""

from __future__ import annotations

import json
import time
from typing import Any

from lambdas.aws.tables import from_row
from lambdas.stores import keys
from lambdas.stores.runs import APPROVAL, key
from reco.errors import RecoError
from reco.target import Target


def waiting(target: Target) -> list[dict[str, Any]]:
    """The questions that wait: solution, run_id, verdict, expires, and the keys of their rows."""
    pages = target.client("dynamodb").get_paginator("scan").paginate(
        TableName=target.output("training", "RunsTable"),
        FilterExpression=f"begins_with({keys.RUNS[0]}, :kind)",
        ExpressionAttributeValues={":kind": {"S": APPROVAL}},
    )  # fmt: skip
    rows = [from_row(row) for page in pages for row in page["Items"]]
    return [row for row in rows if row["expires"] > time.time()]


def decide(target: Target, solution: str, approved: bool) -> None:
    """Answer the question about a solution's new version. Raises RecoError when none waits."""
    found = [row for row in waiting(target) if row["solution"] == solution]
    if not found:
        raise RecoError(f"No version of '{solution}' waits for an approval.")
    row, database = found[0], target.client("dynamodb")
    try:
        database.delete_item(
            TableName=target.output("training", "RunsTable"),
            Key=key(*(row[name] for name in keys.RUNS)),
            ConditionExpression="attribute_exists(pk)",
        )
    except database.exceptions.ConditionalCheckFailedException:
        raise RecoError(f"Somebody else has just decided about '{solution}'.") from None
    answer, machines = json.dumps({"name": solution, "approved": approved}), target.client("stepfunctions")
    try:
        machines.send_task_success(taskToken=row["task_token"], output=answer)
    except (machines.exceptions.TaskTimedOut, machines.exceptions.TaskDoesNotExist):
        raise RecoError(
            f"The run that asked about '{solution}' has ended: start another run with `reco train`, which asks again."
        ) from None
