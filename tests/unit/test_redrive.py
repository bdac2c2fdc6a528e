"""Putting dead letters back: what is put where, what is taken away, and how AWS is asked."""

from __future__ import annotations

import json
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from reco.deployment import redrive
from reco.target import Target

QUEUES = ("DeadLetterQueueUrl", "StuckRecordsQueueUrl", "RecordQueueUrl")


class Shop(Target):
    """A deployment without stacks: a bucket, the queues and the stream."""

    def __init__(self) -> None:
        super().__init__("shop", None)
        self.asked = Counter[str]()
        self.received: list[dict[str, Any]] = []
        self.urls = {name: self.client("sqs").create_queue(QueueName=name)["QueueUrl"] for name in QUEUES}
        self.client("s3").create_bucket(Bucket="DataBucket")
        self.client("kinesis").create_stream(StreamName="EventStream", ShardCount=1)

    def client(self, service: str) -> Any:
        made = super().client(service)
        made.meta.events.register("provide-client-params.sqs.ReceiveMessage", lambda params, **_: self.received.append(params))
        return made

    def output(self, capability: str, name: str) -> str:
        self.asked[name] += 1
        return self.urls.get(name, name)

    def give_up(self, *records: dict[str, Any]) -> None:
        """Put a batch into the bucket as Lambda does (lambda/latest/dg/kinesis-on-failure-destination.html)."""
        data = [b64encode(json.dumps(record).encode()).decode() for record in records]
        payload = {"Records": [{"eventID": f"shard:{n}", "kinesis": {"data": text}} for n, text in enumerate(data)]}
        notice = {"requestContext": {"condition": "RetryAttemptsExhausted"}, "payload": json.dumps(payload)}
        self.client("s3").put_object(Bucket="DataBucket", Key="aws/lambda/batch", Body=json.dumps(notice).encode())

    def in_stream(self) -> list[dict[str, Any]]:
        kinesis = self.client("kinesis")
        shard = kinesis.describe_stream(StreamName="EventStream")["StreamDescription"]["Shards"][0]["ShardId"]
        start = kinesis.get_shard_iterator(StreamName="EventStream", ShardId=shard, ShardIteratorType="TRIM_HORIZON")
        return [json.loads(record["Data"]) for record in kinesis.get_records(ShardIterator=start["ShardIterator"])["Records"]]


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        yield Shop()


def test_a_batch_that_was_given_up_goes_though_it_has_exposures(shop: Shop) -> None:
    event = {"kind": "event", "body": {"user_id": "u1"}}
    shop.give_up(event, {"kind": "exposure", "body": {"user_id": "u1"}})
    assert redrive.redrive(shop) == redrive.Redriven(put_back=1)
    assert shop.in_stream() == [event]
    assert "Contents" not in boto3.client("s3").list_objects_v2(Bucket="DataBucket")


def test_letters_are_waited_for_and_outputs_asked_for_once(shop: Shop) -> None:
    for number in range(12):
        letter = {"id": str(number), "reason": "refused", "record": json.dumps({"kind": "item", "body": {}})}
        shop.client("sqs").send_message(QueueUrl=shop.urls["DeadLetterQueueUrl"], MessageBody=json.dumps(letter))
    assert redrive.redrive(shop) == redrive.Redriven(put_back=12)
    assert all(params["WaitTimeSeconds"] > 0 for params in shop.received)
    assert set(shop.asked.values()) == {1}
    assert not redrive.reasons(shop)
