"""Firehose: reads records from Kinesis, buffers them and writes them to S3.

docs: firehose/latest/dev/s3-object-name.html, firehose/latest/dev/s3-prefixes.html, firehose/latest/dev/cloudwatch-metrics.html
"""

from __future__ import annotations

import gzip
import logging
import random
import re
import string
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from moto.firehose.models import firehose_backends

from localaws.clients import Aws
from localaws.cloudwatch.meter import Meter
from localaws.persistence.journal import Journal
from localaws.persistence.streams import Positions
from localaws.poller import Poller
from localaws.triggers.shards import ShardReader, after, shards_of

_LOG = logging.getLogger(__name__)
_EXPRESSION = re.compile(r"!\{(timestamp|firehose):([^}]+)\}")
_DATE_LETTERS = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}


@dataclass
class _Buffer:
    """Records that wait, when the first of them came, and the number of the last by the shard that it is from."""

    records: list[bytes] = field(default_factory=list)
    since: float = 0.0
    read: dict[str, int] = field(default_factory=dict)

    def add(self, shard: str, last: int, records: list[bytes]) -> None:
        if records and not self.records:
            self.since = time.time()
        self.records += records
        self.read[shard] = last

    def is_due(self, size: int, seconds: float) -> bool:
        return bool(self.records) and (time.time() - self.since >= seconds or sum(map(len, self.records)) >= size)


class DeliveryStreams(Poller):
    """All delivery streams from Kinesis to S3. `speed` divides the buffering interval."""

    def __init__(self, aws: Aws, meter: Meter, journal: Journal, speed: float) -> None:
        super().__init__("delivery-streams", pause=0.3)
        self._aws = aws
        self._meter = meter
        self._positions = Positions(journal)
        self._speed = speed
        self._buffers: dict[str, _Buffer] = {}
        self._readers: dict[tuple[str, str], ShardReader] = {}
        self._described: dict[str, tuple[Any, str, dict[str, Any]]] = {}  # moto's stream, its version, its description

    def turn(self) -> None:
        streams = dict(firehose_backends[self._aws.account][self._aws.region].delivery_streams)
        for name, stream in streams.items():
            try:
                self._turn_of(name, self._description(name, stream))
            except Exception as error:
                _LOG.error("%s: %s", name, error)
        for name in self._described.keys() - streams.keys():
            del self._described[name]
            self._buffers.pop(name, None)
            self._positions.forget(name)

    def _description(self, name: str, stream: Any) -> dict[str, Any]:
        """The description of moto's stream, asked for anew when the stream was made or changed since."""
        of, version, description = self._described.get(name, (None, "", {}))
        if of is not stream or version != stream.version_id:
            answer = self._aws.client("firehose").describe_delivery_stream(DeliveryStreamName=name)
            description = answer["DeliveryStreamDescription"]
            self._described[name] = stream, stream.version_id, description
        return description

    def _turn_of(self, name: str, description: dict[str, Any]) -> None:
        target = description["Destinations"][0].get("ExtendedS3DestinationDescription")
        source = (description.get("Source") or {}).get("KinesisStreamSourceDescription")
        if not target or not source:
            return
        arn = source["KinesisStreamARN"]
        hints = target.get("BufferingHints") or {}
        bounds = (hints.get("SizeInMBs") or 5) * 2**20, hints.get("IntervalInSeconds", 300) / self._speed
        buffer = self._buffers.setdefault(name, _Buffer())
        if not buffer.is_due(*bounds):  # else an earlier delivery failed: more is read once that is done
            self._read(name, arn, source["RoleARN"], buffer)
        if buffer.records:
            age = time.time() - buffer.since
            self._meter.add("AWS/Firehose", "DeliveryToS3.DataFreshness", age, DeliveryStreamName=name)
        if buffer.is_due(*bounds):
            self._write(name, target, b"".join(buffer.records), buffer.since)
            for shard, number in buffer.read.items():
                self._positions.write(name, arn.rsplit("/", 1)[-1], shard, number)
            self._buffers[name] = _Buffer(read=buffer.read)

    def _read(self, name: str, arn: str, role: str, buffer: _Buffer) -> None:
        kinesis = self._aws.client_as(role, "kinesis", "firehose")
        for shard in shards_of(self._aws, arn):
            if name not in firehose_backends[self._aws.account][self._aws.region].delivery_streams:
                return  # its role may go with it
            reader = self._readers.get((name, shard))
            if reader is None or reader.outdated:
                done = self._positions.read(name, arn.rsplit("/", 1)[-1], shard) or 0
                reader = self._readers[name, shard] = ShardReader(self._aws, kinesis, arn, shard, after(done))
            records = reader.read(10_000)
            if records:
                buffer.add(shard, int(records[-1]["SequenceNumber"]), [record["Data"] for record in records])

    def _write(self, name: str, target: dict[str, Any], data: bytes, since: float) -> None:
        moment = datetime.fromtimestamp(since, UTC)
        compressed = target.get("CompressionFormat") == "GZIP"
        prefix, suffix = _filled(target.get("Prefix") or "", moment), ".gz" if compressed else ""
        key = f"{prefix}{name}-1-{moment:%Y-%m-%d-%H-%M-%S}-{uuid.uuid4()}{suffix}"
        body = gzip.compress(data) if compressed else data
        options = {"ContentEncoding": "gzip"} if compressed else {}
        s3, bucket = self._aws.client_as(target["RoleARN"], "s3", "firehose"), target["BucketARN"].split(":::")[1]
        s3.put_object(Bucket=bucket, Key=key, Body=body, **options)


def _filled(prefix: str, moment: datetime) -> str:
    """A prefix with its expressions evaluated. One without any gets the date appended."""
    if not _EXPRESSION.search(prefix):
        return f"{prefix}{moment:%Y/%m/%d/%H/}"

    def fill(match: re.Match[str]) -> str:
        if match[1] == "timestamp":
            pattern = re.sub("|".join(_DATE_LETTERS), lambda letters: _DATE_LETTERS[letters[0]], match[2].replace("'", ""))
            return moment.strftime(pattern)
        return "".join(random.choices(string.ascii_letters + string.digits, k=11))  # noqa: S311

    return _EXPRESSION.sub(fill, prefix)
