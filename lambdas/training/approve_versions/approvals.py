"""Asks a person by mail whether a version may go live."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime

from lambdas.aws import clients
from lambdas.aws.tables import to_row
from lambdas.config import environment
from lambdas.stores.reports import of_what
from lambdas.stores.sample_lists import SampleLists
from lambdas.training.approvals import Approval, Asked, approval_key
from lambdas.training.approve_versions.gate import Verdict


def ask(verdict: Verdict, run_id: str, run_started: datetime | None, task_token: str, samples: SampleLists) -> None:
    """Keep the question and mail the link."""
    approval_id = secrets.token_urlsafe(32)
    seconds = verdict.approval_seconds or 0
    approval = Approval(
        solution=verdict.name,
        run_id=run_id,
        verdict=Asked.model_validate(verdict.model_dump(mode="json")),
        task_token=task_token,
        expires=int(time.time()) + seconds,
        deployment=environment.current().deployment,
        started=run_started.isoformat(timespec="seconds") if run_started else "",
        seconds=max(0, round((datetime.now(UTC) - run_started).total_seconds())) if run_started else 0,
        samples=samples,
    )
    row = {**approval_key(approval_id), **to_row(approval.model_dump(mode="json"))}
    clients.dynamodb().put_item(TableName=environment.current().runs_table, Item=row)
    clients.sns().publish(
        TopicArn=environment.current().topic_arn,
        Subject=f"{environment.current().deployment}: may the new version of {verdict.name} go live?"[:100],
        Message=message(approval, f"{api_url()}/approvals/{approval_id}", seconds),
    )


def api_url() -> str:
    """The API's base URL, which the api stack leaves in SSM."""
    return clients.ssm().get_parameter(Name=environment.current().api_url_parameter)["Parameter"]["Value"].rstrip("/")


def message(approval: Approval, link: str, seconds: int) -> str:
    verdict, samples, told = approval.verdict, approval.samples, of_what(approval.model_dump())
    lines = [f"A new version of {verdict.name} was trained and passed its gate. Look at it and decide:", "", link, ""]
    lines += [told, ""] if told else []
    for name, value in sorted(verdict.metrics.items()):
        before = verdict.deployed_metrics.get(name)
        lines.append(f"{name}: {value:.4f}" + ("" if before is None else f" (serving now: {before:.4f})"))
    if samples.users:
        whose = "one user" if len(samples.users) == 1 else f"{len(samples.users)} users"
        lines += ["", f"The page shows the lists of {whose} by both versions."]
    if samples.note:
        lines += ["", samples.note]
    lines += ["", f"Without an answer within {seconds / 3600:g} hours the old version stays, and the next run asks again."]
    lines += ["The link works once."]
    return "\n".join(lines)
