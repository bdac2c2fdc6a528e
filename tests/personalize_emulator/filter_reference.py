"""A second evaluator of filters, for tests: slow, one item after the other, straight from the rules."""

from __future__ import annotations

import operator as op
import random
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from personalize_rules.filters import Condition, CurrentItem, Expression, Filter, Placeholder
from personalize_rules.schemas import Kind
from tests.personalize_emulator.shop_data import csv_file, event, open_store, put_events

GENRES = ["A", "B", "C", "A|B", "B|C", "", "a"]
TYPES = ["View", "view", "Purchase", "Cart"]
USERS = [f"u{number}" for number in range(12)]
IDS = [f"i{number}" for number in range(150)]
TARGETS: dict[str, tuple[Kind, list[str]]] = {"ItemID": ("ITEMS", IDS), "UserID": ("USERS", [*USERS, "unknown"])}
Row = dict[str, str | float | None]


COMPARISONS = {"=": op.eq, "<": op.lt, "<=": op.le, ">": op.gt, ">=": op.ge}
NUMBERS = ("PRICE", "STOCK", "AGE")


class World:
    """A shop in a store and, beside it, as plain rows."""

    def __init__(self, directory: Path) -> None:
        draw = random.Random(3)
        self.store = open_store(directory)
        self.items: dict[str, Row] = {}
        self.users: dict[str, Row] = {}
        self.events: list[tuple[str, str, int, str]] = []
        for number, item in enumerate(IDS[:130]):
            self.items[item] = {
                "ITEM_ID": item,
                "GENRES": draw.choice(GENRES) or None,
                "BRAND": draw.choice(["A", "A|B", None]),
                "PRICE": draw.choice([1.0, 2.5, 9.0, None]),
                "STOCK": float(number % 3),
            }
        for user in USERS[:9]:
            self.users[user] = {"AGE": draw.choice([10.0, 20.0, None]), "MEMBERSHIP": draw.choice(["gold", "gold|new", None])}
        for number in range(3000):
            user = USERS[0] if number % 3 == 0 else draw.choice(USERS[:10])
            self.events.append((user, draw.choice(IDS), number, draw.choice(TYPES)))
        self._fill(draw)

    def _fill(self, draw: random.Random) -> None:
        def cells(*values: Any) -> str:
            return ",".join("" if value is None else str(value) for value in values)

        items = [
            cells(i, r["GENRES"], r["BRAND"], r["PRICE"], int(r["STOCK"] or 0), None, None, 1) for i, r in self.items.items()
        ]
        users = [cells(u, r["AGE"] and int(r["AGE"]), r["MEMBERSHIP"]) for u, r in self.users.items()]
        events = [cells(u, i, t, e, None, None, None, None) for u, i, t, e in self.events]
        self.store.import_csv("ITEMS", [csv_file("ITEMS", items)], "FULL")
        self.store.import_csv("USERS", [csv_file("USERS", users)], "FULL")
        self.store.import_csv("INTERACTIONS", [csv_file("INTERACTIONS", events)], "FULL")
        for number in range(200):
            user, item, time, kind = draw.choice(USERS[:11]), draw.choice(IDS), number * 17, draw.choice(TYPES)
            self.events.append((user, item, time, kind))
            put_events(self.store, event(item, time, kind), user=user, session=f"s{number}")
        self.items["i149"] = {"ITEM_ID": "i149", "GENRES": "C|A", "BRAND": "A", "PRICE": None, "STOCK": 9.0}
        record = {"itemId": "i149", "properties": '{"genres": "C|A", "brand": "A", "stock": 9}'}
        self.store.put_entities("ITEMS", [record])

    @cache  # noqa: B019 - worlds are few
    def newest_first(self, user: str) -> list[tuple[str, str]]:
        """Item and event type, in lower case, of the events of a user."""
        ordered = sorted(self.events, key=lambda row: row[2], reverse=True)
        return [(item, name.lower()) for who, item, _, name in ordered if who == user]


class Reference:
    """The answer to one request. A value is a list of its parts: of none if it is null."""

    def __init__(self, world: World, f: Filter, values: dict[str, list[str]], user: str, current: str) -> None:
        self.world, self.filter, self.values = world, f, values
        self.user, self.current = user, current

    def allowed(self) -> list[bool]:
        parts = [expression for expression in self.filter.expressions if self.applies(expression)]
        includes = [part for part in parts if part.include]
        excludes = [part for part in parts if not part.include]
        return [
            (not includes or any(self.matches(part, identifier) for part in includes))
            and not any(self.matches(part, identifier) for part in excludes)
            for identifier in TARGETS[self.filter.target][1]
        ]

    def applies(self, expression: Expression) -> bool:
        attributes = self.world.users.get(self.user, {})
        return expression.placeholders <= self.values.keys() and all(
            self.passes(attributes, condition) for condition in expression.only_if
        )

    def matches(self, expression: Expression, identifier: str) -> bool:
        return any(all(self.holds(identifier, condition) for condition in group) for group in expression.any_of)

    def holds(self, identifier: str, condition: Condition) -> bool:
        if condition.kind != "INTERACTIONS":
            rows = self.world.users if self.filter.target == "UserID" else self.world.items
            return self.passes(rows.get(identifier, {}), condition)
        who, item = (identifier, None) if self.filter.target == "UserID" else (self.user, identifier)
        return self.had(who, item, self.wanted(condition)) != (condition.operator == "NOT IN")

    def passes(self, row: Row, condition: Condition) -> bool:
        parts, wanted = self.parts(row, condition.column), self.wanted(condition)
        if condition.operator in ("NOT IN", "!="):
            return not any(part in wanted for part in parts)
        if condition.operator == "IN":
            return any(part in wanted for part in parts)
        return any(COMPARISONS[condition.operator](part, other) for part in parts for other in wanted)

    def parts(self, row: Row, column: str) -> list[Any]:
        value = row.get(column)
        if value is None:
            return []
        return str(value).split("|") if column in ("GENRES", "MEMBERSHIP") else [value]

    def wanted(self, condition: Condition) -> Sequence[Any]:
        operand = condition.operand
        if isinstance(operand, CurrentItem):
            return self.parts(self.world.items.get(self.current, {}), operand.column)
        texts = self.values[operand.name] if isinstance(operand, Placeholder) else operand
        if isinstance(texts, float):
            return [texts]
        return [float(text) for text in texts] if condition.column in NUMBERS else texts

    def had(self, who: str, item: str | None, types: Sequence[str]) -> bool:
        """Whether a user had such an event among the newest hundred of its type."""
        wanted = [name.lower() for name in types]
        counts: dict[str, int] = defaultdict(int)
        for event_item, name in self.world.newest_first(who):
            counts[name] += 1
            seen = item is None or (item == event_item and counts[name] <= 100)
            if seen and ("*" in wanted or name in wanted):
                return True
        return False
