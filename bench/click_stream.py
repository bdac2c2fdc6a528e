"""A seeded stream of events as a shop has it: bursts of a few events of a session, and some that are malformed in twelve ways."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

USERS, ITEMS = 400, 300
#: Shares of the events that are malformed, and that have no item and are for the archive alone.
MALFORMED, VISITS = 0.01, 0.05

#: Twelve ways in which an event is wrong and passes the API's envelope.
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
)


@dataclass(frozen=True)
class Sent:
    """An event, and what should become of it."""

    event: dict[str, Any]
    malformed: bool

    @property
    def id(self) -> str:
        return str(self.event["event_id"])

    @property
    def archive_only(self) -> bool:
        return not self.malformed and self.event["event_type"] == "visit"


def click_stream(count: int, client: int, seed: int = 1) -> Iterator[list[Sent]]:
    """Bursts of one client, `count` events in all; no two clients share a user, and times only rise."""
    dice = random.Random(f"{seed}-{client}")
    start, made = time.time() - 80_000, 0
    while made < count:
        user = f"u{client}-{dice.randrange(USERS)}"
        session = f"s-{user}-{dice.randrange(3)}"
        burst = []
        for _ in range(min(dice.choice((1, 2, 3, 3, 4, 5)), count - made)):
            event: dict[str, Any] = {
                "event_id": str(uuid.UUID(int=dice.getrandbits(128))),
                "event_type": dice.choice(("view", "view", "view", "cart", "buy")),
                "user_id": user,
                "session_id": session,
                "item_id": f"i{dice.randrange(ITEMS)}",
                "timestamp": int(start) + made,
                "properties": {"device": "mobile"},
            }
            if dice.random() < VISITS:
                event["event_type"] = "visit"
                del event["item_id"]
            malformed = "item_id" in event and dice.random() < MALFORMED / (1 - VISITS)
            if malformed:
                dice.choice(FLAWS)(event)
            burst.append(Sent(event, malformed))
            made += 1
        yield burst
