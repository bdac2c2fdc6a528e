"""Puts the events of a batch: lanes side by side, the events of a lane one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter
from typing import Any

from lambdas.aws import clients
from lambdas.aws.retry import OutOfTime, Patience, Refused
from lambdas.ingestion.put_events.batch import Sendable
from personalize_rules.limits import EVENTS_PER_CALL

_pool = ThreadPoolExecutor(max_workers=clients.PARALLEL_PUTS)


@dataclass
class Sent:
    """What became of events: how many were put by how many calls, who was refused (position and reason), the first not done."""

    events: int = 0
    calls: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)
    first_undone: int | None = None

    def add(self, other: Sent) -> None:
        self.events += other.events
        self.calls += other.calls
        self.refused += other.refused
        places = [place for place in (self.first_undone, other.first_undone) if place is not None]
        self.first_undone = min(places, default=None)


def send(lanes: Mapping[str, list[Sendable]], tracking_id: str, patience: Patience) -> Sent:
    """Put all lanes. Raises what is neither a passing failure nor the fault of a record."""
    total = Sent()
    for sent in _pool.map(partial(_send_lane, tracking_id=tracking_id, patience=patience), lanes.values()):
        total.add(sent)
    return total


def _send_lane(lane: list[Sendable], tracking_id: str, patience: Patience) -> Sent:
    """Put the events of one partition key in the order of their time; the first that can't be put now ends the lane."""
    sent = Sent()
    chunks = list(chunks_of(sorted(lane, key=attrgetter("time"))))
    for number, chunk in enumerate(chunks):
        try:
            put(chunk, tracking_id, patience, sent)
        except OutOfTime:
            sent.first_undone = min(event.position for rest in chunks[number:] for event in rest)
            break
    return sent


def chunks_of(events: Sequence[Sendable]) -> Iterator[list[Sendable]]:
    """Runs of one user and session, of at most as many events as a call takes."""
    chunk: list[Sendable] = []
    for event in events:
        first = chunk[0] if chunk else event
        if len(chunk) == EVENTS_PER_CALL or (event.session_id, event.user_id) != (first.session_id, first.user_id):
            yield chunk
            chunk = []
        chunk.append(event)
    if chunk:
        yield chunk


def put(chunk: list[Sendable], tracking_id: str, patience: Patience, sent: Sent) -> None:
    """Put one chunk; when it is refused, each event by itself, so that one bad event takes no other along. Raises OutOfTime."""
    sent.calls += 1
    try:
        patience.call(clients.personalize_events().put_events, **call_of(chunk, tracking_id))
        sent.events += len(chunk)
    except Refused as error:
        if len(chunk) == 1:
            sent.refused.append((chunk[0].position, f"Personalize refused the event: {error}"))
            return
        for event in chunk:
            put([event], tracking_id, patience, sent)


def call_of(chunk: Sequence[Sendable], tracking_id: str) -> dict[str, Any]:
    """The parameters of PutEvents for events of one user and session."""
    first = chunk[0]
    call: dict[str, Any] = {
        "trackingId": tracking_id,
        "sessionId": first.session_id,
        "eventList": [event.event for event in chunk],
    }
    if first.user_id is not None:
        call["userId"] = first.user_id
    return call
