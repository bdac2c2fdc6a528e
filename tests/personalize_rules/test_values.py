"""What a value may be: in a cell of a CSV and in the JSON of a record alike, one by one and a whole column at once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from personalize_rules.schemas import Field, parse_schema
from personalize_rules.values import cell_reader, check_timestamp, column_check, cut, json_value
from tests.personalize_rules.cases import SCHEMAS

ITEMS, INTERACTIONS = parse_schema(SCHEMAS["items"]), parse_schema(SCHEMAS["interactions"])
COLUMNS = [(schema, field) for schema in (ITEMS, INTERACTIONS) for field in schema.fields]


def column(name: str) -> Field:
    found = ITEMS.column(name)
    assert found is not None
    return found


@pytest.mark.parametrize("cell", ["1", "-1", "+1", "1.", ".5", "1.5", "1e3", "1E-3", "3.4028235e38", "-3.4028235E38"])
def test_numbers(cell: str) -> None:
    assert cell_reader(ITEMS, column("PRICE"))(cell) == float(cell)


@pytest.mark.parametrize(
    "cell",
    ["nan", "NaN", "inf", "-Infinity", "1_000", "1,5", " 1", "1 ", "0x10", "1e", "e3", "--1", "٣", "1d", "3.5e38", "1e400"],
)
def test_texts_that_are_no_numbers(cell: str) -> None:
    with pytest.raises(ValueError, match="is '"):
        cell_reader(ITEMS, column("PRICE"))(cell)


cells = st.one_of(
    st.text(max_size=6),
    st.text("0123456789", min_size=1, max_size=22),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(["true", "True", ""]),
)


@given(st.sampled_from(COLUMNS), st.lists(cells, min_size=1, max_size=6))
@example((ITEMS, column("CREATION_TIMESTAMP")), ["99999999999", "100000000000"])
@example((ITEMS, column("STOCK")), ["2147483647", "2147483648"])
def test_a_column_keeps_the_rules_if_each_cell_does(of: Any, given_cells: list[str]) -> None:
    schema, field = of
    read = cell_reader(schema, field)

    def good(cell: str) -> bool:
        try:
            read(cell)
        except ValueError:
            return False
        return True

    assert column_check(schema, field)(given_cells) == all(map(good, given_cells))


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("PRICE", 5, 5.0), ("PRICE", "9.5", 9.5), ("PRICE", None, None), ("PRICE", "", None), ("STOCK", 3.0, 3), ("STOCK", "3", 3),
        ("IS_NEW", True, True), ("IS_NEW", "false", False), ("TITLE", "Spade", "Spade"), ("CREATION_TIMESTAMP", 0, 0),
    ],
)  # fmt: skip
def test_values_of_records(name: str, value: Any, read: Any) -> None:
    assert json_value(ITEMS, column(name), value) == read


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("STOCK", None, "cannot be null"), ("STOCK", 1.5, "not a whole number"), ("STOCK", True, "must be of type int"), ("STOCK", [1], "must be of type"),
        ("STOCK", 2**31, "does not fit"), ("PRICE", float("inf"), "not a number"), ("PRICE", "dear", "not a number"), ("TITLE", 5, "must be a string"),
        ("TITLE", "\ud800", "not valid Unicode"), ("GENRES", "x" * 1001, "longer than the 1000"), ("ITEM_ID", "x" * 257, "256 characters of an id"),
        ("CREATION_TIMESTAMP", -1, "is no time"), ("CREATION_TIMESTAMP", 1_700_000_000_000, "looks like milliseconds"),
        ("CREATION_TIMESTAMP", 10**18, "is no time"),
    ],
)  # fmt: skip
def test_values_that_a_record_cannot_have(name: str, value: Any, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        json_value(ITEMS, column(name), value)


def test_the_first_and_the_last_time() -> None:
    check_timestamp(0)
    check_timestamp(99_999_999_999)
    for wrong in (-1, 100_000_000_000):
        with pytest.raises(ValueError, match="in seconds since 1970"):
            check_timestamp(wrong)


def test_textual_values_are_cut() -> None:
    assert len(cut("x" * 30_000)) == 20_000
    assert len(cut("語" * 30_000)) == 7_000
    assert cell_reader(ITEMS, column("DESCRIPTION"))("x" * 30_000) == "x" * 20_000
