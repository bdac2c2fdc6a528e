"""Business rules: what each promises, and that all promises hold together for any catalogue."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.config.rules import Rule
from lambdas.serving.recommend.apply_rules import apply
from lambdas.serving.recommend.rule_terms import Call, Candidate

COLOURS = ("red", "green", "blue", "black")
BRANDS = ("ant", "bee", "cat")


def items(*attributes: dict[str, Any]) -> list[Candidate]:
    return [Candidate(f"i{n}", "for-you", attributes=found) for n, found in enumerate(attributes)]


def ids(rules: dict[str, Any], candidates: list[Candidate], wanted: int = 10, call: Call | None = None) -> list[str]:
    chosen, _ = apply({name: Rule.model_validate(rule) for name, rule in rules.items()}, candidates, wanted, call or Call())
    return [candidate.item_id for candidate in chosen]


@pytest.mark.parametrize(
    ("test", "kept"),
    [
        ({"attribute": "STOCK", "equals": 0}, ["i1", "i2", "i3"]),
        ({"attribute": "STOCK", "at_most": 4}, ["i2", "i3"]),
        ({"attribute": "STOCK", "above": 4}, ["i0", "i1", "i3"]),
        ({"attribute": "STOCK", "differs_from": 9}, ["i2", "i3"]),
        ({"attribute": "TAGS", "one_of": ["a", "z"]}, ["i1", "i2", "i3"]),
        ({"attribute": "TAGS", "differs_from": "b"}, ["i0", "i1", "i3"]),
        ({"attribute": "STOCK", "below": {"context": "LEAST"}}, ["i2", "i3"]),
        ({"attribute": "STOCK", "below": {"context": "UNKNOWN"}}, ["i0", "i1", "i2", "i3"]),
        ({"attribute": "TAGS", "above": 3}, ["i0", "i1", "i2", "i3"]),
    ],
)
def test_drop_compares_attributes_and_context(test: dict[str, Any], kept: list[str]) -> None:
    candidates = items({"STOCK": 0, "TAGS": ["a", "b"]}, {"STOCK": 4, "TAGS": ["b"]}, {"STOCK": 9, "TAGS": ["c"]}, {})
    assert ids({"rule": {"drop": test}}, candidates, call=Call(context={"LEAST": "5"})) == kept


def test_recent_items_are_dropped_for_a_while() -> None:
    call = Call(recent={"buy": {"i0": 86_400.0, "i1": 10 * 86_400.0}, "view": {"i2": 1.0}})
    rule = {"drop_recent": {"event_types": ["buy"], "within_days": 7}}
    assert ids({"bought": rule}, items({}, {}, {}), call=call) == ["i1", "i2"]


def test_a_rule_can_be_for_some_calls_only() -> None:
    rule = {"drop": {"attribute": "AGE", "above": 17}, "when": {"context": "GROUP", "equals": "kids"}}
    candidates = items({"AGE": 18}, {"AGE": 3})
    assert ids({"kids": rule}, candidates, call=Call(context={"GROUP": "kids"})) == ["i1"]
    assert ids({"kids": rule}, candidates) == ["i0", "i1"]


def test_order_rules() -> None:
    candidates = items(*({"PRICE": price, "SALE": price == 3} for price in (5, 9, 1, 3)))
    assert ids({"sale": {"boost": {"attribute": "SALE", "equals": True, "factor": 4}}}, candidates) == ["i3", "i0", "i1", "i2"]
    assert ids({"bury": {"boost": {"attribute": "PRICE", "equals": 5, "factor": 0.4}}}, candidates) == ["i1", "i0", "i2", "i3"]
    assert ids({"cheap": {"sort": {"by": "PRICE"}}}, candidates, wanted=3) == ["i2", "i0", "i1"]
    assert ids({"dear": {"sort": {"by": "PRICE", "order": "descending"}}}, candidates) == ["i1", "i0", "i3", "i2"]
    assert ids({"hero": {"pin": {"item": "i3", "position": 2}}}, candidates, wanted=3) == ["i0", "i3", "i1"]


def test_diversify_brings_other_values_up() -> None:
    candidates = items(*({"BRAND": brand} for brand in ("ant", "ant", "ant", "bee")))
    assert ids({"mix": {"diversify": {"by": ["BRAND"], "relevance": 0.5}}}, candidates) == ["i0", "i3", "i1", "i2"]
    assert ids({"mix": {"diversify": {"by": ["BRAND"], "relevance": 1}}}, candidates) == ["i0", "i1", "i2", "i3"]


def test_distance_spreads_out_and_takes_the_last_in_where_they_fit() -> None:
    candidates = items(*({"BRAND": brand} for brand in ("bee", "cat", "ant", "ant", "ant")))
    assert ids({"spread": {"distance": {"by": "BRAND", "at_least": 2}}}, candidates) == ["i4", "i0", "i3", "i1", "i2"]


def test_each_rule_says_what_it_did() -> None:
    rules = {
        "stock": {"drop": {"attribute": "STOCK", "equals": 0}},
        "two": {"cap": {"by": "BRAND", "at_most": 2}},
        "hero": {"pin": {"item": "i4", "position": 1}},
    }
    candidates = items({"STOCK": 0}, *({"BRAND": "ant"} for _ in range(3)), {"BRAND": "bee"})
    _, effects = apply({name: Rule.model_validate(rule) for name, rule in rules.items()}, candidates, 10, Call())
    assert [(e.rule, e.dropped, e.moved, e.added) for e in effects] == [
        ("stock", ["i0"], [], []),
        ("two", ["i3"], [], []),
        ("hero", [], [], ["i4"]),
    ]


ATTRIBUTES = st.fixed_dictionaries(
    {},
    optional={
        "COLOUR": st.lists(st.sampled_from(COLOURS), min_size=1, max_size=2, unique=True),
        "BRAND": st.sampled_from(BRANDS),
        "PRICE": st.integers(0, 9),
    },
)
BY = st.sampled_from(["COLOUR", "BRAND"])
RULES = st.fixed_dictionaries(
    {},
    optional={
        "drop": st.builds(lambda v: {"drop": {"attribute": "PRICE", "below": v}}, st.integers(0, 8)),
        "recent": st.just({"drop_recent": {"event_types": ["buy"]}}),
        "cap": st.builds(lambda by, n: {"cap": {"by": by, "at_most": n}}, BY, st.integers(1, 4)),
        "cap2": st.builds(lambda by, n: {"cap": {"by": by, "at_most": n}}, BY, st.integers(1, 4)),
        "distance": st.builds(lambda by, n: {"distance": {"by": by, "at_least": n}}, BY, st.integers(2, 4)),
        "pin": st.builds(lambda n, p: {"pin": {"item": f"i{n}", "position": p}}, st.integers(0, 15), st.integers(1, 6)),
        "boost": st.builds(lambda v, f: {"boost": {"attribute": "BRAND", "equals": v, "factor": f}}, st.sampled_from(BRANDS), st.floats(0.1, 9)),
        "diversify": st.builds(lambda by, r: {"diversify": {"by": [by], "relevance": r}}, BY, st.floats(0, 1)),
    },
)  # fmt: skip


def listed(attributes: Any, by: str) -> set[str]:
    found = attributes.get(by, [])
    return set(found) if isinstance(found, list) else {found}


def keeps_every_rule(rules: dict[str, Any], chosen: list[Candidate], recent: set[str], wanted: int) -> bool:
    """A second reading of the rules, on a finished list; `pinned` stands outside of distances."""
    if any(c.item_id in recent for c in chosen if "recent" in rules):
        return False
    if "drop" in rules and any(c.attributes.get("PRICE", 99) < rules["drop"]["drop"]["below"] for c in chosen):
        return False
    for name in ("cap", "cap2"):
        if name in rules:
            cap = rules[name]["cap"]
            if any(n > cap["at_most"] for n in Counter(v for c in chosen for v in listed(c.attributes, cap["by"])).values()):
                return False
    if "distance" in rules:
        pin = rules.get("pin", {}).get("pin", {"position": 99})
        pinned = pin["item"] if pin["position"] <= wanted else None
        line = [c for c in chosen if c.item_id != pinned]
        by, apart = rules["distance"]["distance"]["by"], rules["distance"]["distance"]["at_least"]
        for i, one in enumerate(line):
            if any(listed(one.attributes, by) & listed(other.attributes, by) for other in line[i + 1 : i + apart]):
                return False
    return True


@settings(max_examples=400, deadline=None)
@given(st.lists(ATTRIBUTES, max_size=16), RULES, st.sets(st.integers(0, 15)), st.integers(1, 12))
def test_the_list_keeps_every_rule_and_nothing_more_fits(
    attributes: list[dict[str, Any]], rules: dict[str, Any], recent: set[int], wanted: int
) -> None:
    candidates, bought = items(*attributes), {f"i{n}" for n in recent}
    parsed = {name: Rule.model_validate(rule) for name, rule in rules.items()}
    chosen, _ = apply(parsed, candidates, wanted, Call(recent={"buy": dict.fromkeys(bought, 1.0)}))
    assert len({c.item_id for c in chosen}) == len(chosen) <= wanted
    assert keeps_every_rule(rules, chosen, bought, wanted)
    if len(chosen) < wanted:
        for left in candidates:
            if left not in chosen:
                for gap in range(len(chosen) + 1):
                    assert not keeps_every_rule(rules, [*chosen[:gap], left, *chosen[gap:]], bought, wanted), (left, gap)
    eligible = [
        c
        for c in candidates
        if keeps_every_rule({k: v for k, v in rules.items() if k in ("drop", "recent")}, [c], bought, wanted)
    ]
    if not set(rules) & {"cap", "cap2", "distance"}:
        assert len(chosen) == min(wanted, len(eligible))
    pin = rules.get("pin", {}).get("pin")
    if pin and pin["position"] <= wanted and pin["item"] in {c.item_id for c in eligible}:
        assert [c.item_id for c in chosen][min(pin["position"], len(chosen)) - 1] == pin["item"]
    if not set(rules) & {"distance", "pin", "boost", "diversify"}:
        assert [c for c in candidates if c in chosen] == chosen
