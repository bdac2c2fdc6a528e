"""What Step Functions, DynamoDB and Kinesis count of their use.

docs: step-functions/latest/dg/procedure-cw-metrics.html, amazondynamodb/latest/developerguide/metrics-dimensions.html,
streams/latest/dev/monitoring-with-cloudwatch.html
"""

from __future__ import annotations

import inspect
import math
import time
from functools import partial
from typing import Any

from moto.kinesis.utils import decompose_shard_iterator

from localaws.cloudwatch.meter import Meter
from localaws.patching import follow, locate

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
    follow(f"{_EXECUTION}:Execution.start", partial(_count_start, meter))
    follow(f"{_EXECUTION}:BaseExecutionWorkerCommunication.terminated", partial(_count_end, meter))
    for call in ("put_item", "update_item", "delete_item"):
        path = f"{_DYNAMODB}.{call}"
        follow(path, partial(_count_write, meter, inspect.signature(locate(path)[2])))
    follow("moto.kinesis.models:KinesisBackend.get_records", partial(_measure_age, meter))


def _count_start(meter: Meter, _: None, execution: Any) -> None:
    meter.add("AWS/States", "ExecutionsStarted", 1, StateMachineArn=_machine(execution))


def _count_end(meter: Meter, _: None, worker: Any) -> None:
    execution = worker.execution
    for status, metric in _ENDED.items():  # those that did not happen are data points too
        meter.add("AWS/States", metric, execution.status == status, StateMachineArn=_machine(execution))


def _machine(execution: Any) -> str:
    """The ARN of the machine, also where a version of it runs."""
    return ":".join(str(execution.state_machine.arn).split(":")[:7])


def _count_write(meter: Meter, takes: inspect.Signature, item: Any, *arguments: Any, **named: Any) -> None:
    """A unit for each kilobyte of the item, begun or whole; those of indexes and the second ones of transactions are left out."""
    table = takes.bind(*arguments, **named).arguments["table_name"].rpartition("/")[2]
    units = max(1, math.ceil(item.size() / _UNIT_BYTES)) if item is not None else 1
    meter.add("AWS/DynamoDB", "ConsumedWriteCapacityUnits", units, TableName=table)


def _measure_age(meter: Meter, answer: Any, backend: Any, stream_arn: str | None, shard_iterator: str, limit: int | None) -> None:
    _, records, behind = answer
    age = 1000 * (time.time() - records[-1].created_at) if behind else 0.0  # zero once nothing newer is left
    stream = decompose_shard_iterator(shard_iterator)[0]
    meter.add("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", age, StreamName=stream)
