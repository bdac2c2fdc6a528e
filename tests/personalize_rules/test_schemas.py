"""The schema rules of the developer guide, one broken at a time."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personalize_rules.schema_updates import check_schema_update
from personalize_rules.schemas import InvalidSchema, parse_schema
from tests.personalize_emulator.shop_data import INTERACTIONS, ITEMS, USERS, avro, field

KEYS = (field("USER_ID"), field("ITEM_ID"), field("TIMESTAMP", "long"))
ITEM = (field("ITEM_ID"), field("GENRES", ["null", "string"], categorical=True))


def test_a_schema_gives_its_fields_and_finds_them_by_camel_case() -> None:
    schema = parse_schema(avro("Interactions", *INTERACTIONS))
    ratings = schema.field("numRatings")
    assert ratings is not None
    assert (schema.kind, ratings.name, ratings.type, ratings.nullable) == ("INTERACTIONS", "NUM_RATINGS", "int", True)
    assert schema.field("NUMRATINGS") == ratings
    assert schema.field("number") is None


@pytest.mark.parametrize("union", [["null", "string"], ["string", "null"], ["string"], "string"])
def test_a_union_with_null_may_have_either_order(union: Any) -> None:
    assert parse_schema(avro("Items", ITEM[0], field("GENRES", union, categorical=True))).kind == "ITEMS"


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ("{", "not valid JSON"),
        ("[]", "Avro record"),
        (json.dumps({"type": "record", "name": "Interactions"}), "fields"),
        (avro("Ratings", *KEYS), "must match the dataset type"),
        (avro("Interactions", *KEYS[:2]), r"missing the required fields: \[TIMESTAMP\]"),
        (avro("Interactions", *KEYS[:2], field("TIMESTAMP")), "TIMESTAMP must be of type long"),
        (avro("Interactions", field("USER_ID", ["string", "null"]), *KEYS[1:]), "USER_ID cannot be null"),
        (avro("Interactions", *KEYS, field("EVENT_TYPE", categorical=True)), "EVENT_TYPE .* categorical"),
        (avro("Interactions", *KEYS, field("EVENT_VALUE", "string")), "EVENT_VALUE must be of type float"),
        (avro("Interactions", *KEYS, *(field(f"C{i}", "int") for i in range(6))), "6 metadata fields"),
        (avro("Items", field("ITEM_ID")), "at least one metadata field"),
        (avro("Items", *ITEM, *(field(f"C{i}", "int") for i in range(100))), "at most 100"),
        (avro("Items", *ITEM, field("A", textual=True), field("B", textual=True)), "only one field can be textual"),
        (avro("Users", field("USER_ID"), field("BIO", textual=True)), "only an Items schema"),
        (avro("Items", *ITEM, field("A_B", "int"), field("AB", "int")), "A_B and AB collide"),
        (avro("Items", *ITEM, field("A-B", "int")), "letters, digits and underscores"),
        (avro("Items", *ITEM, field("A", {"type": "array", "items": "string"})), "Arrays, maps"),
        (avro("Items", *ITEM, field("A", ["int", "string"])), "not supported"),
        (avro("Items", *ITEM, field("A", "null")), "not supported"),
        (avro("Items", *ITEM, field("A", "int", categorical=True)), "only a string field"),
        (avro("Items", *ITEM, field("A", categorical=True, textual=True)), "both categorical and textual"),
        (avro("ActionInteractions", *KEYS), r"\[ACTION_ID, EVENT_TYPE\]"),
        (avro("Items", *ITEM, field("A" * 20_000, "int")), "20000"),
    ],
)
def test_a_broken_rule_is_named(schema: str, message: str) -> None:
    with pytest.raises(InvalidSchema, match=message):
        parse_schema(schema)


@pytest.mark.parametrize(
    ("domain", "schema", "missing"),
    [
        ("ECOMMERCE", avro("Interactions", *KEYS), "EVENT_TYPE"),
        ("ECOMMERCE", avro("Items", *ITEM), "PRICE, CATEGORY_L1"),
        ("VIDEO_ON_DEMAND", avro("Items", *ITEM), "CREATION_TIMESTAMP"),
    ],
)
def test_domains_require_more(domain: str, schema: str, missing: str) -> None:
    assert parse_schema(schema).domain is None
    with pytest.raises(InvalidSchema, match=missing):
        parse_schema(schema, domain)


@settings(deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=8), lambda c: st.lists(c, max_size=3)))
def test_any_field_gives_a_schema_or_an_error(value: Any) -> None:
    for entry in (value, {"name": value, "type": "int"}, {"name": "A", "type": value}, field("A", categorical=value)):
        text = json.dumps({"type": "record", "name": "Items", "fields": [*ITEM, entry]})
        with suppress(InvalidSchema):
            assert parse_schema(text).field("GENRES") is not None


def test_an_update_keeps_all_fields_and_adds_nullable_ones() -> None:
    old = parse_schema(avro("Items", *ITEMS))
    check_schema_update(old, parse_schema(avro("Items", *ITEMS, field("COLOUR", ["null", "string"]))))
    for fields, message in [
        (ITEMS[:-1], "CREATION_TIMESTAMP must be kept"),
        ((*ITEMS, field("COLOUR")), "COLOUR must allow null"),
        ((*ITEMS[:1], field("GENRES", ["null", "string"]), *ITEMS[2:]), "GENRES must be kept unchanged"),
    ]:
        with pytest.raises(InvalidSchema, match=message):
            check_schema_update(old, parse_schema(avro("Items", *fields)))
    with pytest.raises(InvalidSchema, match="new schema is for USERS"):
        check_schema_update(old, parse_schema(avro("Users", *USERS)))
    interactions = parse_schema(avro("Interactions", *INTERACTIONS))
    with pytest.raises(InvalidSchema, match="only of ITEMS and USERS"):
        check_schema_update(interactions, interactions)
