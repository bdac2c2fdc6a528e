"""Sends events to the API, again and again until it has taken each of them."""

from __future__ import annotations

import json
import time
import urllib.error
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from lambdas.aws import backoff
from lambdas.config import events
from reco.deployment.serving import message_of
from reco.errors import RecoError
from reco.target import Target

#: A call has at most this many events and, a little below the stream's limit, bytes.
MAX_EVENTS, MAX_BYTES = events.MAX_BATCH, 4_000_000
#: How often a call is made again before we give up: about two minutes.
_ATTEMPTS = 12


def send(target: Target, given: Iterable[events.Event], on_sent: Callable[[int], None] = lambda count: None) -> int:
    """Send events in the order given; returns how many the API took. Raises RecoError for what it will not take."""
    sent = 0
    for call in _calls_of(event.model_dump_json(exclude_none=True) for event in given):
        _post_all(target, call)
        sent += len(call)
        on_sent(sent)
    return sent


def _calls_of(texts: Iterable[str]) -> Iterator[list[str]]:
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


def _post_all(target: Target, call: Sequence[str]) -> None:
    """Post events, those that the API did not take again. Raises RecoError."""
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(backoff.pause(attempt, 0.2, 20))
        status, answer = post(target, call)
        if status in (202, 207, 503):
            failed = answer.get("failed", range(len(call)))
            call = [call[index] for index in failed]
            if not call:
                return
        elif status not in (429, 500, 502, 504):
            raise RecoError(f"The API answered {status}: {message_of(json.dumps(answer).encode())}")
    raise RecoError(f"{len(call)} events were not taken in {_ATTEMPTS} attempts: is the API overloaded?")


def post(target: Target, call: Sequence[str]) -> tuple[int, dict[str, Any]]:
    """One call: status and answer."""
    body = f'{{"events": [{",".join(call)}]}}'.encode()
    try:
        answer = target.send("POST", "/events", body)
    except (urllib.error.URLError, TimeoutError):
        return 503, {}
    return answer.status, json.loads(answer.body or b"{}")
