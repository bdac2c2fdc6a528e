"""Masks of filters, against an evaluator that looks at one item after the other."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personalize_emulator.datasets import DatasetStore
from personalize_emulator.errors import InvalidInput
from personalize_emulator.filters import CompiledFilter
from personalize_rules.filters import checked_filter, parse_filter
from tests.personalize_emulator.filter_reference import IDS, TARGETS, USERS, Reference, World
from tests.personalize_emulator.shop_data import SCHEMAS, event, open_store


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


def compiled(store: DatasetStore, expression: str, ids: list[str] = IDS) -> CompiledFilter:
    parsed = checked_filter(expression, SCHEMAS)
    return CompiledFilter(parsed, ids, store.entities(TARGETS[parsed.target][0]), store)


NUMBERS = st.sampled_from(["1", "2.5", "9", "-3"])
ITEM_CONDITIONS = st.one_of(
    st.builds("Items.GENRES {} ({})".format, st.sampled_from(["IN", "NOT IN"]), st.sampled_from(['"A"', '"B", "C"', '"x"'])),
    st.builds("Items.BRAND {} ({})".format, st.sampled_from(["IN", "NOT IN"]), st.sampled_from(['"A"', '"B"', '"A|B", "C"'])),
    st.builds(
        "Items.{} {} {}".format, st.sampled_from(["PRICE", "STOCK"]), st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), NUMBERS
    ),
    st.builds("Items.STOCK {} ({})".format, st.sampled_from(["IN", "NOT IN"]), st.sampled_from(['"1", "2"', '"9.0"'])),
    st.builds("Items.PRICE {} CurrentItem.PRICE".format, st.sampled_from(["=", "!=", "<", "<=", ">", ">="])),
    st.builds("Items.GENRES {} CurrentItem.GENRES".format, st.sampled_from(["IN", "NOT IN"])),
    st.sampled_from(["Items.GENRES IN ($G)", "Items.PRICE >= $P", "Items.PRICE IN ($P)", 'Items.ITEM_ID IN ("i1", "i149")']),
)
USER_CONDITIONS = st.one_of(
    st.builds("Users.MEMBERSHIP {} ({})".format, st.sampled_from(["IN", "NOT IN"]), st.sampled_from(['"gold"', '"new", "x"'])),
    st.builds("Users.AGE {} {}".format, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), st.sampled_from(["10", "15", "$P"])),
)
EVENT_CONDITIONS = st.builds(
    "Interactions.EVENT_TYPE {}".format,
    st.sampled_from(['IN ("*")', 'NOT IN ("*")', 'IN ("VIEW")', 'IN ("cart", "Purchase")', 'NOT IN ("Cart")', "IN ($G)"]),
)
ONLY_IF = st.sampled_from(
    [
        "",
        " IF CurrentUser.AGE > 15",
        " IF CurrentUser.AGE != 10 AND CurrentUser.MEMBERSHIP IN ($G)",
        ' IF CurrentUser.MEMBERSHIP = "new"',
    ]
)


def expressions(
    target: str, *conditions: st.SearchStrategy[str], only_if: st.SearchStrategy[str] = ONLY_IF
) -> st.SearchStrategy[str]:
    def parts(of_one_dataset: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        tested = st.tuples(
            of_one_dataset, st.lists(st.tuples(st.sampled_from([" AND ", " OR "]), of_one_dataset), max_size=3)
        ).map(lambda drawn: drawn[0] + "".join(word + other for word, other in drawn[1]))
        return st.builds(f"{{}} {target} WHERE {{}}{{}}".format, st.sampled_from(["INCLUDE", "EXCLUDE"]), tested, only_if)

    return st.lists(st.one_of(*map(parts, conditions)), min_size=1, max_size=3).map(" | ".join)


VALUES = st.fixed_dictionaries(
    {}, optional={"G": st.sampled_from([["A"], ["B", "gold"], ["view"], ["*"]]), "P": st.sampled_from([["2.5"], ["9"]])}
)


@settings(deadline=None)
@given(
    expressions("ItemID", ITEM_CONDITIONS, EVENT_CONDITIONS) | expressions("UserID", USER_CONDITIONS, EVENT_CONDITIONS),
    VALUES,
    st.sampled_from([*USERS, "unknown"]),
    st.sampled_from([*IDS, "unknown"]),
)
def test_masks_are_what_the_rules_say(
    world: World, expression: str, values: dict[str, list[str]], user: str, current: str
) -> None:
    parsed = parse_filter(expression)
    given_values = {name: ",".join(f'"{v}"' for v in texts) for name, texts in values.items() if name in parsed.placeholders}
    used = {name: texts for name, texts in values.items() if name in given_values}
    missing = [part for part in parsed.expressions if part.include and not part.placeholders <= used.keys()]
    filter_ = compiled(world.store, expression, TARGETS[parsed.target][1])
    if missing:
        with pytest.raises(InvalidInput, match="a value is missing"):
            filter_.mask(given_values, user, current)
        return
    for _ in range(2):  # the second time from what was kept
        mask = filter_.mask(given_values, user, current)
        assert mask.tolist() == Reference(world, parsed, used, user, current).allowed()


@pytest.mark.parametrize(
    ("expression", "values", "message"),
    [
        ("INCLUDE ItemID WHERE Items.GENRES IN ($G)", {}, r"a value is missing for \$G"),
        ("INCLUDE ItemID WHERE Items.GENRES IN ($G)", {"g": '"A"'}, r"no placeholder \$g"),
        ("INCLUDE ItemID WHERE Items.GENRES IN ($G)", {"G": '"A"', "X": '"A"'}, r"no placeholder \$X"),
        ("INCLUDE ItemID WHERE Items.GENRES IN ($G)", {"G": "A"}, "strings in double quotes"),
        ("INCLUDE ItemID WHERE Items.GENRES IN ($G)", {"G": '"A" "B"'}, "separated by commas"),
        ("INCLUDE ItemID WHERE Items.GENRES IN ($G)", {"G": '"A",'}, "separated by commas"),
        ("INCLUDE ItemID WHERE Items.GENRES IN ($G)", {"G": ""}, "it is ''"),
        ("INCLUDE ItemID WHERE Items.PRICE < $P", {"P": '"cheap"'}, r"\$P must be a number"),
        ("INCLUDE ItemID WHERE Items.PRICE < $P", {"P": "1,2"}, "must have one value, it has 2"),
    ],
)
def test_values_that_do_not_fit_are_refused(world: World, expression: str, values: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        compiled(world.store, expression).mask(values, "u0", None)


def test_numbers_need_no_quotes(world: World) -> None:
    price = compiled(world.store, "INCLUDE ItemID WHERE Items.PRICE < $P")
    assert price.mask({"P": "2.5"}, None, None).tolist() == price.mask({"P": ' "2.5" '}, None, None).tolist()
    assert price.mask({"P": "2.5"}, None, None).any()


def test_who_and_what_a_filter_is_about_must_be_named(world: World) -> None:
    with pytest.raises(InvalidInput, match="userId is required"):
        compiled(world.store, 'EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("*")').mask({}, None, None)
    with pytest.raises(InvalidInput, match="itemId is required"):
        compiled(world.store, "INCLUDE ItemID WHERE Items.PRICE < CurrentItem.PRICE").mask({}, "u0", None)


def test_masks_may_be_changed_by_the_caller(world: World) -> None:
    for expression in ("INCLUDE ItemID WHERE Items.STOCK > 0", "EXCLUDE ItemID WHERE Items.STOCK > 0"):
        cheap = compiled(world.store, expression)
        first = cheap.mask({}, None, None)
        expected = first.tolist()
        first[:] = True
        assert cheap.mask({}, None, None).tolist() == expected


def test_a_filter_sees_an_event_at_once_or_after_the_lag(tmp_path: Path) -> None:
    now = 1000.0
    for lag, seen in ((0, True), (60, False)):
        store = open_store(tmp_path / str(lag), filter_lag=lag, clock=lambda: now)
        request = {"trackingId": "t", "sessionId": "s", "userId": "u", "eventList": [event("i1")]}
        store.put_events(request, now=now)
        exclude = compiled(store, 'EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("View")')
        assert exclude.mask({}, "u", None)[1] != seen
        assert store.history("u").item_ids == ["i1"]
    now += 60
    assert not exclude.mask({}, "u", None)[1]


def test_actions_are_filtered_by_action_interactions(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.put_entities("ACTIONS", [{"actionId": f"a{n}", "properties": f'{{"value": {n}}}'} for n in range(3)])
    for action, kind in (("a0", "Not Taken"), ("a1", "Taken")):
        record = {"actionId": action, "sessionId": "s", "userId": "u", "timestamp": 5, "eventType": kind}
        store.put_action_interactions({"trackingId": "t", "actionInteractions": [record]}, 0)
    for expression, allowed in (
        ('EXCLUDE ActionID WHERE Action_Interactions.EVENT_TYPE IN ("NOT_TAKEN")', [False, True, True]),
        ('INCLUDE ActionID WHERE Action_Interactions.EVENT_TYPE IN ("*")', [True, True, False]),
        ("INCLUDE ActionID WHERE Actions.VALUE > ($VALUE)", [False, False, True]),
    ):
        parsed = checked_filter(expression, SCHEMAS)
        actions = CompiledFilter(parsed, ["a0", "a1", "a2"], store.entities("ACTIONS"), store)
        values = {"VALUE": "1"} if parsed.placeholders else {}
        assert actions.mask(values, "u", None).tolist() == allowed
