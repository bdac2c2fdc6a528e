"""Glue: a job run that moto records is executed for real (see localaws.glue)."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from moto.glue.responses import GlueResponse

from localaws.clients import Aws
from localaws.cloudwatch.logs import LogWriter
from localaws.glue.run import Assumed, Ended, Job, Run
from localaws.iam.permissions import Denied, Permissions
from localaws.iam.policies import Access, Principal
from localaws.patching import intercept, locate, replace

_JOB = "moto.glue.models:FakeJob"
_JOB_RUN = "moto.glue.models:FakeJobRun"
_TASK = "moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_glue:StateTaskServiceGlue"
_POLL_SECONDS = 0.2
_DEFAULT_TIMEOUT = 480  # minutes, of Glue 5.0 and later. docs: glue/latest/webapi/API_StartJobRun.html
_LOG = logging.getLogger(__name__)


class GlueJobs:
    """Executes job runs, each in a thread that waits for the script's process."""

    def __init__(self, aws: Aws, data: Path, logs: LogWriter, permissions: Permissions) -> None:
        self._aws = aws
        self._data = data
        self._logs = logs
        self._permissions = permissions
        self._runs: dict[str, Run] = {}
        self._threads: list[threading.Thread] = []

    def install(self) -> None:
        intercept(f"{_JOB}.start_job_run", self._start)
        intercept(f"{_JOB_RUN}.as_dict", _described)
        locate(f"{_JOB_RUN}.status")
        replace(f"{_JOB_RUN}.status", property(lambda run: run._status, lambda run, state: setattr(run, "_status", state)))
        setattr(GlueResponse, "batch_stop_job_run", self._stop_runs)  # noqa: B010 - moto has none yet
        replace(f"{_TASK}._eval_integration_pattern", _wait_for_run)

    def close(self) -> None:
        """Kills what runs."""
        for run in list(self._runs.values()):
            run.stop()
        for thread in self._threads:
            thread.join(5)

    def _start(self, start_job_run: Callable[..., str], job: Any, *args: Any, **options: Any) -> str:
        run_id = start_job_run(job, *args, **options)
        record = job.job_runs[-1]
        record.completed_on = None
        thread = threading.Thread(target=self._execute, args=(job, record), name=f"glue-{run_id}", daemon=True)
        self._threads = [each for each in self._threads if each.is_alive()] + [thread]
        self._runs[run_id] = self._run(job, record)
        thread.start()
        return run_id

    def _run(self, job: Any, record: Any) -> Run:
        run_id = record.job_run_id

        def started() -> None:
            record.status = "RUNNING"
            record.began = time.monotonic()

        def output(stream: str, text: str) -> None:
            self._logs.write(f"/aws-glue/jobs/{stream}", run_id, text)

        minutes = record.timeout or job.timeout or _DEFAULT_TIMEOUT
        described = Job(job.name, run_id, job.command["ScriptLocation"], record.arguments, minutes * 60)
        return Run(described, lambda: self._assume(job.role), self._data / run_id, output, started)

    def _assume(self, role: str) -> Assumed:
        """Raises ClientError where Glue may not assume the role."""
        arn = role if role.startswith("arn:") else f"arn:aws:iam::{self._aws.account}:role/{role}"
        session = Principal(arn=arn, role=arn, account=self._aws.account)

        def check(access: Access) -> None:
            try:
                self._permissions.check(session, access)
            except Denied as denied:
                raise PermissionError(f"Access Denied (Service: Amazon S3; Status Code: 403; {denied.message})") from None

        credentials = self._aws.credentials(arn, "glue", session="GlueJobRunnerSession")
        return Assumed(self._aws.client_as(arn, "s3", "glue"), {**self._aws.environ(), **credentials.environ()}, check)

    def _execute(self, job: Any, record: Any) -> None:
        run = self._runs[record.job_run_id]
        run.folder.mkdir(parents=True)
        try:
            ended = run.execute()
        except Exception as error:  # whatever keeps a run from being executed is its result
            _LOG.debug("%s", job.name, exc_info=True)
            ended = Ended("FAILED", f"{type(error).__name__}: {error}")
        record.error_message = ended.message
        record.completed_on = record.modified_on = datetime.now(UTC)
        record.seconds = time.monotonic() - getattr(record, "began", time.monotonic())
        record.glue_version = job.glue_version
        record.status = ended.state
        del self._runs[record.job_run_id]
        shutil.rmtree(run.folder, ignore_errors=True)

    @property
    def _stop_runs(self) -> Callable[[Any], Any]:
        """BatchStopJobRun, which moto lacks. docs: glue/latest/webapi/API_BatchStopJobRun.html"""
        jobs = self

        def batch_stop_job_run(response: GlueResponse) -> Any:
            name, run_ids = response.parameters["JobName"], response.parameters["JobRunIds"]
            known = {run.job_run_id: run for run in response.glue_backend.get_job(name).job_runs}
            stopped, refused = [], []
            for run_id in run_ids:
                about = {"JobName": name, "JobRunId": run_id}
                run = jobs._runs.get(run_id)
                if run is not None and run_id in known:
                    known[run_id].status = "STOPPING"
                    run.stop()
                    stopped.append(about)
                else:
                    detail = {"ErrorCode": "InvalidInputException", "ErrorMessage": f"Job run {run_id} is not running."}
                    refused.append({**about, "ErrorDetail": detail})
            action_result = locate("moto.glue.responses:ActionResult")[2]
            return action_result({"SuccessfulSubmissions": stopped, "Errors": refused})

        return batch_stop_job_run


def _wait_for_run(
    task: Any, env: Any, resource_runtime_part: Any, normalised_parameters: dict[str, Any], state_credentials: Any
) -> None:
    """The waiting of `glue:startJobRun.sync`, at which moto fails. A run whose execution is stopped is stopped with it.

    docs: step-functions/latest/dg/connect-to-resource.html#connect-sync
    """
    started = env.stack[-1]
    finished = task._build_sync_resolver(env, resource_runtime_part, normalised_parameters, state_credentials)
    while env.is_running():
        result = finished()
        if result:
            task._normalise_response(result, "glue", "get_job_run")
            env.stack.append(result)
            return
        time.sleep(_POLL_SECONDS)
    glue = task._get_glue_client(resource_runtime_part, state_credentials)
    glue.batch_stop_job_run(JobName=started["JobName"], JobRunIds=[started["JobRunId"]])


def _described(as_dict: Callable[[Any], dict[str, Any]], run: Any) -> dict[str, Any]:
    """A run as GetJobRun tells it."""
    seconds = getattr(run, "seconds", None)
    if seconds is None:
        seconds = time.monotonic() - getattr(run, "began", time.monotonic())
    told = {
        **as_dict(run),
        "ExecutionTime": round(seconds),
        "LogGroupName": "/aws-glue/jobs",
        "GlueVersion": getattr(run, "glue_version", None),
        "ErrorMessage": getattr(run, "error_message", None),
    }
    return {name: value for name, value in told.items() if value is not None}
