"""Reports beside the data: what a run found and did, for whoever reads it later."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from botocore.exceptions import ClientError

from lambdas.aws import clients
from lambdas.config import environment
from lambdas.stores import prefixes


def of_what(report: Mapping[str, Any], say: Callable[[str], str] = str) -> str:
    """The deployment, whose name ends with its environment where it has one, when its run began, and how long it took; `say`
    translates. Empty for a report of an earlier release, which has none of them.
    """
    if not report.get("started"):
        return ""
    at = f"{datetime.fromisoformat(report['started']).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    said = say("Deployment {name}, started {at}, took {took}.")
    return said.format(name=report["deployment"], at=at, took=_duration(int(report["seconds"]), say))


def _duration(seconds: int, say: Callable[[str], str]) -> str:
    """`90 s`, `25 minutes`, `2.5 hours`."""
    if seconds >= 7200:
        return say("{n} hours").format(n=f"{seconds / 3600:.1f}")
    return say("{n} s").format(n=seconds) if seconds < 120 else say("{n} minutes").format(n=f"{seconds / 60:.0f}")


def write_report(key: str, text: str, content_type: str = "application/json") -> str:
    """Put a text below `reports/`; returns its s3:// address."""
    bucket = environment.current().data_bucket
    key = f"{prefixes.REPORTS}{key}"
    clients.s3().put_object(Bucket=bucket, Key=key, Body=text.encode(), ContentType=content_type)
    return prefixes.address(bucket, key)


def tell(machine: Literal["train", "batch"], report: Mapping[str, Any], text: str, page: str) -> None:
    """An event to whoever listens, a mail to the operators. Raises ClientError also for an event that was not taken."""
    deployment, status = environment.current().deployment, report["status"]
    subject = f"{deployment}: {machine} run {status.replace('_', ' ').lower()}"
    detail = {"deployment": deployment, "run_id": report["run_id"], "status": status, "page": page}
    entry = {"Source": "recostack", "DetailType": f"{machine.title()} Run Finished", "Detail": json.dumps(detail)}
    answer = clients.events().put_events(Entries=[entry])  # type: ignore[list-item]
    if answer["FailedEntryCount"]:
        refused = answer["Entries"][0]  # as an error of the call, which the state machines try again; so the mail comes last
        raise ClientError({"Error": {"Code": refused["ErrorCode"], "Message": refused.get("ErrorMessage", "")}}, "PutEvents")
    clients.sns().publish(TopicArn=environment.current().topic_arn, Subject=subject[:100], Message=f"{text}\n\n{page}")
