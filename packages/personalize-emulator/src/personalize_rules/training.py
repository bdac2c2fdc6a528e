"""Which interactions a solution learns from, and how many it needs.

docs: personalize/latest/dg/event-values-types.html, optimizing-solution-events-config.html, limits.html
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from personalize_rules.limits import MIN_INTERACTIONS, MIN_SHARE_OF_USERS, MIN_USERS
from personalize_rules.values import event_type_key


@dataclass(frozen=True)
class EventRules:
    """Which events count and how much.

    by_type: key of the event type -> (weight, least value or None); empty: every type, with `threshold`.
    """

    by_type: Mapping[str, tuple[float, float | None]]
    threshold: float | None = None

    @classmethod
    def of(
        cls,
        *,
        event_type: str | None = None,
        threshold: float | None = None,
        events_config: Sequence[Mapping[str, Any]] = (),
        recipe_types: Iterable[str] = (),
    ) -> EventRules:
        """By a solution's eventType, eventValueThreshold and eventParametersList; `recipe_types`: a use case has its own."""
        if events_config:
            # Guess: with an eventsConfig its list alone decides, and eventType and eventValueThreshold do not count.
            mean = sum(_weight(entry) for entry in events_config) / len(events_config) or 1.0
            by_type = {
                event_type_key(str(entry["eventType"])): (_weight(entry) / mean, entry.get("eventValueThreshold"))
                for entry in events_config
            }
            return cls(by_type)
        types = (event_type,) if event_type else recipe_types
        return cls({event_type_key(name): (1.0, threshold) for name in types}, threshold)

    def rule(self, event_type: str | None) -> tuple[float, float | None]:
        """The weight of events of a type, and the least value that one must have."""
        if not self.by_type:
            return 1.0, self.threshold
        return self.by_type.get(event_type_key(event_type or ""), (0.0, None))

    def weight(self, event_type: str | None, value: float | None) -> float:
        """The weight of one event; 0 for an event that does not count."""
        weight, least = self.rule(event_type)
        return weight if least is None or (value is not None and value >= least) else 0.0

    def to_json(self) -> dict[str, Any]:
        return {"by_type": {name: list(rule) for name, rule in self.by_type.items()}, "threshold": self.threshold}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> EventRules:
        return cls({k: (v[0], v[1]) for k, v in document["by_type"].items()}, document["threshold"])


def _weight(entry: Mapping[str, Any]) -> float:
    return float(entry.get("weight", 1.0))


class Tally:
    """Counts interactions until training is known to be possible: MIN_INTERACTIONS distinct ones, MIN_USERS users with two.

    Memory stays small: what is proven is no longer counted. `all_users` goes on counting users, for their share with two.
    """

    #: Users with one interaction that `to_json` keeps.
    KEPT_USERS = 20_000

    def __init__(self, rules: EventRules, *, all_users: bool = False) -> None:
        self.rules = rules
        self._all_users = all_users
        self._before = False  # proven by what `add` got
        self._distinct: set[str] = set()
        self._first: dict[str, str] = {}  # of each user with one interaction so far, that interaction
        self._several: set[str] = set()

    @property
    def interactions(self) -> int:
        """Distinct ones; counted up to the minimum."""
        return len(self._distinct)

    @property
    def users(self) -> int:
        """Those with two different interactions; counted up to the minimum unless `all_users` are."""
        return len(self._several)

    @property
    def proven(self) -> bool:
        return self._before or (self.interactions >= MIN_INTERACTIONS and self.users >= MIN_USERS)

    @property
    def share_is_too_small(self) -> bool:
        """Whether fewer users have two interactions than MIN_SHARE_OF_USERS; known where all users are counted."""
        return self._all_users and self.users < MIN_SHARE_OF_USERS * (self.users + len(self._first))

    def count(self, cells: Mapping[str, Sequence[str]]) -> None:
        """Count rows, given by the cells of each column of the schema."""
        if self.proven and not self._all_users:
            return
        users, types, values = cells["USER_ID"], cells.get("EVENT_TYPE"), cells.get("EVENT_VALUE")
        for place, row in enumerate(zip(*cells.values(), strict=True)):
            if self.rules.weight(types[place] if types else None, _number(values[place] if values else "")) > 0:
                self._add(_digest(users[place]), _digest("\x1f".join(row)))

    def to_json(self) -> dict[str, Any]:
        """What `add` takes."""
        if self.proven:
            return {"proven": True}
        first = dict(list(self._first.items())[: self.KEPT_USERS])
        return {"proven": False, "distinct": sorted(self._distinct), "several": sorted(self._several), "first": first}

    def add(self, counted: Mapping[str, Any]) -> None:
        """Add what was counted under the same rules of data that came before."""
        if counted["proven"]:
            self._before = True
            return
        self._distinct |= set(counted["distinct"])
        self._several |= set(counted["several"])
        for user, row in counted["first"].items():
            self._add(user, row)

    def _add(self, user: str, row: str) -> None:
        if len(self._distinct) < MIN_INTERACTIONS:
            self._distinct.add(row)
        wanted = self._all_users or len(self._several) < MIN_USERS
        if wanted and user not in self._several and self._first.setdefault(user, row) != row:
            self._several.add(user)
            del self._first[user]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
