"""Starts a batch run and follows it; reads lists and segments that runs have made."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from lambdas.stores import prefixes
from lambdas.stores.segments import current_segment, read_users
from reco.deployment import train
from reco.deployment.progress import Doing
from reco.errors import RecoError
from reco.target import Target

#: What a Glue job can't end in any more.
RUNNING = ("STARTING", "RUNNING", "WAITING", "STOPPING")


def start(target: Target, wanted: list[str] | None = None) -> str:
    """Start the batch state machine, for all batches and segments or for those wanted; returns the execution's ARN."""
    return train.start_machine(target, target.output("batch", "BatchStateMachine"), {"wanted": wanted} if wanted else {})


def follow(target: Target, execution: str, on_doing: Callable[[Doing], None], every: float = 1.0) -> train.Outcome:
    """Wait for the end of a run, telling what it does, and each state of the Spark job."""
    shown = set[str]()

    def where_spark_is() -> None:
        for found in _spark_states(target, "BatchInputJob"):
            if found not in shown:
                shown.add(found)
                on_doing(Doing("Build input", f"Building the input with Spark, which is {found}"))

    return train.follow(target, execution, on_doing, every, where_spark_is)


def _spark_states(target: Target, output: str) -> Iterator[str]:
    """The states of the job's runs that are under way: starting, running."""
    runs = target.client("glue").get_job_runs(JobName=target.output("batch", output), MaxResults=10)["JobRuns"]
    for run in runs:
        if run["JobRunState"] in RUNNING:
            yield str(run["JobRunState"]).lower()


def segment(target: Target, name: str) -> tuple[str, dict[str, list[str]]]:
    """The current version of a segment, and the users of each of its queries. Raises RecoError when there is none, or no more."""
    client, table = target.client("dynamodb"), target.output("batch", "SegmentsTable")
    published = current_segment(client, table, name)
    if published is None:
        raise RecoError(f"The segment {name} was not made yet: reco batch {name} --wait")
    users: dict[str, list[str]] = {}
    for query, some in read_users(client, table, name, published.version):
        users.setdefault(query, []).extend(some)
    if published.written and not users:
        made = f"The segment {name} was made on {published.published_at:%Y-%m-%d}, and the table has no users of it"
        raise RecoError(f"{made}: they expire after `keep_days`. Make it again: reco batch {name} --wait")
    return published.version, users


def rebuild_interactions(target: Target, on_state: Callable[[str], None], every: float = 1.0) -> dict[str, Any]:
    """Make the Interactions CSVs anew from the archive, for the next train run. Returns the job's report; raises RecoError."""
    glue, s3 = target.client("glue"), target.client("s3")
    job, bucket = target.output("batch", "InteractionsJob"), target.output("storage", "DataBucket")
    payload = json.dumps({"run_started": datetime.now(UTC).isoformat()})
    exported = target.client("lambda").invoke(FunctionName=target.output("batch", "ExportErasures"), Payload=payload.encode())
    answer = json.loads(exported["Payload"].read())
    if "FunctionError" in exported:
        raise RecoError(f"The erased users could not be listed: {answer.get('errorMessage', exported['FunctionError'])}")
    run_id = glue.start_job_run(JobName=job, Arguments={"--erased": answer["erased"]})["JobRunId"]
    state = ""
    while True:
        run = glue.get_job_run(JobName=job, RunId=run_id)["JobRun"]
        if run["JobRunState"] != state:
            state = run["JobRunState"]
            on_state(f"Spark is {state.lower()}")
        if state not in RUNNING:
            break
        time.sleep(every)
    if state != "SUCCEEDED":
        raise RecoError(f"The archive could not be read: {run.get('ErrorMessage', state)}")
    return dict(json.loads(s3.get_object(Bucket=bucket, Key=prefixes.INTERACTIONS_REPORT)["Body"].read()))
