"""How many interactions a solution would learn from."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from personalize_rules.training import EventRules, Tally

BUYS = EventRules.of(event_type="Buy", threshold=3)
Row = tuple[str, str, str]


def cells(rows: list[Row]) -> dict[str, list[str]]:
    names = ("USER_ID", "EVENT_TYPE", "EVENT_VALUE")
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def tally(rules: EventRules, *parts: list[Row], all_users: bool = False) -> Tally:
    made = Tally(rules, all_users=all_users)
    for rows in parts:
        made.count(cells(rows))
    return made


def test_what_counts() -> None:
    """Of the type, case aside, with the value; each row once."""
    rows = [
        ("u1", "buy", "3"),
        ("u1", "buy", "3"),
        ("u1", "BUY", "4"),
        ("u2", "buy", "2.9"),
        ("u2", "view", "5"),
        ("u2", "buy", ""),
    ]
    counted = tally(BUYS, rows)
    assert (counted.interactions, counted.users, counted.proven) == (2, 1, False)
    every = tally(EventRules.of(), rows)
    assert (every.interactions, every.users) == (5, 2)
    weights = EventRules.of(events_config=[{"eventType": "view", "weight": 0.0}, {"eventType": "buy", "weight": 1.0}])
    assert tally(weights, rows).interactions == 4


def test_the_share_of_users() -> None:
    """One of 200 has two interactions: training wants two."""
    rows = [(f"u{n}", "buy", "5") for n in range(200)] + [("u0", "buy", "6")]
    assert tally(BUYS, rows, all_users=True).share_is_too_small
    assert not tally(BUYS, [*rows, ("u1", "buy", "7")], all_users=True).share_is_too_small
    assert not tally(BUYS, rows).share_is_too_small  # not all users were counted


def test_enough_is_enough() -> None:
    rows = [(f"u{n % 30}", "buy", str(n + 3)) for n in range(1000)]
    counted = tally(BUYS, rows)
    assert (counted.proven, counted.to_json()) == (True, {"proven": True})
    later = tally(BUYS, [])
    later.add(counted.to_json())
    assert later.proven
    assert not tally(BUYS, rows[:999]).proven
    assert not tally(BUYS, [("u1", "buy", str(n + 3)) for n in range(1000)]).proven


rows_of_users = st.lists(
    st.tuples(st.sampled_from(["u1", "u2", "u3"]), st.just("buy"), st.sampled_from(["3", "4", "5"])), max_size=12
)


@given(rows_of_users, rows_of_users)
def test_parts_count_as_the_whole(first: list[Row], second: list[Row]) -> None:
    """Also where the first part is known by what an earlier run has kept of it."""
    whole = tally(BUYS, first + second)
    kept = json.loads(json.dumps(tally(BUYS, first).to_json()))
    later = tally(BUYS, second)
    later.add(kept)
    for counted in (tally(BUYS, first, second), later):
        assert (counted.interactions, counted.users) == (whole.interactions, whole.users)
