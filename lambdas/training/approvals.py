"""Questions that wait for a person: how a link finds one, and an answer that counts once.

The link carries a random id of 256 bits; the table holds its hash alone, so that who reads the table can't make a link.
"""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from lambdas.aws import clients
from lambdas.aws.tables import from_row
from lambdas.config import environment
from lambdas.stores.runs import APPROVAL, key
from lambdas.stores.sample_lists import SampleLists


class Asked(BaseModel):
    """The verdict as far as the page shows it: a version's metrics, and those of the version that serves."""

    model_config = ConfigDict(extra="allow")

    name: str
    metrics: dict[str, float]
    deployed_metrics: dict[str, float] = {}


class Approval(BaseModel):
    """A question that is waited for; `expires` is in seconds since 1970.

    `started` is when the run began, `seconds` how long it took until it asked; a question of an earlier release has neither.
    """

    solution: str
    run_id: str
    verdict: Asked
    task_token: str
    expires: int
    deployment: str = ""
    started: str = ""
    seconds: int = 0
    samples: SampleLists = Field(default_factory=SampleLists)


def approval_key(approval_id: str) -> dict[str, Any]:
    return key(f"{APPROVAL}{hashlib.sha256(approval_id.encode()).hexdigest()}")


def find(approval_id: str) -> Approval | None:
    """The question behind a link, None when it is unknown, answered or out of time."""
    row = clients.dynamodb().get_item(
        TableName=environment.current().runs_table, Key=approval_key(approval_id), ConsistentRead=True
    ).get("Item")  # fmt: skip
    approval = Approval.model_validate(from_row(row)) if row else None
    return approval if approval and approval.expires > time.time() else None


def decide(approval_id: str, approved: bool) -> Approval | None:
    """Answer a question: None when it is unknown, out of time, answered already, or of a run that is over. One answer counts."""
    approval = find(approval_id)
    if approval is None:
        return None
    try:
        clients.dynamodb().delete_item(
            TableName=environment.current().runs_table, Key=approval_key(approval_id), ConditionExpression="attribute_exists(pk)"
        )
        clients.stepfunctions().send_task_success(
            taskToken=approval.task_token, output=json.dumps({"name": approval.solution, "approved": approved})
        )
    except (
        clients.dynamodb().exceptions.ConditionalCheckFailedException,
        clients.stepfunctions().exceptions.TaskTimedOut,
        clients.stepfunctions().exceptions.TaskDoesNotExist,
    ):
        return None
    return approval
