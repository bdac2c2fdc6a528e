"""What Step Functions, DynamoDB and Kinesis count of their use.

docs: step-functions/latest/dg/procedure-cw-metrics.html, amazondynamodb/latest/developerguide/metrics-dimensions.html,
streams/latest/dev/monitoring-with-cloudwatch.html
"""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable
from typing import Any

from moto.kinesis.utils import decompose_shard_iterator

from localaws.cloudwatch.meter import Meter
from localaws.patching import wrap

_EXECUTION = "moto.stepfunctions.parser.backend.execution"
_DYNAMODB = "moto.dynamodb.models:DynamoDBBackend"
_ENDED = {
    "SUCCEEDED": "ExecutionsSucceeded",
    "FAILED": "ExecutionsFailed",
    "TIMED_OUT": "ExecutionsTimedOut",
    "ABORTED": "ExecutionsAborted",
}
_UNIT_BYTES = 1024


def install(meter: Meter) -> None:
    """Counts executions by state machine, write units by table, and how far readers are behind by stream."""
    wrap(f"{_EXECUTION}:Execution.start", lambda start: _counting_starts(meter, start))
    wrap(f"{_EXECUTION}:BaseExecutionWorkerCommunication.terminated", lambda ended: _counting_ends(meter, ended))
    for call in ("put_item", "update_item", "delete_item"):
        wrap(f"{_DYNAMODB}.{call}", lambda write: _counting_writes(meter, write))
    wrap("moto.kinesis.models:KinesisBackend.get_records", lambda read: _measuring_age(meter, read))


def _counting_starts(meter: Meter, start: Callable[[Any], None]) -> Callable[[Any], None]:
    def counted(execution: Any) -> None:
        start(execution)
        meter.add("AWS/States", "ExecutionsStarted", 1, StateMachineArn=_machine(execution))

    return counted


def _counting_ends(meter: Meter, terminated: Callable[[Any], None]) -> Callable[[Any], None]:
    def counted(communication: Any) -> None:
        terminated(communication)
        execution = communication.execution
        for status, metric in _ENDED.items():  # those that did not happen are data points too
            meter.add("AWS/States", metric, execution.status == status, StateMachineArn=_machine(execution))

    return counted


def _machine(execution: Any) -> str:
    """The ARN of the machine, also where a version of it runs."""
    return ":".join(str(execution.state_machine.arn).split(":")[:7])


def _counting_writes(meter: Meter, write: Callable[..., Any]) -> Callable[..., Any]:
    """A unit for each kilobyte of the item, begun or whole; those of indexes and the second ones of transactions are left out."""
    takes = inspect.signature(write)

    def counted(*arguments: Any, **named: Any) -> Any:
        item = write(*arguments, **named)
        table = takes.bind(*arguments, **named).arguments["table_name"].rpartition("/")[2]
        units = max(1, math.ceil(item.size() / _UNIT_BYTES)) if item is not None else 1
        meter.add("AWS/DynamoDB", "ConsumedWriteCapacityUnits", units, TableName=table)
        return item

    return counted


def _measuring_age(meter: Meter, get_records: Callable[..., Any]) -> Callable[..., Any]:
    def measured(backend: Any, stream_arn: str | None, shard_iterator: str, limit: int | None) -> Any:
        answer = get_records(backend, stream_arn, shard_iterator, limit)
        _, records, behind = answer
        age = 1000 * (time.time() - records[-1].created_at) if behind else 0.0  # zero once nothing newer is left
        stream = decompose_shard_iterator(shard_iterator)[0]
        meter.add("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", age, StreamName=stream)
        return answer

    return measured
