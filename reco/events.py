"""Reads events from a file and sends them to the event tracker."""

from __future__ import annotations

import csv
import itertools
import json
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lambdas.shared.deployment import Deployment, parameter_name
from reco.errors import RecoError
from reco.target import Target

#: PutEvents takes this many events at once (personalize/latest/dg/API_UBS_PutEvents.html).
CHUNK = 10


class Event(BaseModel):
    """An event as a file holds it; `timestamp` is in seconds since 1970, now when it is left out."""

    model_config = ConfigDict(extra="forbid")

    event_type: str = Field(min_length=1, max_length=256)
    item_id: str = Field(min_length=1, max_length=256)
    user_id: str | None = Field(None, min_length=1, max_length=256)
    session_id: str = Field("", max_length=256)
    event_id: str | None = Field(None, min_length=1, max_length=256)
    timestamp: float | None = None
    event_value: float | None = None
    recommendation_id: str | None = Field(None, min_length=1, max_length=40)

    @property
    def session(self) -> str:
        """Personalize asks for a session; without one, a known user's events form one."""
        return self.session_id or f"session-of-{self.user_id}"


def read_events(source: TextIO, name: str) -> Iterator[Event]:
    """Events from JSON lines or a CSV with a header row. Raises RecoError naming the line and the field."""
    first = source.readline()
    lines = itertools.chain([first], source)
    if first.lstrip().startswith("{"):
        rows: Iterable[tuple[int, Any]] = ((n, parse_line(name, n, line)) for n, line in enumerate(lines, 1) if line.strip())
    else:
        rows = enumerate(({k: v for k, v in row.items() if v} for row in csv.DictReader(lines)), 2)
    for number, row in rows:
        try:
            event = Event.model_validate(row)
        except ValidationError as error:
            problem = error.errors()[0]
            raise RecoError(f"{name}, line {number}, {'.'.join(map(str, problem['loc']))}: {problem['msg']}") from None
        if event.user_id is None and not event.session_id:
            raise RecoError(f"{name}, line {number}: user_id or session_id is required")
        yield event


def parse_line(name: str, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise RecoError(f"{name}, line {number}: is not JSON: {error}") from None


def send(target: Target, events: Iterable[Event], on_sent: Callable[[int], None] = lambda count: None) -> int:
    """Send events, those of one user and session together, in the order given. Returns how many were sent."""
    client, sent = target.client("personalize-events"), 0
    tracking_id = tracker(target)
    for (user_id, session), group in itertools.groupby(events, key=lambda event: (event.user_id, event.session)):
        while chunk := list(itertools.islice(group, CHUNK)):
            client.put_events(
                trackingId=tracking_id,
                sessionId=session,
                eventList=[as_personalize_wants(event) for event in chunk],
                **({"userId": user_id} if user_id else {}),
            )
            sent += len(chunk)
            on_sent(sent)
    return sent


def as_personalize_wants(event: Event) -> dict[str, Any]:
    fields = {
        "eventType": event.event_type,
        "itemId": event.item_id,
        "sentAt": event.timestamp if event.timestamp is not None else time.time(),
        "eventId": event.event_id,
        "eventValue": event.event_value,
        "recommendationId": event.recommendation_id,
    }
    return {name: value for name, value in fields.items() if value is not None}


def tracker(target: Target) -> str:
    """The tracking id of the deployment. Raises RecoError before the first train run."""
    ssm = target.client("ssm")
    try:
        value = ssm.get_parameter(Name=parameter_name(target.deployment))["Parameter"]["Value"]
    except ssm.exceptions.ParameterNotFound:
        raise RecoError("There is no event tracker yet: run `reco train --wait` first.") from None
    return Deployment.model_validate_json(value).tracking_id


def open_events(path: Path) -> TextIO:
    """The file, or RecoError."""
    try:
        return path.open(encoding="utf-8", newline="")
    except OSError as error:
        raise RecoError(f"{path} can't be read: {error.strerror}.") from None
