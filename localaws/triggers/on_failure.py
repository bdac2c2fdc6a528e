"""Where an event source mapping puts what it could not process. docs: lambda/latest/dg/kinesis-on-failure-destination.html"""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from localaws.clients import Aws
from localaws.moto.targets import Sender, Targets


class OnFailure:
    """The on-failure destination of one mapping: a queue or topic gets the metadata, a bucket the records too.

    The role is the function's.
    """

    def __init__(self, aws: Aws, targets: Targets, mapping: dict[str, Any], role: str) -> None:
        self._aws = aws
        self._targets = targets
        self._mapping = mapping
        self._role = role
        self._arn = ((mapping.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")

    def send(self, shard: str, records: list[dict[str, Any]], condition: str, attempts: int, error: str | None) -> None:
        if not self._arn:
            return
        now = datetime.now(UTC)
        first, last = records[0]["kinesis"], records[-1]["kinesis"]
        notice: dict[str, Any] = {
            "requestContext": {
                "requestId": str(uuid.uuid4()),
                "functionArn": self._mapping["FunctionArn"],
                "condition": condition,
                "approximateInvokeCount": attempts,
            },
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": error},
            "version": "1.0",
            "timestamp": _timestamp(now),
            "KinesisBatchInfo": {
                "shardId": shard,
                "startSequenceNumber": first["sequenceNumber"],
                "endSequenceNumber": last["sequenceNumber"],
                "approximateArrivalOfFirstRecord": _arrival(first),
                "approximateArrivalOfLastRecord": _arrival(last),
                "batchSize": len(records),
                "streamArn": self._mapping["EventSourceArn"],
            },
        }
        if self._arn.split(":")[2] == "s3":
            notice["payload"] = json.dumps({"Records": records})
            day = now.strftime("%Y/%m/%d/%Y-%m-%dT%H.%M.%S")
            key = f"aws/lambda/{self._mapping['UUID']}/{shard}/{day}-{uuid.uuid4()}"
            s3 = self._aws.client_as(self._role, "s3", "lambda")
            s3.put_object(Bucket=self._arn.split(":::")[1], Key=key, Body=json.dumps(notice).encode())
        else:
            self._targets.deliver(
                self._arn, json.dumps(notice), Sender("lambda", self._mapping["EventSourceMappingArn"], self._role)
            )


def _timestamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _arrival(record: dict[str, Any]) -> str:
    return _timestamp(datetime.fromtimestamp(record["approximateArrivalTimestamp"], UTC))
