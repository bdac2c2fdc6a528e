"""Follows one event, one item, one list and one dead letter through a deployment, and says where it is not as it is here.

What it leaves: one interaction of an anonymous session, and one item of that name which the catalogue does not hold, so that no
list can show it.
"""

from __future__ import annotations

import gzip
import json
import time
import urllib.parse
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.config import Config
from lambdas.config.recipes import RECIPES
from lambdas.stores import keys
from lambdas.stores.deployment import parameter_name
from personalize_rules.schemas import Schema
from reco.account.stacks import StackResources
from reco.deployment import redrive
from reco.errors import RecoError
from reco.target import Target

_T = TypeVar("_T")
#: What all that we make is called.
ITEM = "recostack-verify"
_UNKNOWN_TYPE = "recostack-verify-dead-letter"
#: Seconds that a step waits on AWS: functions have their metrics in the log within minutes; Firehose writes after five.
FUNCTION_SECONDS, ARCHIVE_SECONDS = 180.0, 900.0


@dataclass(frozen=True)
class Step:
    """One observation: what it is here, what it is there. Both are JSON."""

    check: str
    expected: Any
    found: Any
    seconds: float = 0.0

    @property
    def same(self) -> bool:
        return bool(self.expected == self.found)


class Journey:
    """`patience` divides the waits: the local AWS environment is as much faster."""

    def __init__(self, target: Target, config: Config, patience: float = 1.0) -> None:
        self._target = target
        self._config = config
        self._patience = patience
        self._stacks = StackResources(target)
        self._mark = f"{ITEM}-{uuid.uuid4().hex[:12]}"
        self._began = datetime.now(UTC)

    def steps(self) -> Iterator[Step]:
        """Each step in its order. One that AWS refuses is a step with what it said."""
        for check, step in (
            ("event accepted", self._event),
            ("item", self._item),
            ("list", self._list),
            ("dead letter", self._dead_letter),
            ("event archived", self._archived),
        ):
            began = time.monotonic()
            try:
                for name, expected, found in step():
                    yield Step(name, expected, found, round(time.monotonic() - began, 1))
            except (ClientError, BotoCoreError, RecoError, KeyError) as error:
                yield Step(check, "no error", _sentence(error), round(time.monotonic() - began, 1))

    def _event(self) -> Iterator[tuple[str, Any, Any]]:
        """An event of a kind that Personalize gets, to the API, and by the function to PutEvents."""
        kinds = [name for name, kind in self._config.event_types.items() if not kind.archive_only]
        event = {"event_id": self._mark, "event_type": kinds[0], "session_id": self._mark, "item_id": ITEM}
        status, answer, request_id = self._call("POST", "/events", {"events": [event]})
        yield "event accepted", [202, {"accepted": 1, "failed": []}], [status, answer]
        if status == 202:
            counts = self._counts("FunctionsPutEvents", request_id, ("EventsPut", "EventsDeadLettered", "PutEventsFailed"))
            yield "event put to Personalize", {"EventsPut": 1, "EventsDeadLettered": 0, "PutEventsFailed": 0}, counts

    def _item(self) -> Iterator[tuple[str, Any, Any]]:
        """An item, to the API, and by the function to PutItems and the catalogue, from which it is taken again."""
        items = self._config.datasets.items
        if items is None:
            return
        status, answer, request_id = self._call("PUT", f"/items/{ITEM}", _record(items.avro))
        yield "item accepted", [202, {"accepted": 1}], [status, answer]
        if status != 202:
            return
        counts = self._counts("FunctionsPutRecords", request_id, ("RecordsPut", "RecordsDeadLettered", "PutRecordsFailed"))
        yield "item put to Personalize", {"RecordsPut": 1, "RecordsDeadLettered": 0, "PutRecordsFailed": 0}, counts
        table = {"TableName": self._target.output("storage", "CatalogueTable"), "Key": keys.key(keys.CATALOGUE, ITEM)}
        dynamodb = self._target.client("dynamodb")
        there = self._until(lambda: "Item" in dynamodb.get_item(**table), FUNCTION_SECONDS)
        dynamodb.delete_item(**table)
        yield "item in the catalogue", True, bool(there)

    def _list(self) -> Iterator[tuple[str, Any, Any]]:
        """A list, as a user whom nobody knows gets it; before the first train run the API says that there is none."""
        name = next(iter(sorted(self._config.placements, key=self._needs_more)), None)
        if name is None:
            return
        of_item = self._about_items(name)
        query = urllib.parse.urlencode({"item_id": self._some_item()} if of_item else {"user_id": self._mark})
        status, answer, _ = self._call("GET", f"/recommendations/{urllib.parse.quote(name, safe='')}?{query}")
        published = self._published()
        yield "list", 503 if published is None else 200, status
        if published is not None and status == 200:
            found = [answer.get("placement"), bool(answer.get("items"))]
            yield "list has its place and items", [name, bool(published.get("campaigns"))], found

    def _dead_letter(self) -> Iterator[tuple[str, Any, Any]]:
        """An event of an unknown type, to the dead-letter queue with its reason. Ours are taken out again, others kept."""
        mark = f"{self._mark}-dead"
        event = {"event_id": mark, "event_type": _UNKNOWN_TYPE, "session_id": self._mark, "item_id": ITEM}
        status, _, _ = self._call("POST", "/events", {"events": [event]})
        yield "wrong event accepted", 202, status
        reasons: list[str] = []

        def found() -> bool:
            for message in list(redrive.dead_letters(self._target)):
                if self._mark.encode() in message.record:
                    message.remove()
                    reasons.extend([message.reason] * (mark.encode() in message.record))
                else:
                    message.keep()
            return bool(reasons)

        self._until(found, FUNCTION_SECONDS)
        yield "dead letter names the type", [True], [_UNKNOWN_TYPE in reason for reason in reasons]

    def _archived(self) -> Iterator[tuple[str, Any, Any]]:
        """Both events, in the archive."""
        bucket, s3, read = self._target.output("storage", "DataBucket"), self._target.client("s3"), set[str]()
        found: set[str] = set()

        def look() -> bool:
            for key, modified in self._archive_keys(s3, bucket):
                if key not in read and modified >= self._began - timedelta(minutes=1):
                    read.add(key)
                    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
                    text = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
                    found.update(mark for mark in (self._mark, f"{self._mark}-dead") if f'"{mark}"'.encode() in text)
            return len(found) == 2

        self._until(look, ARCHIVE_SECONDS)
        yield "both events in the archive", 2, len(found)

    def _archive_keys(self, s3: Any, bucket: str) -> Iterator[tuple[str, datetime]]:
        """What was written since we began, by the hours that the archive's folders are named after."""
        for hours in range(3):
            hour = f"{self._began + timedelta(hours=hours):events/year=%Y/month=%m/day=%d/hour=%H/}"
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=hour):
                yield from ((entry["Key"], entry["LastModified"]) for entry in page.get("Contents", []))

    def _counts(self, function: str, request_id: str, names: tuple[str, ...]) -> dict[str, int]:
        """What the function counted of our request, from the line in its log that names the request; {} if none came."""
        logs, group = self._target.client("logs"), f"/aws/lambda/{self._stacks.function('ingestion', function)}"
        since = int((self._began - timedelta(minutes=1)).timestamp() * 1000)

        def look() -> dict[str, int]:
            pages = logs.get_paginator("filter_log_events").paginate(
                logGroupName=group, startTime=since, filterPattern=f'"{request_id}"'
            )
            for event in (event for page in pages for event in page["events"]):
                line = _json(event["message"])
                if "_aws" in line and request_id in line.get("request_ids", []):
                    return {name: int(_first(line.get(name, 0))) for name in names}
            return {}

        return self._until(look, FUNCTION_SECONDS) or {}

    def _call(self, method: str, path: str, body: Any = None) -> tuple[int, Any, str]:
        """Status, JSON and request id of an answer. Raises RecoError where none came."""
        data = None if body is None else json.dumps(body).encode()
        try:
            answer = self._target.send(method, path, data)
        except OSError as error:
            raise RecoError(f"The API at {self._target.api_url} can't be reached: {error}") from None
        return answer.status, _json(answer.body), answer.request_id

    def _until(self, look: Callable[[], _T], seconds: float) -> _T:
        """What a look gives as soon as it gives anything, or else its last."""
        deadline = time.monotonic() + seconds / self._patience
        pause = min(2.0, 5 / self._patience)
        while not (found := look()) and time.monotonic() < deadline:
            time.sleep(pause)
        return found

    def _needs_more(self, placement: str) -> tuple[bool, bool]:
        """Placements that need nothing but a user come first."""
        named = self._config.placements[placement].filter
        return "$" in self._config.filters[named] if named else False, self._about_items(placement)

    def _about_items(self, placement: str) -> bool:
        return RECIPES[self._config.solutions[self._config.placements[placement].solution].recipe].type == "RELATED_ITEMS"

    def _some_item(self) -> str:
        table = self._target.output("storage", "CatalogueTable")
        found = self._target.client("dynamodb").scan(TableName=table, Limit=1)["Items"]
        return keys.partition_of(found[0], keys.CATALOGUE) if found else ITEM

    def _published(self) -> dict[str, Any] | None:
        """What the last train run published; None before the first."""
        ssm = self._target.client("ssm")
        try:
            value = ssm.get_parameter(Name=parameter_name(self._target.deployment))["Parameter"]["Value"]
        except ssm.exceptions.ParameterNotFound:
            return None
        return dict(json.loads(value))


def _record(schema: Schema) -> dict[str, Any]:
    """A record that the dataset takes: each required column with some value."""
    values: dict[str, Any] = {"string": ITEM, "int": 0, "long": 1_700_000_000, "float": 0.0, "double": 0.0, "boolean": False}
    columns = [column for column in schema.fields if column.name != "ITEM_ID"]
    required = [column for column in columns if not column.nullable]
    return {column.name: values[column.type] for column in required or columns[:1]}


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) else value


def _json(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return {}


def _sentence(error: Exception) -> str:
    if isinstance(error, ClientError):
        return f"{error.operation_name}: {error.response['Error']['Code']}"
    return f"{type(error).__name__}: {error}"
