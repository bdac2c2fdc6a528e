"""Step Functions: a row for each execution, another for its history. What ran when the process ended is ABORTED.

docs: step-functions/latest/dg/service-quotas.html (history is kept for 90 days)
"""

from __future__ import annotations

import time
import types
from datetime import UTC, datetime
from typing import Any

from moto.stepfunctions.parser.api import (
    CloudWatchEventsExecutionDataDetails,
    ExecutionStatus,
    GetExecutionHistoryOutput,
    StateMachineType,
)
from moto.stepfunctions.parser.backend.execution import Execution

from localaws.patching import follow
from localaws.persistence.codec import decode, encode
from localaws.persistence.database import Database, Key
from localaws.persistence.journal import Journal

_EXECUTION = "moto.stepfunctions.parser.backend.execution"
_DAYS_KEPT = 90
#: So many executions that have ended keep what moto knows of them, such as their map runs.
_MOST_WHOLE = 20
_ATTRIBUTES = ("name", "role_arn", "exec_arn", "start_date", "stop_date", "input_data", "error", "cause", "trace_header")
#: What is asked of the worker of an execution that has ended: no token of its is valid, it has no map runs.
_NO_WORKER = types.SimpleNamespace(
    env=types.SimpleNamespace(
        callback_pool_manager=types.SimpleNamespace(heartbeat=lambda **_: False, notify=lambda **_: False),
        map_run_record_pool_manager=types.SimpleNamespace(get=lambda _: None, get_all=list),
    )
)


class Executions:
    """Executions are written when they start and when they end; a state machine that is made finds those that it had."""

    def __init__(self, journal: Journal) -> None:
        self._database = journal.database

    def install(self) -> None:
        follow(f"{_EXECUTION}:Execution.start", lambda _, execution: self._write(execution))
        follow(f"{_EXECUTION}:BaseExecutionWorkerCommunication.terminated", lambda _, worker: self._ended(worker.execution))
        follow("moto.stepfunctions.models:StepFunctionBackend.create_state_machine", lambda made, *_, **__: self._made(made))
        follow("moto.stepfunctions.models:StepFunctionBackend.delete_state_machine", lambda _, __, arn: self._gone(arn))
        follow(
            "moto.stepfunctions.parser.models:StepFunctionsParserBackend.start_execution",
            lambda _, backend, arn, *__, **___: self._shorten(backend.describe_state_machine(arn)),
        )

    def expire(self) -> None:
        oldest = time.time() - _DAYS_KEPT * 24 * 3600
        for machine, arn, text in self._database.query("SELECT owner, key, value FROM kept WHERE kind = 'execution'"):
            stopped = decode(text)["stop_date"]
            if stopped is not None and stopped.timestamp() < oldest:
                self._database.write({("execution", machine, arn): None, ("history", arn, ""): None})

    def _write(self, execution: Any, history: dict[Key, str | None] | None = None) -> None:
        with self._database.lock:
            row = {name: getattr(execution, name) for name in _ATTRIBUTES}
            row |= {"status": execution.status, "output": execution.output}
            own = {("execution", _machine(execution.state_machine.arn), execution.exec_arn): encode(row)}
            self._database.write(own | (history or {}))

    def _ended(self, execution: Any) -> None:
        self._write(execution, {("history", execution.exec_arn, ""): encode(execution.to_history_output()["events"])})

    def _made(self, machine: Any) -> None:
        for text in self._database.read("execution", machine.arn).values():
            past = _PastExecution(self._database, machine, decode(text))
            if past.exec_status is ExecutionStatus.RUNNING:
                past.exec_status, past.stop_date = ExecutionStatus.ABORTED, datetime.now(UTC)
                self._write(past)
            machine.executions.append(past)
        machine.executions.sort(key=lambda execution: execution.start_date)

    def _shorten(self, machine: Any) -> None:
        """Of executions that have ended longest, keep what is on disk alone."""
        ended = [each for each in machine.executions if type(each) is Execution and each.status != "RUNNING"]
        for execution in ended[:-_MOST_WHOLE]:
            text = self._database.read("execution", machine.arn).get(execution.exec_arn)
            if text is not None:
                machine.executions[machine.executions.index(execution)] = _PastExecution(self._database, machine, decode(text))

    def _gone(self, arn: str) -> None:
        for execution in self._database.read("execution", arn):
            self._database.drop("history", execution)
        self._database.drop("execution", arn)


class _PastExecution(Execution):
    """An execution that has ended, as it is on disk."""

    def __init__(self, database: Database, machine: Any, row: dict[str, Any]) -> None:
        vars(self).update({name: row[name] for name in _ATTRIBUTES})
        self._database = database
        self.execution_arn = self.exec_arn
        self.state_machine, self.state_machine_arn = machine, machine.arn
        self.sm_type = StateMachineType(machine.sm_type or "STANDARD")
        self.account_id, self.region_name = machine.arn.split(":")[4], machine.arn.split(":")[3]
        self.exec_status = ExecutionStatus(row["status"])
        self.execution_input = encode(self.input_data)
        vars(self)["output"] = row["output"]
        self.input_details = self.output_details = CloudWatchEventsExecutionDataDetails(included=True)
        self.exec_worker = _NO_WORKER  # type: ignore[assignment]

    def to_history_output(self) -> GetExecutionHistoryOutput:
        kept = self._database.read("history", self.exec_arn).get("")
        return GetExecutionHistoryOutput(events=decode(kept) if kept else [])

    def stop(self, *_: Any, **__: Any) -> None:
        return None


def _machine(arn: str) -> str:
    """The ARN of the machine, also where a version of it runs."""
    return ":".join(arn.split(":")[:7])
