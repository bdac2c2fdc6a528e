"""SQS event source mappings. docs: lambda/latest/dg/with-sqs.html"""

from __future__ import annotations

import json
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import ClientError
from moto.sqs.models import sqs_backends

from localaws.clients import Aws
from localaws.moto.lambda_functions import LambdaService
from localaws.poller import Poller
from localaws.triggers.item_failures import reported_failures
from localaws.workers.pool import TooManyRequests

_LOG = logging.getLogger(__name__)
_DEFAULT_CONCURRENCY = 5


class QueuePoller(Poller):
    """Receives batches and invokes the function; what it does not process becomes visible again after the queue's timeout."""

    def __init__(self, aws: Aws, functions: LambdaService, mapping: dict[str, Any], role: str) -> None:
        super().__init__(f"queue-{mapping['UUID']}", pause=0.1)
        self._aws = aws
        self._role = role
        self._functions = functions
        self._mapping = mapping
        self._arn = mapping["EventSourceArn"]
        self._url = ""
        concurrency = (mapping.get("ScalingConfig") or {}).get("MaximumConcurrency") or _DEFAULT_CONCURRENCY
        self._places = threading.Semaphore(concurrency)
        self._calls = ThreadPoolExecutor(concurrency, thread_name_prefix=self.name)

    def run(self) -> None:
        super().run()
        self._calls.shutdown(wait=False)  # after the last turn, so that a batch in hand is still processed

    def turn(self) -> bool:
        self._places.acquire()
        submitted = False
        try:
            messages = self._receive()
            if messages:
                self._calls.submit(self._process, messages)
                submitted = True
        finally:
            if not submitted:
                self._places.release()
        return submitted

    def _receive(self) -> list[dict[str, Any]]:
        """A batch; waits for it to fill up within the batching window."""
        size, window = self._mapping.get("BatchSize") or 10, self._mapping.get("MaximumBatchingWindowInSeconds") or 0
        messages: list[dict[str, Any]] = []
        deadline = None
        while not self.stopped and self._functions.has_mapping(self._mapping["UUID"]):  # its role may go with the mapping
            missing = min(10, size - len(messages))
            found = self._receive_some(missing) if missing else []
            messages += found
            deadline = deadline or (time.monotonic() + window if messages else None)
            if not messages or len(messages) >= size or (deadline is not None and time.monotonic() >= deadline):
                break
            if not found:
                self.wait(0.05)
        return messages

    def _sqs(self) -> Any:
        return self._aws.client_as(self._role, "sqs", "lambda")

    def _receive_some(self, count: int) -> list[dict[str, Any]]:
        name = self._arn.rsplit(":", 1)[-1]
        self._url = self._url or self._aws.client("sqs").get_queue_url(QueueName=name)["QueueUrl"]
        if not sqs_backends[self._aws.account][self._aws.region].get_queue(name).approximate_number_of_messages:
            return []  # a call that finds nothing takes milliseconds of the processor, ten times a second
        answer = self._sqs().receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=count,
            WaitTimeSeconds=0,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        found: list[dict[str, Any]] = answer.get("Messages", [])
        return found

    def _process(self, messages: list[dict[str, Any]]) -> None:
        try:
            records = [self._record(message) for message in messages]
            failed = self._invoke(records)
            done = [record for record in records if record["messageId"] not in failed]
            for start in range(0, len(done), 10):
                entries = [{"Id": str(i), "ReceiptHandle": r["receiptHandle"]} for i, r in enumerate(done[start : start + 10])]
                self._sqs().delete_message_batch(QueueUrl=self._url, Entries=entries)
        except ClientError as error:
            if not self.stopped:  # the queue may have been deleted with its mapping
                _LOG.error("%s: %s", self.name, error)
        finally:
            self._places.release()

    def _invoke(self, records: list[dict[str, Any]]) -> set[str]:
        """The ids of the messages that are not done."""
        everything = {record["messageId"] for record in records}
        try:
            outcome = self._functions.call(self._mapping["FunctionArn"], json.dumps({"Records": records}).encode())
            return everything if outcome.result.error else reported_failures(self._mapping, outcome.result.payload, everything)
        except TooManyRequests:
            return everything
        except Exception as error:
            _LOG.error("A batch for %s failed: %r", self._mapping["FunctionArn"], error)
            return everything

    def _record(self, message: dict[str, Any]) -> dict[str, Any]:
        attributes = message.get("MessageAttributes") or {}
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message.get("Attributes") or {},
            "messageAttributes": {name: _attribute(value) for name, value in attributes.items()},
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self._arn,
            "awsRegion": self._aws.region,
        }


def _attribute(value: dict[str, Any]) -> dict[str, Any]:
    return {f"{name[0].lower()}{name[1:]}": entry for name, entry in value.items() if not isinstance(entry, bytes)}
