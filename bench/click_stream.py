"""A seeded stream of events as a shop has it: bursts of a few of a session, ids of every script, and some that are malformed."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

USERS, ITEMS = 400, 300
#: Shares of the events that are malformed, that have no item and are for the archive alone, and that hold unusual values.
MALFORMED, VISITS, HARMLESS = 0.01, 0.05, 0.05

#: What ids and texts begin with. The first is for those that are plain.
SCRIPTS = ("plain", "한국어 상품", "日本語", "عربي", "עברית", "ไทย", "हिन्दी", "Ελληνικά", "😀 #1", 'a/b "c"', "%41", "é\\n")

#: Ways in which an event is wrong and passes the API's envelope: wrong values, huge numbers, nested values, nulls, and half of a
#: surrogate pair where it is too deep for the envelope to see.
FLAWS: tuple[Callable[[dict[str, Any]], None], ...] = (
    lambda event: event.update(event_type="teleport"),
    lambda event: event.pop("item_id"),
    lambda event: event.update(timestamp=event["timestamp"] * 1000),
    lambda event: event.update(timestamp="yesterday"),
    lambda event: event.update(timestamp=event["timestamp"] + 10**8),
    lambda event: event.update(event_value="cheap"),
    lambda event: event.update(properties=["device", "mobile"]),
    lambda event: event.update(properties={"device": "m" * 2000}),
    lambda event: event.update(properties={"userId": "somebody else"}),
    lambda event: event.update(impression=[f"i{n}" for n in range(26)]),
    lambda event: event.update(recommendation_id="R" * 41),
    lambda event: event.update(colour="red"),
    lambda event: event.update(event_value=10**400),
    lambda event: event.update(timestamp=1e300),
    lambda event: event.update(timestamp=-(10**41)),
    lambda event: event.update(recommendation_id=10**41),
    lambda event: event.update(event_value=[[[[[[[[1]]]]]]]]),
    lambda event: event.update(item_id={"id": ["i1", {"variant": None}]}),
    lambda event: event.update(properties={"device": {"kind": ["mobile", {"of": []}]}}),
    lambda event: event.update(session_id=None),
    lambda event: event.update(event_type=None),
    lambda event: event.update(item_id=None),
    lambda event: event.update(impression=["i1", None]),
    lambda event: event.update(properties={"device": {"kind": ["\ud800"]}}),
)
#: What an event may hold as well, and what is the same as leaving it out.
_HARMLESS: tuple[dict[str, Any], ...] = (
    {"event_value": None, "impression": None, "recommendation_id": None},
    {"properties": None},
    {"properties": {"device": None}},
    {"event_value": 3.0e38},
    {"event_value": 10**37},
    {"event_value": 1e-200},
    {"properties": {"device": "기기 😀"}},
)


@dataclass(frozen=True)
class Sent:
    """An event, what should become of it, and when it was accepted, by a clock that only rises."""

    event: dict[str, Any]
    malformed: bool
    accepted_at: float = 0.0

    @property
    def id(self) -> str:
        return str(self.event["event_id"])

    @property
    def archive_only(self) -> bool:
        return not self.malformed and self.event["event_type"] == "visit"


def click_stream(count: int, client: int, seed: int = 1) -> Iterator[list[Sent]]:
    """Bursts of one client, `count` events in all; no two clients share a user, and times only rise."""

    def named(kind: str, number: int) -> str:
        script = SCRIPTS[number % len(SCRIPTS)]
        return f"{kind}{number}" if script == "plain" else f"{script} {kind}{number}"

    dice = random.Random(f"{seed}-{client}")
    start, made = time.time() - 80_000, 0
    while made < count:
        user = named(f"u{client}-", dice.randrange(USERS))
        session = f"s-{user}-{dice.randrange(3)}"
        burst = []
        for _ in range(min(dice.choice((1, 2, 3, 3, 4, 5)), count - made)):
            event: dict[str, Any] = {
                "event_id": str(uuid.UUID(int=dice.getrandbits(128))),
                "event_type": dice.choice(("view", "view", "view", "cart", "buy")),
                "user_id": user,
                "session_id": session,
                "item_id": named("i", dice.randrange(ITEMS)),
                "timestamp": int(start) + made,
                "properties": {"device": "mobile"},
            }
            if dice.random() < VISITS:
                event["event_type"] = "visit"
                del event["item_id"]
            malformed = "item_id" in event and dice.random() < MALFORMED / (1 - VISITS)
            if malformed:
                dice.choice(FLAWS)(event)
            elif dice.random() < HARMLESS:
                event |= dice.choice(_HARMLESS)
            burst.append(Sent(event, malformed))
            made += 1
        yield burst
