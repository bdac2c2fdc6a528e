"""Reads events from a file and sends them to the API, again and again until it has taken each of them."""

from __future__ import annotations

import csv
import itertools
import json
import random
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from pydantic import ConfigDict, ValidationError, model_validator

from lambdas.shared import events
from personalize_rules.limits import MAX_ID
from reco.errors import RecoError
from reco.serving import message_of
from reco.target import Target

#: A call has at most this many events and, a little below the stream's limit, bytes.
MAX_EVENTS, MAX_BYTES = events.MAX_BATCH, 4_000_000
#: How often a call is made again before we give up: about two minutes.
ATTEMPTS = 12


class Event(events.Event):
    """An event as a file holds it. Without a session, a known user's events form one; an id of our own makes resending safe."""

    model_config = ConfigDict(extra="forbid", strict=False)

    @model_validator(mode="before")
    @classmethod
    def session_and_id(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        own = {"event_id": str(uuid.uuid4())}
        if given.get("user_id"):
            own["session_id"] = f"session-of-{given['user_id']}"[:MAX_ID]
        return own | {name: value for name, value in given.items() if value is not None}


def read_events(source: TextIO, name: str) -> Iterator[Event]:
    """Events from JSON lines or a CSV with a header row. Raises RecoError naming the line and the field."""
    lines = utf8_lines(source, name)
    first = next(lines, "")
    lines = itertools.chain([first], lines)
    if first.lstrip().startswith("{"):
        rows: Iterable[tuple[int, Any]] = ((n, parse_line(name, n, line)) for n, line in enumerate(lines, 1) if line.strip())
    else:
        rows = enumerate(map(of_cells, csv.DictReader(lines)), 2)
    for number, row in rows:
        try:
            yield Event.model_validate(row)
        except ValidationError as error:
            problem = error.errors()[0]
            field = ".".join(map(str, problem["loc"]))
            rule = "user_id or session_id is required" if field == "session_id" else f"{field}: {problem['msg']}"
            raise RecoError(f"{name}, line {number}, {rule}") from None


def utf8_lines(source: TextIO, name: str) -> Iterator[str]:
    """The lines of a text. Raises RecoError when it is not UTF-8."""
    try:
        yield from source
    except UnicodeDecodeError:
        raise RecoError(f"{name} is not UTF-8 text: save it as UTF-8.") from None


def parse_line(name: str, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise RecoError(f"{name}, line {number}: is not JSON: {error}") from None


def of_cells(row: dict[str, str]) -> dict[str, Any]:
    """A CSV row: empty cells are left out, an impression is `i1|i2`, as in the CSVs of Personalize."""
    event: dict[str, Any] = {name: value for name, value in row.items() if value}
    if "impression" in event:
        event["impression"] = event["impression"].split("|")
    return event


def send(target: Target, given: Iterable[Event], on_sent: Callable[[int], None] = lambda count: None) -> int:
    """Send events in the order given; returns how many the API took. Raises RecoError for what it will not take."""
    sent = 0
    for call in calls_of(event.model_dump_json(exclude_none=True) for event in given):
        post_all(target, call)
        sent += len(call)
        on_sent(sent)
    return sent


def calls_of(texts: Iterable[str]) -> Iterator[list[str]]:
    """The events of one call after the other."""
    call: list[str] = []
    size = 0
    for text in texts:
        if call and (len(call) == MAX_EVENTS or size + len(text) > MAX_BYTES):
            yield call
            call, size = [], 0
        call.append(text)
        size += len(text.encode())
    if call:
        yield call


def post_all(target: Target, call: Sequence[str]) -> None:
    """Post events, those that the API did not take again. Raises RecoError."""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(random.uniform(0.5, 1) * min(0.2 * 2**attempt, 20))  # noqa: S311
        status, answer = post(target, call)
        if status in (202, 207, 503):
            failed = answer.get("failed", range(len(call)))
            call = [call[index] for index in failed]
            if not call:
                return
        elif status not in (429, 500, 502, 504):
            raise RecoError(f"The API answered {status}: {message_of(json.dumps(answer).encode())}")
    raise RecoError(f"{len(call)} events were not taken in {ATTEMPTS} attempts: is the API overloaded?")


def post(target: Target, call: Sequence[str]) -> tuple[int, dict[str, Any]]:
    """One call: status and answer."""
    body = f'{{"events": [{",".join(call)}]}}'.encode()
    url = f"{target.api_url}/events"
    request = urllib.request.Request(url, body, target.headers("POST", url, body))  # noqa: S310  the API's own URL
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"{}")
    except (urllib.error.URLError, TimeoutError):
        return 503, {}


def open_events(path: Path) -> TextIO:
    """The file, or RecoError."""
    try:
        return path.open(encoding="utf-8", newline="")
    except OSError as error:
        raise RecoError(f"{path} can't be read: {error.strerror}.") from None
