"""Where records go that can never succeed: a queue, each with its reason and the whole record."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lambdas.aws import clients
from lambdas.config import environment
from lambdas.stores import prefixes

#: SendMessageBatch takes this many messages, 256 KB together.
#: docs: AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
BATCH = 10
#: A larger record is put into S3, and its message points there.
_MAX_INLINE_BYTES = 20_000
_MAX_REASON = 1000
_ATTEMPTS = 3


class NotStored(Exception):
    """The dead-letter queue did not take a message."""


@dataclass(frozen=True)
class DeadLetter:
    """A record as it came, why it can't succeed, and the id by which the operator finds it."""

    id: str
    reason: str
    record: bytes


def store(dead: Sequence[DeadLetter]) -> None:
    """Put them into the queue; returns when all are there. Raises NotStored, and what SQS and S3 raise."""
    for start in range(0, len(dead), BATCH):
        bodies = [json.dumps(message(each)) for each in dead[start : start + BATCH]]
        waiting: list[Any] = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies)]
        for _ in range(_ATTEMPTS):
            answer = clients.sqs().send_message_batch(QueueUrl=environment.current().dead_letter_queue_url, Entries=waiting)
            failed = {entry["Id"] for entry in answer.get("Failed", [])}
            waiting = [entry for entry in waiting if entry["Id"] in failed]
            if not waiting:
                break
        else:
            raise NotStored(f"{len(waiting)} messages were not taken by the dead-letter queue")


def message(dead: DeadLetter) -> dict[str, str]:
    """The message as the queue holds it: `record` (text), `record_base64` (not UTF-8) or `s3` (large)."""
    head = {"id": dead.id, "reason": dead.reason[:_MAX_REASON]}
    if len(dead.record) > _MAX_INLINE_BYTES:
        return head | {"s3": _put_aside(dead.record)}
    try:
        return head | {"record": dead.record.decode()}
    except UnicodeDecodeError:
        return head | {"record_base64": base64.b64encode(dead.record).decode()}


def _put_aside(record: bytes) -> str:
    """The s3:// address of a large record; the same record has the same address."""
    bucket, key = environment.current().data_bucket, f"{prefixes.DEAD_LETTERS}{hashlib.sha256(record).hexdigest()}"
    clients.s3().put_object(Bucket=bucket, Key=key, Body=record)
    return prefixes.address(bucket, key)
