"""Approvals: a question to a person by mail, a page, an answer that counts once.

The link carries a random id of 256 bits; the table holds its hash alone, so that who reads the table can't make a link.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
from typing import Any

from pydantic import BaseModel, ConfigDict

from lambdas.aws import clients
from lambdas.aws.tables import from_row, to_row
from lambdas.stores.runs import key
from lambdas.training.approve_versions.gate import Verdict


class Approval(BaseModel):
    """A question that is waited for; `expires` is in seconds since 1970."""

    model_config = ConfigDict(extra="ignore")

    solution: str
    run_id: str
    verdict: Verdict
    task_token: str
    expires: int


def approval_key(approval_id: str) -> dict[str, Any]:
    return key(f"approval#{hashlib.sha256(approval_id.encode()).hexdigest()}")


def ask(verdict: Verdict, run_id: str, task_token: str) -> None:
    """Keep the question and mail the link."""
    approval_id = secrets.token_urlsafe(32)
    seconds = verdict.approval_seconds or 0
    approval = Approval(
        solution=verdict.name, run_id=run_id, verdict=verdict, task_token=task_token, expires=int(time.time()) + seconds
    )
    row = {**approval_key(approval_id), **to_row(approval.model_dump(mode="json"))}
    clients.dynamodb().put_item(TableName=os.environ["RUNS_TABLE"], Item=row)
    clients.sns().publish(
        TopicArn=os.environ["TOPIC_ARN"],
        Subject=f"{os.environ['DEPLOYMENT']}: may the new version of {verdict.name} go live?"[:100],
        Message=message(verdict, f"{api_url()}/approvals/{approval_id}", seconds),
    )


def api_url() -> str:
    """The API's base URL, which the api stack leaves in SSM."""
    return clients.ssm().get_parameter(Name=os.environ["API_URL_PARAMETER"])["Parameter"]["Value"].rstrip("/")


def message(verdict: Verdict, link: str, seconds: int) -> str:
    lines = [f"A new version of {verdict.name} was trained and passed its gate. Look at it and decide:", "", link, ""]
    for name, value in sorted(verdict.metrics.items()):
        before = verdict.deployed_metrics.get(name)
        lines.append(f"{name}: {value:.4f}" + ("" if before is None else f" (serving now: {before:.4f})"))
    lines += ["", f"Without an answer within {seconds / 3600:g} hours the old version stays, and the next run asks again."]
    lines += ["The link works once."]
    return "\n".join(lines)


def find(approval_id: str) -> Approval | None:
    """The question behind a link, None when it is unknown, answered or out of time."""
    row = clients.dynamodb().get_item(
        TableName=os.environ["RUNS_TABLE"], Key=approval_key(approval_id), ConsistentRead=True
    ).get("Item")  # fmt: skip
    approval = Approval.model_validate(from_row(row)) if row else None
    return approval if approval and approval.expires > time.time() else None


def decide(approval_id: str, approved: bool) -> Approval | None:
    """Answer a question: None when it is unknown, out of time, or answered already. Two answers at once: one counts."""
    approval = find(approval_id)
    if approval is None:
        return None
    try:
        clients.dynamodb().delete_item(
            TableName=os.environ["RUNS_TABLE"], Key=approval_key(approval_id), ConditionExpression="attribute_exists(pk)"
        )
        clients.stepfunctions().send_task_success(
            taskToken=approval.task_token, output=json.dumps({"name": approval.solution, "approved": approved})
        )
    except (
        clients.dynamodb().exceptions.ConditionalCheckFailedException,
        clients.stepfunctions().exceptions.TaskTimedOut,
    ):
        return None
    return approval
