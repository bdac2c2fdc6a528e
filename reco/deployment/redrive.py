"""Puts dead-letter messages back where they came from, once their cause is gone: docs/ingestion.md says when that helps."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lambdas.stores import prefixes
from reco.target import Target

#: PutRecords of Kinesis takes this many records; ours are small.
BATCH = 100
#: Seconds for which the messages that we hold are hidden, so that none is read twice. All are read before any is put back, or one
#: that fails again at once would go round for ever. SQS lets us hold 120,000 and gives no more then: that many are read in time.
#: docs: AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
_HIDDEN = 1800
#: Seconds to wait for a message. Without any, SQS asks only some of its servers, and may give none though there are some.
#: docs: AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html
_PATIENCE = 1
_MAX_PARTITION_KEY = 256


@dataclass(frozen=True)
class _DeadLetter:
    """A record that failed, why, and how to take it away from where it is kept (`remove`) or to keep it there (`keep`)."""

    reason: str
    record: bytes
    remove: Callable[[], Any]
    keep: Callable[[], Any]


@dataclass
class Redriven:
    """How many messages were put back, kept, and could not be put back since they are no records of the API."""

    put_back: int = 0
    left: int = 0
    unreadable: int = 0


def reasons(target: Target) -> Counter[str]:
    """How many dead-letter messages there are of each reason; all stay where they are."""
    found = Counter[str]()
    for message in list(dead_letters(target)):
        found[message.reason] += 1
        message.keep()
    return found


def redrive(target: Target, reason: str = "") -> Redriven:
    """Put back the messages whose reason contains `reason`."""
    queue, stream = target.output("ingestion", "RecordQueueUrl"), target.output("ingestion", "EventStream")
    sqs, kinesis = target.client("sqs"), target.client("kinesis")
    done, events = Redriven(), list[_DeadLetter]()
    for message in list(dead_letters(target)):
        kind = _kind_of(message.record)
        if reason not in message.reason:
            done.left += 1
            message.keep()
        elif kind is None:
            done.unreadable += 1
            message.keep()
        elif kind == "event":
            events.append(message)
        elif kind == "exposure":
            message.remove()  # the archive has it, and nobody else wants it
        else:
            sqs.send_message(QueueUrl=queue, MessageBody=message.record.decode())
            message.remove()
            done.put_back += 1
    for start in range(0, len(events), BATCH):
        count = _put_events_back(kinesis, stream, events[start : start + BATCH])
        done.put_back += count
        done.left += len(events[start : start + BATCH]) - count
    return done


def _put_events_back(kinesis: Any, stream: str, batch: Sequence[_DeadLetter]) -> int:
    """Put events into the stream again; those that it does not take stay in the queue."""
    entries = [{"Data": message.record, "PartitionKey": _partition_key(message.record)} for message in batch]
    answer = kinesis.put_records(StreamName=stream, Records=entries)
    taken = ["ErrorCode" not in record for record in answer["Records"]]
    for message, ok in zip(batch, taken, strict=True):
        if ok:
            message.remove()
        else:
            message.keep()
    return sum(taken)


def dead_letters(target: Target) -> Iterator[_DeadLetter]:
    """All: dead-letter messages of the functions, records that got stuck, batches that the stream's mapping gave up."""
    yield from queued(target, "DeadLetterQueueUrl")
    yield from queued(target, "StuckRecordsQueueUrl")
    yield from _given_up(target)


def queued(target: Target, output: str) -> Iterator[_DeadLetter]:
    sqs, url = target.client("sqs"), target.output("ingestion", output)
    asked = {"QueueUrl": url, "MaxNumberOfMessages": 10, "VisibilityTimeout": _HIDDEN, "WaitTimeSeconds": _PATIENCE}
    while messages := sqs.receive_message(**asked).get("Messages"):
        for message in messages:
            receipt = {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}
            body = json.loads(message["Body"])
            yield _DeadLetter(
                body.get("reason", "could not be put in a hundred attempts"),
                record_of(target, body) if "reason" in body else message["Body"].encode(),
                remove=lambda receipt=receipt: sqs.delete_message(**receipt),  # type: ignore[misc]
                keep=lambda receipt=receipt: sqs.change_message_visibility(**receipt, VisibilityTimeout=0),  # type: ignore[misc]
            )


def record_of(target: Target, body: dict[str, str]) -> bytes:
    """The whole record of a message in the queue."""
    if "s3" in body:
        bucket, key = body["s3"].removeprefix("s3://").split("/", 1)
        return bytes(target.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
    return b64decode(body["record_base64"]) if "record_base64" in body else body["record"].encode()


def _given_up(target: Target) -> Iterator[_DeadLetter]:
    """The records of the batches in S3; an object goes with the last of its records."""
    s3, bucket = target.client("s3"), target.output("storage", "DataBucket")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefixes.GIVEN_UP)
    for key in [entry["Key"] for page in pages for entry in page.get("Contents", [])]:
        notice = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        waiting = {record["eventID"] for record in json.loads(notice["payload"])["Records"]}
        for record in json.loads(notice["payload"])["Records"]:

            def remove(key: str = key, waiting: set[str] = waiting, event_id: str = record["eventID"]) -> None:
                waiting.discard(event_id)
                if not waiting:
                    s3.delete_object(Bucket=bucket, Key=key)

            condition = notice["requestContext"]["condition"]
            yield _DeadLetter(condition, b64decode(record["kinesis"]["data"]), remove=remove, keep=lambda: None)


def _kind_of(record: bytes) -> str | None:
    """event, exposure, item or user; None for what the API can't have written."""
    try:
        kind = json.loads(record)["kind"]
    except (ValueError, KeyError, TypeError):
        return None
    return kind if kind in ("event", "exposure", "item", "user") else None


def _partition_key(record: bytes) -> str:
    """The same as the API gives: the user, or else the session."""
    body = json.loads(record).get("body")
    name = (body.get("user_id") or body.get("session_id")) if isinstance(body, dict) else None
    return b64encode(str(name or "none").encode()).decode()[:_MAX_PARTITION_KEY]
