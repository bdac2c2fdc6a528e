"""Firehose: buffers records (put directly, or read from Kinesis) and writes them to S3.

docs: firehose/latest/dev/s3-object-name.html, firehose/latest/dev/s3-prefixes.html, firehose/latest/dev/data-transformation.html,
firehose/latest/dev/cloudwatch-metrics.html
"""

from __future__ import annotations

import base64
import gzip
import json
import logging
import random
import re
import string
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from moto.firehose.models import firehose_backends

from localaws.clients import Aws
from localaws.cloudwatch.meter import Meter
from localaws.moto.lambda_functions import LambdaService
from localaws.patching import replace
from localaws.persistence.journal import Journal
from localaws.persistence.streams import DirectPuts, Positions
from localaws.poller import Poller
from localaws.triggers.streams import ShardReader, after, shards_of

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
    """All delivery streams with an S3 destination. `speed` divides the buffering interval."""

    def __init__(self, aws: Aws, functions: LambdaService, meter: Meter, journal: Journal, speed: float) -> None:
        super().__init__("delivery-streams", pause=0.3)
        self._aws = aws
        self._functions = functions
        self._meter = meter
        self._positions = Positions(journal)
        self._direct = DirectPuts(journal)
        self._speed = speed
        self._buffers: dict[str, _Buffer] = {}
        self._readers: dict[tuple[str, str], ShardReader] = {}
        self._described: dict[str, tuple[Any, str, dict[str, Any]]] = {}  # moto's stream, its version, its description

    def install(self) -> None:
        """Puts this buffer in the place of moto's, which writes each put as an object of its own."""
        replace("moto.firehose.models:FirehoseBackend.put_s3_records", lambda _, *arguments: self._put_records(*arguments))

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

    def _put_records(self, name: str, version_id: str, destination: Any, records: list[dict[str, bytes]]) -> Any:
        self._direct.put(name, [record["Data"] for record in records])
        return [{"RecordId": str(uuid.uuid4())} for _ in records]

    def _turn_of(self, name: str, description: dict[str, Any]) -> None:
        destination = description["Destinations"][0]
        target = destination.get("ExtendedS3DestinationDescription") or destination.get("S3DestinationDescription")
        if not target:
            return
        source = (description.get("Source") or {}).get("KinesisStreamSourceDescription")
        arn = source["KinesisStreamARN"] if source else ""
        hints = target.get("BufferingHints") or {}
        bounds = (hints.get("SizeInMBs") or 5) * 2**20, hints.get("IntervalInSeconds", 300) / self._speed
        buffer = self._buffers.setdefault(name, _Buffer())
        if buffer.is_due(*bounds):
            pass  # an earlier delivery failed: more is read once that is done
        elif arn:
            self._read(name, arn, buffer)
        else:
            self._read_direct(name, buffer)
        if buffer.records:
            age = time.time() - buffer.since
            self._meter.add("AWS/Firehose", "DeliveryToS3.DataFreshness", age, DeliveryStreamName=name)
        if buffer.is_due(*bounds):
            self._deliver(name, target, buffer.records, buffer.since)
            for shard, number in buffer.read.items():
                if arn:
                    self._positions.write(name, arn.rsplit("/", 1)[-1], shard, number)
                else:
                    self._direct.delivered(name, number)
            self._buffers[name] = _Buffer(read=buffer.read)

    def _read(self, name: str, arn: str, buffer: _Buffer) -> None:
        for shard in shards_of(self._aws, arn):
            reader = self._readers.get((name, shard))
            if reader is None or reader.outdated:
                done = self._positions.read(name, arn.rsplit("/", 1)[-1], shard) or 0
                reader = self._readers[name, shard] = ShardReader(self._aws, arn, shard, after(done))
            records = reader.read(10_000)
            if records:
                buffer.add(shard, int(records[-1]["SequenceNumber"]), [record["Data"] for record in records])

    def _read_direct(self, name: str, buffer: _Buffer) -> None:
        records = self._direct.after(name, buffer.read.get("", 0))
        if records:
            buffer.add("", records[-1][0], [data for _, data in records])

    def _deliver(self, name: str, target: dict[str, Any], records: list[bytes], since: float) -> None:
        processing = target.get("ProcessingConfiguration") or {}
        processors = processing.get("Processors") or [] if processing.get("Enabled") else []
        failed: list[dict[str, Any]] = []
        for processor in processors:
            if processor["Type"] == "Lambda":
                records, failed = self._transform(name, _parameters(processor)["LambdaArn"], records)
            elif processor["Type"] == "AppendDelimiterToRecord":
                delimiter = _parameters(processor).get("Delimiter", "\\n").encode().decode("unicode_escape").encode()
                records = [record + delimiter for record in records]
        if records:
            self._write(name, target, b"".join(records), since, target.get("Prefix") or "", "")
        if failed:
            lines = "".join(f"{json.dumps(entry)}\n" for entry in failed).encode()
            self._write(name, target, lines, since, target.get("ErrorOutputPrefix") or "", "processing-failed")

    def _transform(self, name: str, function: str, records: list[bytes]) -> tuple[list[bytes], list[dict[str, Any]]]:
        """The function's records; and those that it could not process, as Firehose writes them to the error prefix."""
        now = int(time.time() * 1000)
        event: dict[str, Any] = {
            "invocationId": str(uuid.uuid4()),
            "deliveryStreamArn": f"arn:aws:firehose:{self._aws.region}:{self._aws.account}:deliverystream/{name}",
            "region": self._aws.region,
            "records": [
                {"recordId": str(number), "approximateArrivalTimestamp": now, "data": base64.b64encode(record).decode()}
                for number, record in enumerate(records)
            ],
        }
        answers = self._answers(function, event)
        kept: list[bytes] = []
        failed: list[dict[str, Any]] = []
        for sent in event["records"]:
            result, data = answers.get(sent["recordId"], ("ProcessingFailed", b""))
            if result == "Ok":
                kept.append(data)
            elif result != "Dropped":
                failed.append(_failure(sent, function, now))
        return kept, failed

    def _answers(self, function: str, event: dict[str, Any]) -> dict[str, tuple[str, bytes]]:
        """Result and data by record; empty if the function fails or answers anything else."""
        outcome = self._functions.call(function, json.dumps(event).encode())
        if outcome.result.error:
            return {}
        try:
            answers = json.loads(outcome.result.payload)["records"]
            return {one["recordId"]: (one["result"], base64.b64decode(one.get("data") or "")) for one in answers}
        except (KeyError, TypeError, ValueError) as error:
            _LOG.error("%s does not answer as a transformation: %r", function, error)
            return {}

    def _write(self, name: str, target: dict[str, Any], data: bytes, since: float, prefix: str, error_type: str) -> None:
        zone = ZoneInfo(target.get("CustomTimeZone") or "UTC")
        moment = datetime.fromtimestamp(since, UTC).astimezone(zone)
        compressed = target.get("CompressionFormat") == "GZIP"
        suffix = target.get("FileExtension") or (".gz" if compressed else "")
        key = f"{_filled(prefix, moment, error_type)}{name}-1-{moment:%Y-%m-%d-%H-%M-%S}-{uuid.uuid4()}{suffix}"
        body = gzip.compress(data) if compressed else data
        options = {"ContentEncoding": "gzip"} if compressed else {}
        self._aws.client("s3").put_object(Bucket=target["BucketARN"].split(":::")[1], Key=key, Body=body, **options)


def _filled(prefix: str, moment: datetime, error_type: str) -> str:
    """A prefix with its expressions evaluated. One without any gets the date appended."""
    if not _EXPRESSION.search(prefix):
        return f"{prefix}{error_type}{'/' if error_type else ''}{moment:%Y/%m/%d/%H/}"

    def fill(match: re.Match[str]) -> str:
        if match[1] == "timestamp":
            pattern = re.sub("|".join(_DATE_LETTERS), lambda letters: _DATE_LETTERS[letters[0]], match[2].replace("'", ""))
            return moment.strftime(pattern)
        if match[2] == "error-output-type":
            return error_type
        return "".join(random.choices(string.ascii_letters + string.digits, k=11))  # noqa: S311

    return _EXPRESSION.sub(fill, prefix)


def _parameters(processor: dict[str, Any]) -> dict[str, str]:
    return {entry["ParameterName"]: entry["ParameterValue"] for entry in processor.get("Parameters") or []}


def _failure(record: dict[str, Any], function: str, now: int) -> dict[str, Any]:
    return {
        "attemptsMade": 1,
        "arrivalTimestamp": record["approximateArrivalTimestamp"],
        "errorCode": "Lambda.FunctionError",
        "errorMessage": "The transformation function did not process the record.",
        "attemptEndingTimestamp": now,
        "rawData": record["data"],
        "lambdaArn": function,
    }
