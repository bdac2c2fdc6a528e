"""A seeded archive of a shop, and the same rules as the jobs' in plain Python."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAYS = 45
ODD_USER = 'Zoë, "z"\\ küßt'
ODD_ITEM = 'a "big",red\\blue'
BROKEN_ITEM = "two\nlines"
MALFORMED = ['{"kind": "event", "received_at"', "[]", '{"kind": "user", "received_at": 1, "id": "x", "body": {}}', "", "ünï"]


@dataclass(frozen=True)
class Visit:
    """An event as the jobs should see it."""

    identity: str
    received_at: int
    time: float
    session: str
    user: str | None
    kind: str
    item: str | None
    body: dict[str, Any]

    @property
    def day(self) -> str:
        return datetime.fromtimestamp(self.time, UTC).date().isoformat()


def records(days: int = DAYS, sessions: int = 260) -> Iterator[dict[str, Any]]:
    """Records of sessions; many begin unknown, some stay so; events come late, twice, without a time of their own."""
    dice = random.Random(5)
    users = [f"u{number}" for number in range(40)] + [ODD_USER]
    items = [f"i{number}" for number in range(30)] + [ODD_ITEM]
    number = 0
    for session in range(sessions):
        user = dice.choice(users)
        known_from = dice.choices((0, 2, 99), (6, 3, 1))[0]
        start = NOW.timestamp() - dice.random() * days * 86_400
        for step in range(dice.randint(1, 7)):
            number += 1
            kind = dice.choices(("visit", "view", "cart", "buy"), (2, 6, 3, 2))[0]
            time = round(start + step * 60 + dice.random(), 1)
            body = {"event_type": kind, "session_id": f"s{session}", "timestamp": time}
            received = int(time * 1000) + dice.choice((50, 900, 86_400_000, -40_000_000)) + number % 7
            if kind != "visit":
                body |= {"item_id": dice.choice(items), "properties": {"device": dice.choice(["mobile", " desk\\top"]), "n": 1}}
            if kind == "buy":
                body["event_value"] = dice.choice((5, 19.5))
            if step >= known_from:
                body["user_id"] = user
            if dice.random() < 0.1:
                del body["timestamp"]
                received = int(time * 1000)
            elif dice.random() < 0.5:
                body["event_id"] = f"e{number}"
            yield {"kind": "event", "received_at": received, "id": f"r{number}", "body": body}
            if "event_id" in body and dice.random() < 0.3:
                yield {"kind": "event", "received_at": received + 5_000, "id": f"r{number}-again", "body": body}


def exposures(days: int = DAYS, sessions: int = 260) -> Iterator[dict[str, Any]]:
    """Records of who got a variant of an experiment: users, and sessions before they begin; each in the hour of an event."""
    dice, seen = random.Random(6), set[str]()
    for number, record in enumerate(records(days, sessions)):
        body = record["body"]
        user, session = body.get("user_id"), body["session_id"]
        if session in seen or dice.random() < 0.5:
            continue
        seen.add(session)
        who = {"user_id": user} if user else {"session_id": session}
        shown = {"experiment": "one", "variant": dice.choice("ab"), "placement": "home"} | who
        yield {"kind": "exposure", "received_at": record["received_at"] - 1000, "id": f"x{number}", "body": shown}


def unusable() -> Iterator[dict[str, Any]]:
    """Records that are no rows of the CSV."""
    at = int(NOW.timestamp() * 1000) - 5_000
    wrong: list[dict[str, Any]] = [
        {"event_type": "like", "session_id": "w", "user_id": "u1", "item_id": "i1"},
        {"event_type": "view", "session_id": "w", "user_id": "u1"},
        {"event_type": "view", "session_id": "w", "user_id": "u1", "item_id": "i1", "timestamp": float(at)},
        {"event_type": "view", "session_id": "w", "user_id": "u1", "item_id": "i1", "properties": {"price_paid": "much"}},
        {"event_type": "view", "session_id": "w", "user_id": "u1", "item_id": "i1", "event_value": "high"},
        {"event_type": "view", "session_id": "w", "user_id": "u1", "item_id": BROKEN_ITEM},
    ]
    for number, body in enumerate(wrong):
        yield {"kind": "event", "received_at": at, "id": f"w{number}", "body": body}


def write(folder: Path, days: int = DAYS, sessions: int = 260) -> None:
    """Write the archive by the day of arrival, with exposures and malformed lines in it."""
    by_day: dict[datetime, list[str]] = {}
    for record in [*records(days, sessions), *exposures(days, sessions), *unusable()]:
        received = datetime.fromtimestamp(record["received_at"] / 1000, UTC)
        by_day.setdefault(received.replace(hour=0, minute=0, second=0, microsecond=0), []).append(json.dumps(record))
    by_day[min(by_day)] += MALFORMED
    for day, lines in by_day.items():
        path = folder / f"year={day:%Y}" / f"month={day:%m}" / f"day={day:%d}" / "hour=00"
        path.mkdir(parents=True)
        (path / "shop-archive-1.gz").write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))


def visits(days: int = DAYS, sessions: int = 260) -> list[Visit]:
    """Each event once, as it was first received, anonymous ones under the user of their session."""
    first: dict[str, dict[str, Any]] = {}
    for record in sorted(records(days, sessions), key=lambda record: record["received_at"]):
        first.setdefault(record["body"].get("event_id", record["id"]), record)
    by_session: dict[str, list[tuple[float, str]]] = {}
    for identity, record in first.items():
        time = record["body"].get("timestamp", record["received_at"] / 1000)
        by_session.setdefault(record["body"]["session_id"], []).append((time, identity))
    found = []
    for session, entries in by_session.items():
        entries.sort()
        users = [first[identity]["body"].get("user_id") for _, identity in entries]
        for place, (time, identity) in enumerate(entries):
            known = [user for user in [*users[place:], *reversed(users[:place])] if user]
            body = first[identity]["body"]
            received = first[identity]["received_at"]
            user = known[0] if known else None
            found.append(Visit(identity, received, time, session, user, body["event_type"], body.get("item_id"), body))
    return found


def days_ago(days: int) -> float:
    return (NOW - timedelta(days=days)).timestamp()
