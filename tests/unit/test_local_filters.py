"""Local filters, against the emulator's own evaluation: random filters over a random shop."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from lambdas.config.local_filters import Facts, parse_filter
from personalize_rules.limits import EVENTS_SEEN_BY_FILTERS
from tests.personalize_emulator.filter_reference import IDS, USERS, World
from tests.personalize_emulator.test_filters_masks import EVENT_CONDITIONS, ITEM_CONDITIONS, VALUES, compiled, expressions


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


def catalogue(world: World) -> dict[str, dict[str, Any]]:
    """The items as the catalogue table has them: absent values are left out, categories are a list."""
    items = {}
    for item_id, row in world.items.items():
        known = {name: value for name, value in row.items() if value is not None}
        items[item_id] = known | {"GENRES": str(known["GENRES"]).split("|")} if "GENRES" in known else known
    return items


@settings(deadline=None, max_examples=60)
@given(
    expressions("ItemID", ITEM_CONDITIONS, EVENT_CONDITIONS, only_if=st.just("")),
    VALUES,
    st.sampled_from(USERS[1:]),
    st.sampled_from(IDS[:130]),
)
@example("INCLUDE ItemID WHERE Items.PRICE != CurrentItem.PRICE", {}, "u1", "i1")  # which has no price
def test_a_twin_keeps_what_personalize_keeps(
    world: World, expression: str, values: dict[str, list[str]], user: str, current: str
) -> None:
    asked = compiled(world.store, expression).filter
    given_values = {name: texts for name, texts in values.items() if name in asked.placeholders}
    assume(all(part.placeholders <= given_values.keys() for part in asked.expressions if part.include))
    recent: dict[str, list[str]] = defaultdict(list)
    for who, item_id, _, event_type in world.events:
        if who == user:
            recent[event_type.lower()].append(item_id)
    assume(
        all(len(item_ids) <= EVENTS_SEEN_BY_FILTERS["INTERACTIONS"] for item_ids in recent.values())
    )  # local filters know more than Personalize
    items, local = catalogue(world), parse_filter(expression)
    facts = Facts(given_values, items[current], recent)
    quoted = {name: ",".join(f'"{text}"' for text in texts) for name, texts in given_values.items()}
    allowed = compiled(world.store, expression).mask(quoted, user, current).tolist()
    kept = [local.keeps(item_id, items.get(item_id, {}), facts) for item_id in IDS]
    assert kept == allowed, (
        expression,
        given_values,
        user,
        current,
        [item_id for item_id, one, other in zip(IDS, kept, allowed, strict=True) if one != other],
    )
