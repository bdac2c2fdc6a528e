"""Reads events from a file, and checks each by the rules of the service and of the config before any is sent."""

from __future__ import annotations

import codecs
import gzip
import io
import json
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO

from pydantic import ConfigDict, ValidationError, model_validator

from lambdas.config import Config, events
from lambdas.ingestion.put_events.batch import Unusable, check_event
from personalize_rules.csv import Unreadable, blocks, cells_of
from personalize_rules.events import EVENT
from personalize_rules.imports import delimiter_of
from personalize_rules.limits import MAX_ID
from personalize_rules.schemas import camel_case, normalized
from reco.errors import RecoError

#: A row of a file: where it stands, and its fields.
Row = tuple[str, Any]
_GZIP = b"\x1f\x8b"


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


def open_events(file: str, standard_input: IO[bytes]) -> BinaryIO:
    """The file, or all that standard input has (`-`), unzipped and without a mark of the byte order. Raises RecoError."""
    try:
        source: Any = _kept(standard_input) if file == "-" else Path(file).open("rb")  # noqa: SIM115 - the caller closes it
        if source.read(2) == _GZIP:
            source.seek(0)
            with gzip.GzipFile(fileobj=source) as zipped:
                source = _kept(zipped)
        source.seek(0)
        if source.read(3) != codecs.BOM_UTF8:
            source.seek(0)
    except (OSError, EOFError) as error:
        raise RecoError(f"{file} can't be read: {getattr(error, 'strerror', None) or error}.") from None
    return io.BufferedReader(source) if not isinstance(source, io.BufferedReader) else source


def _kept(source: Any) -> Any:
    """A stream that can be read again, in a file that goes with it."""
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    shutil.copyfileobj(source, copy)
    copy.seek(0)
    return copy


def read_events(source: BinaryIO, name: str, config: Config) -> Iterator[Event]:
    """Events from JSON lines, a JSON array, or a CSV with a header. Raises RecoError naming the line and the field."""
    start, received = source.tell(), time.time()
    first = source.read(4096).lstrip()[:1]
    source.seek(start)
    read: dict[bytes, Callable[[], Iterator[Row]]] = {
        b"{": lambda: _json_lines(source, name),
        b"[": lambda: _json_array(source, name),
    }
    found = False
    for place, row in read.get(first, lambda: _csv_rows(source, name, config))():
        found = True
        yield _event(place, row, config, received)
    if not found:
        raise RecoError(f"{name} has no event.")


def _event(place: str, row: Any, config: Config, received: float) -> Event:
    try:
        event = Event.model_validate(row)
        check_event(event, config.event_types, received)
    except ValidationError as error:
        problem = max(error.errors(), key=lambda problem: problem["loc"] != ("session_id",))  # which is made of the user's id
        field = ".".join(map(str, problem["loc"]))
        lacking = (field, problem["type"]) == ("session_id", "missing")
        rule = "user_id or session_id is required" if lacking else f"{field}: {problem['msg']}".removeprefix(": ")
        raise RecoError(f"{place}, {rule}") from None
    except Unusable as error:
        raise RecoError(f"{place}, {error}") from None
    return event


def _json_lines(source: BinaryIO, name: str) -> Iterator[Row]:
    for place, line in _lines(source, name):
        if line.strip():
            yield place, _parsed(place, line)


def _json_array(source: BinaryIO, name: str) -> Iterator[Row]:
    text = "\n".join(line for _, line in _lines(source, name))
    for number, event in enumerate(_parsed(name, text), 1):
        yield f"{name}, event {number}", event


def _parsed(place: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RecoError(f"{place}: is not JSON: {error}") from None


def _csv_rows(source: BinaryIO, name: str, config: Config) -> Iterator[Row]:
    header: list[tuple[str, ...]] | None = None
    for place, line in _lines(source, name):
        if not line:
            continue
        cells = _cells(place, line)
        if header is None:
            header = [_field(place, cell, line, config) for cell in cells]
        elif len(cells) != len(header):
            raise RecoError(f"{place}: has {len(cells)} cells, the header {len(header)}")
        else:
            yield place, _row(header, cells)


def _field(place: str, column: str, line: str, config: Config) -> tuple[str, ...]:
    """Where a column belongs in an event: a field, in the spelling of Personalize's CSVs too, or a property of the schema."""
    found = next((name for name in EVENT if normalized(name) == normalized(column.strip())), None)
    if found is not None:
        return (found,)
    schema = config.datasets.interactions.avro
    own = next((field.name for field in schema.fields if normalized(field.name) == normalized(column)), None)
    if own is not None:
        return ("properties", camel_case(own))
    if delimiter := delimiter_of(line):
        raise RecoError(f"{place}: the delimiter seems to be {delimiter}: cells must be separated by commas.")
    raise RecoError(
        f"{place}: '{column[:50]}' is no field of an event. The first line must name the fields: {', '.join(EVENT)}; or "
        "columns of the Interactions schema."
    )


def _row(header: list[tuple[str, ...]], cells: list[str]) -> dict[str, Any]:
    """Empty cells are left out, an impression is `i1|i2`, as in the CSVs of Personalize."""
    event: dict[str, Any] = {}
    for field, cell in zip(header, cells, strict=True):
        if not cell:
            continue
        if len(field) == 2:
            event.setdefault("properties", {})[field[1]] = cell
        elif field[0] == "properties":
            event.setdefault("properties", {}).update(_parsed("properties", cell))
        else:
            event[field[0]] = cell.split("|") if field[0] == "impression" else cell
    return event


def _cells(place: str, line: str) -> list[str]:
    try:
        return cells_of(line)
    except ValueError as error:
        raise RecoError(f"{place}: {error}") from None


def _lines(source: BinaryIO, name: str) -> Iterator[tuple[str, str]]:
    """Each line with its place. Raises RecoError."""
    try:
        for first, lines in blocks(source):
            for number, line in enumerate(lines, first):
                yield f"{name}, line {number}", line
    except Unreadable as error:
        raise RecoError(f"{name}, line {error.line}: {error}") from None
    except (OSError, EOFError) as error:
        raise RecoError(f"{name} can't be read: {error}.") from None
