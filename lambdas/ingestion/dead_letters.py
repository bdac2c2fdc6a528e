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

#: SendMessageBatch takes this many messages, 1 MiB together: no message is longer than its share.
#: docs: AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
BATCH, _MAX_MESSAGE_BYTES = 10, 1_048_576 // 10
#: A larger record is put into S3, and its message points there. So is one that grows too long as JSON, where a byte can take six.
_MAX_INLINE_BYTES = 20_000
_MAX_ID, _MAX_REASON = 1000, 1000
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
        bodies = [message(each) for each in dead[start : start + BATCH]]
        waiting: list[Any] = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies)]
        for _ in range(_ATTEMPTS):
            answer = clients.sqs().send_message_batch(QueueUrl=environment.current().dead_letter_queue_url, Entries=waiting)
            failed = {entry["Id"] for entry in answer.get("Failed", [])}
            waiting = [entry for entry in waiting if entry["Id"] in failed]
            if not waiting:
                break
        else:
            raise NotStored(f"{len(waiting)} messages were not taken by the dead-letter queue")


def message(dead: DeadLetter) -> str:
    """The message as the queue holds it: JSON in ASCII, with `record` (text), `record_base64` (not UTF-8) or `s3` (large)."""
    head = {"id": dead.id[:_MAX_ID], "reason": dead.reason[:_MAX_REASON]}
    if len(dead.record) <= _MAX_INLINE_BYTES:
        inline = json.dumps(head | _inline(dead.record))
        if len(inline) <= _MAX_MESSAGE_BYTES:
            return inline
    return json.dumps(head | {"s3": _put_aside(dead.record)})


def _inline(record: bytes) -> dict[str, str]:
    try:
        return {"record": record.decode()}
    except UnicodeDecodeError:
        return {"record_base64": base64.b64encode(record).decode()}


def _put_aside(record: bytes) -> str:
    """The s3:// address of a large record; the same record has the same address."""
    bucket, key = environment.current().data_bucket, f"{prefixes.DEAD_LETTERS}{hashlib.sha256(record).hexdigest()}"
    clients.s3().put_object(Bucket=bucket, Key=key, Body=record)
    return prefixes.address(bucket, key)
