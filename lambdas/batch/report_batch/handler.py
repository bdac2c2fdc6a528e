"""Last step of a batch run, whichever way it went: a report in S3, a mail, an event; then the lock is free again."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, Field

from lambdas.aws.failures import Failure, problem
from lambdas.aws.observability import logger
from lambdas.batch.load_counts import Counts
from lambdas.config import environment
from lambdas.stores.reports import of_what, tell, write_report
from lambdas.stores.runs import release_lock


class NotMade(BaseModel):
    """A query of a segment that has no users, and why."""

    query: str
    reason: str


class Made(Counts):
    """How one batch or segment ended."""

    kind: str
    name: str
    version: str
    status: str = "FAILED"
    missing: int = 0
    rows_read: int = 0
    rows_used: int = 0
    rows_dropped: dict[str, int] = Field(default_factory=dict)
    rejected_lines: str = ""
    unloaded_files: list[str] = Field(default_factory=list)
    not_made: list[NotMade] = Field(default_factory=list)
    failure: Failure | None = None


class Run(BaseModel):
    """The input of the last step, after success and after failure."""

    run_id: str
    execution: str
    run_started: datetime
    made: list[Made] = Field(default_factory=list)
    failure: Failure | None = None


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    run = Run.model_validate(event)
    report = make_report(run, environment.current().deployment)
    address = write_report(f"{run.run_id}/report.json", json.dumps(report, indent=1))
    tell("batch", report, as_text(report), address)
    release_lock(run.execution, "batch")
    return report | {"report": address}


def make_report(run: Run, deployment: str, now: datetime | None = None) -> dict[str, Any]:
    """The report of a run: of what and when, its status, what went wrong and what to do, the counts of every batch and segment.

    `seconds` is how long the run took, until `now`.
    """
    problems = [problem(f"{made.kind} {made.name}", made.failure) for made in run.made if made.failure]
    if run.failure:
        problems.insert(0, problem("run", run.failure))
    succeeded = any(made.status == "ACTIVE" for made in run.made)
    status = "SUCCEEDED" if not problems else "PARTLY_FAILED" if succeeded and run.failure is None else "FAILED"
    made = [made.model_dump(exclude={"failure"}) for made in run.made]
    return {
        "run_id": run.run_id,
        "deployment": deployment,
        "started": run.run_started.isoformat(timespec="seconds"),
        "seconds": max(0, round(((now or datetime.now(UTC)) - run.run_started).total_seconds())),
        "status": status,
        "problems": problems,
        "made": made,
    }


def as_text(report: dict[str, Any]) -> str:
    """The report as a mail."""
    lines = [f"Batch run {report['run_id']}: {report['status'].replace('_', ' ').lower()}", of_what(report), ""]
    for entry in report["problems"]:
        lines += [f"{entry['part']}: {entry['error']}", entry["message"], entry["what_to_do"], ""]
    for made in report["made"]:
        if made["status"] == "ACTIVE":
            gap = f", {made['rejected']} rejected, {made['missing']} missing" if made["rejected"] or made["missing"] else ""
            lines.append(f"{made['kind']} {made['name']}: {made['written']} of {made['lines']} lists written{gap}")
            if made["rows_read"]:
                lines.append(f"  made of {made['rows_used']:,} of {made['rows_read']:,} events and rows of the CSVs")
            lines += [f"  not used: {count:,}: {reason}" for reason, count in made["rows_dropped"].items()]
            without = made["lines"] - made["written"] - made["erased"]
            lines += [f"  without a list: {without:,}"] if without and made["kind"] == "batch" else []
            lines += [f"  rejected lines: {made['rejected_lines']}"] if made["rejected_lines"] else []
            lines += [f"  not loaded: {file}" for file in made["unloaded_files"]]
            lines += [f"  not made: {each['query']}: {each['reason']}" for each in made["not_made"]]
    return "\n".join(lines)
