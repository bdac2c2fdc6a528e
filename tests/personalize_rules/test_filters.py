"""What is a filter expression, what is not, and what the error says."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from personalize_rules.filters import CurrentItem, Filter, InvalidFilter, Placeholder, checked_filter, parse_filter
from personalize_rules.schemas import Kind, Schema, parse_schema
from tests.personalize_emulator.shop_data import ACTION_INTERACTIONS, ACTIONS, INTERACTIONS, avro, field
from tests.personalize_rules.filter_oracle import position_of, words_of

SCHEMAS: dict[Kind, Schema] = {
    "INTERACTIONS": parse_schema(avro("Interactions", *INTERACTIONS)),
    "ITEMS": parse_schema(
        avro(
            "Items",
            field("ITEM_ID"),
            *(
                field(name, ["null", "string"], categorical=True)
                for name in ("GENRE", "GENRES", "CATEGORY", "CATEGORY_L1", "CATEGORY_L2", "AVAILABLE", "RATING")
            ),
            *(field(name, ["null", "float"]) for name in ("PRICE", "YEAR", "STOCK")),
            field("IS_NEW", ["null", "boolean"]),
            field("DESCRIPTION", ["null", "string"], textual=True),
            field("CREATION_TIMESTAMP", "long"),
        )
    ),
    "USERS": parse_schema(
        avro(
            "Users",
            field("USER_ID"),
            field("AGE", "int"),
            *(field(name, ["null", "string"], categorical=True) for name in ("COUNTRY", "MEMBERSHIP", "MEMBERSHIP_STATUS")),
        )
    ),
    "ACTIONS": parse_schema(avro("Actions", *ACTIONS, field("MEMBERSHIP_LEVEL", categorical=True))),
    "ACTION_INTERACTIONS": parse_schema(avro("ActionInteractions", *ACTION_INTERACTIONS)),
}

DOCUMENTED = [
    'EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("Purchase")',
    'EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("click", "stream")',
    'EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("*")',
    "EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ($EVENT_TYPE)",
    'INCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("favorite")',
    'EXCLUDE itemId WHERE INTERACTIONS.event_type in ("Purchase")',
    "INCLUDE ItemID WHERE Items.GENRE IN ($GENRE)",
    "EXCLUDE ItemID WHERE Items.CATEGORY IN ($CATEGORY)",
    'INCLUDE ItemID WHERE Items.GENRES IN ("Comedy", "Drama")',
    'EXCLUDE ItemID WHERE Items.CATEGORY_L1 NOT IN ("cold dispensed", "hot dispensed")',
    'EXCLUDE ItemID WHERE Items.CATEGORY_L1 IN ("shoe") AND Items.CATEGORY_L2 NOT IN ("boot")',
    "INCLUDE ItemID WHERE Items.PRICE <= $PRICE",
    "INCLUDE ItemID WHERE Items.YEAR >= 1970 AND Items.YEAR < 1980",
    "INCLUDE ItemID WHERE Items.CREATION_TIMESTAMP > $SINCE",
    "INCLUDE ItemID WHERE Items.STOCK != 0",
    'INCLUDE ItemID WHERE Items.AVAILABLE IN ("True") OR Items.CREATION_TIMESTAMP > $DATE',
    "INCLUDE ItemID WHERE Items.GENRE IN CurrentItem.GENRE",
    "INCLUDE ItemID WHERE Items.PRICE < CurrentItem.PRICE AND Items.CREATION_TIMESTAMP > $DATE",
    "EXCLUDE ItemID WHERE Items.GENRE IN ($GENRE) IF CurrentUser.AGE = $AGE",
    'INCLUDE ItemID WHERE Items.CATEGORY_L1 IN ("watch") AND Items.CATEGORY_L2 IN ("luxury") IF CurrentUser.AGE > 18',
    'EXCLUDE ItemID WHERE Items.RATING IN ("R") IF CurrentUser.AGE < 17 AND CurrentUser.COUNTRY IN ("US")',
    'INCLUDE ItemID WHERE Items.GENRE IN ($GENRE) | EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("click", "stream")',
    'EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("Purchase") | EXCLUDE ItemID WHERE Items.CATEGORY_L1 IN ("food service")',
    "INCLUDE UserID WHERE Users.MEMBERSHIP_STATUS IN ($MEMBERSHIP)",
    "EXCLUDE UserID WHERE Users.AGE < $AGE",
    'INCLUDE UserID WHERE Interactions.EVENT_TYPE IN ("click", "rating")',
    'EXCLUDE ActionID WHERE Action_Interactions.EVENT_TYPE IN ("NOT_TAKEN")',
    "INCLUDE ActionID WHERE Actions.VALUE > ($VALUE)",
]
TOLERATED = [
    'INCLUDE ActionID WHERE Action.MEMBERSHIP_LEVEL IN ("gold")',
    'INCLUDE ItemID WHERE Items.GENRE IN ("Drama") IF CurrentUser.MEMBERSHIP = $PREMIUM',
    'INCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("click, rating")',
    'include userid\nwhere\tusers.country in ("a")',
    'INCLUDE ItemID WHERE Items.YEAR IN ("1970", "1980")',
    "INCLUDE ItemID WHERE Items.ITEM_ID IN ($IDS)",
]


@pytest.mark.parametrize("expression", DOCUMENTED + TOLERATED)
def test_valid_expressions_are_accepted(expression: str) -> None:
    checked_filter(expression, SCHEMAS)


@pytest.mark.parametrize(
    ("expression", "column", "message"),
    [
        ('ItemID WHERE Items.GENRE IN ("Drama")', 1, "Invalid input symbol: ItemID. Expected: EXCLUDE, INCLUDE."),
        ('INCLUDE ItemID Items.GENRE IN ("Drama")', 16, "Invalid input symbol: Items. Expected: WHERE."),
        (
            "EXCLUDE ItemID WHERE Items.GENRE NOT IN ($GENRE)",
            42,
            "Could not create filter. Invalid input symbol: $GENRE. Placeholders are not allowed with NOT_IN operator.",
        ),
        ('EXCLUDE ItemID WHERE Items.GENRE IN ("D") AND Interactions.EVENT_TYPE IN ("c")', 47, "same dataset"),
        ('EXCLUDE ItemID WHERE Interactions.DEVICE IN ("mobile")', 22, "only EVENT_TYPE"),
        ("EXCLUDE ItemID WHERE Interactions.EVENT_TYPE = 5", 22, "with IN or NOT IN"),
        ("EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN CurrentItem.GENRE", 22, "CurrentItem"),
        ('INCLUDE ItemID WHERE Items.IS_NEW IN ("true")', 22, "Invalid Expression: IS_NEW is boolean"),
        ('INCLUDE ItemID WHERE Items.DESCRIPTION IN ("boots")', 22, "Invalid Expression: DESCRIPTION is textual"),
        ('INCLUDE ItemID WHERE Items.GENRE = "Drama"', 22, "use IN for strings"),
        ("INCLUDE ItemID WHERE Items.GENRE = 5", 22, "GENRE is of type string"),
        ("INCLUDE ItemID WHERE Items.GENRE > $GENRE", 22, "GENRE is of type string"),
        ("INCLUDE ItemID WHERE Items.GENRE IN (Drama)", 38, "Invalid input symbol: Drama."),
        ('INCLUDE ItemID WHERE Items.GENRE IN ("*")', 22, "Only EVENT_TYPE"),
        ("INCLUDE ItemID WHERE Items.GENRE IN ($A, $B)", 38, "$A. A placeholder must be the only element"),
        ('INCLUDE ItemID WHERE Items.GENRE IN ("a", $B)', 43, "$B. A placeholder must be the only element"),
        ('INCLUDE ItemID WHERE Items.YEAR IN ("old")', 22, 'YEAR is of type float, "old" is not'),
        ('INCLUDE ItemID WHERE Items.GENRE IN ("Drama") IF Items.PRICE > 5', 50, "IF can only test CurrentUser"),
        ('INCLUDE ItemID WHERE Items.GENRE IN ("D") IF CurrentUser.AGE > 18 OR CurrentUser.AGE < 5', 67, "symbol: OR."),
        ('INCLUDE ItemID IF CurrentUser.AGE > 18 WHERE Items.GENRE IN ("Drama")', 16, "Expected: WHERE."),
        ("INCLUDE ItemID WHERE CurrentUser.AGE > 18", 22, "CurrentUser can only be used after IF"),
        ("INCLUDE ItemID WHERE Users.AGE > 18", 22, "can test Items or Interactions, not Users"),
        ('INCLUDE UserID WHERE Items.GENRE IN ("Drama")', 22, "can test Users or Interactions, not Items"),
        ("INCLUDE ItemID WHERE (Items.PRICE < 5 OR Items.PRICE > 10) AND Items.STOCK > 0", 22, "symbol: (."),
        ("INCLUDE ItemID WHERE Items.PRICE BETWEEN 5 AND 10", 34, "symbol: BETWEEN."),
        ('INCLUDE ItemID WHERE Items.GENRE LIKE "Star%"', 34, "symbol: LIKE."),
        ("INCLUDE ItemID WHERE Items.PRICE < Items.YEAR", 36, "compared with CurrentItem"),
        ("INCLUDE ItemID WHERE Items.PRICE < CurrentItem.GENRE", 22, "not of the same type"),
        ('INCLUDE ItemID WHERE Items.COLOUR IN ("red")', 22, "The schema of ITEMS has no field COLOUR"),
        ('INCLUDE ItemID WHERE Items.GENRE IN ("a") | INCLUDE UserID WHERE Users.AGE > 5', 53, "same target"),
        ("INCLUDE UserID WHERE Users.AGE > CurrentItem.PRICE", 22, "only be used in filters for ItemID"),
        ("INCLUDE ActionID WHERE Actions.REPEAT_FREQUENCY > 5", 24, "REPEAT_FREQUENCY is not filterable"),
        ('INCLUDE ItemID WHERE Items.GENRE IN ("a") IF CurrentUser.COUNTRY < "b"', 46, "tests numbers"),
        ("INCLUDE ItemID WHERE Items.PRICE <", 35, "Invalid input symbol: end of the expression."),
        ('INCLUDE ItemID WHERE Items.GENRE IN ("a', 38, "Invalid input symbol"),
        ("INCLUDE ItemID WHERE Items.GENRE IN ()", 38, "Invalid input symbol: )."),
        ("INCLUDE ItemID WHERE Items.PRICE < 5 |", 39, "EXCLUDE, INCLUDE"),
    ],
)
def test_invalid_expressions_are_refused_where_they_go_wrong(expression: str, column: int, message: str) -> None:
    with pytest.raises(InvalidFilter) as refused:
        checked_filter(expression, SCHEMAS)
    text, line, caret = str(refused.value).split("\n")
    assert message in text
    assert text.endswith(f"(column {column})")
    assert line[caret.index("^") :][:40] == expression[column - 1 :].replace("\n", " ")[:40]


def test_a_dataset_that_does_not_exist_cannot_be_filtered_by() -> None:
    only_items: dict[Kind, Schema] = {"ITEMS": SCHEMAS["ITEMS"]}
    checked_filter("INCLUDE ItemID WHERE Items.PRICE > 1", only_items)
    for expression in (DOCUMENTED[0], 'INCLUDE ItemID WHERE Items.GENRE IN ("a") IF CurrentUser.AGE > 1'):
        with pytest.raises(InvalidFilter, match="has no dataset of type"):
            checked_filter(expression, only_items)


def test_a_filter_knows_what_it_needs() -> None:
    parsed = parse_filter(
        "INCLUDE ItemID WHERE Items.price < CurrentItem.PRICE OR Items.GENRE IN ($genre) IF CurrentUser.AGE > $AGE "
        '| EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("*")'
    )
    assert parsed.target == "ItemID"
    assert parsed.placeholders == {"genre", "AGE"}
    assert parsed.fields == {"ITEMS.PRICE", "ITEMS.GENRE", "USERS.AGE", "INTERACTIONS.EVENTTYPE"}
    assert parsed.uses_current_item
    assert parsed.uses_current_user
    assert not parse_filter(DOCUMENTED[6]).uses_current_user
    assert not parse_filter(DOCUMENTED[6]).uses_current_item


TOKENS = st.sampled_from(
    """INCLUDE EXCLUDE ItemID UserID WHERE AND OR IF NOT IN | ( ) , . = != <= > "a" "*" $A $ 5 -1.5 Items.GENRE
    Items.PRICE Users.AGE Interactions.EVENT_TYPE CurrentUser.AGE CurrentItem.PRICE Items é""".split()  # noqa: SIM905
)


@settings(deadline=None)
@given(st.text(max_size=60) | st.lists(TOKENS, max_size=20).map(" ".join))
@example("INCLUDE ItemID WHERE Items.GENRE IN " + "(" * 2400)
@example("INCLUDE ItemID WHERE Items.PRICE > 1" + " AND Items.PRICE > 1" * 100)
@example("")
@example("x" * 3000)
def test_any_text_is_a_filter_or_an_error(text: str) -> None:
    with suppress(InvalidFilter):
        assert isinstance(checked_filter(text, SCHEMAS), Filter)


CONDITIONS = st.sampled_from([
    'Items.GENRE IN ("a")', "Items.PRICE > 5", "Items.PRICE <= ($P)", "Items.PRICE < CurrentItem.PRICE", "Items.GENRE IN ($A)",
    'Items.GENRE NOT IN ("a", "b")', 'Interactions.EVENT_TYPE IN ("*")', "Items.GENRE IN CurrentItem.GENRE", "Items.IN = -1.5",
    'Items.GENRE IN ($A, "b")', "Users.AGE > 5", 'CurrentUser.AGE = "x"', "Action.VALUE != $V", "Items.GENRE IN Items.PRICE",
])  # fmt: skip


@st.composite
def near_expressions(draw: st.DrawFn) -> str:
    """Expressions, some with a part cut out or put in."""
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        words = [
            draw(st.sampled_from(["INCLUDE", "exclude"])),
            draw(st.sampled_from(["ItemID", "UserID"])),
            "WHERE",
            draw(CONDITIONS),
        ]
        for _ in range(draw(st.integers(0, 2))):
            words += [draw(st.sampled_from(["AND", "or"])), draw(CONDITIONS)]
        words += draw(
            st.sampled_from([[], [], ["IF", "CurrentUser.AGE > 5"], ["IF", "CurrentUser.AGE > 5 AND CurrentUser.AGE < $B"]])
        )
        parts.append(" ".join(words))
    text = " | ".join(parts)
    if draw(st.booleans()):
        place, length = draw(st.integers(0, len(text))), draw(st.integers(0, 3))
        text = (
            text[:place]
            + draw(st.sampled_from(["", "x", " ", "(", ")", '"', "$", "|", ",", ".", "é", "\n"]))
            + text[place + length :]
        )
    return text


def spoken(parsed: Filter) -> list[str]:
    """The words of a filter, as the oracle has them."""
    words = []
    for expression in parsed.expressions:
        words += ["INCLUDE" if expression.include else "EXCLUDE", parsed.target.upper()]
        for condition in [*expression.conditions, *expression.only_if]:
            dataset = "CURRENTUSER" if condition in expression.only_if else condition.kind
            words += [dataset, condition.column.upper(), *condition.operator.split()]
            operand = condition.operand
            if isinstance(operand, Placeholder):
                words.append(f"${operand.name}")
            elif isinstance(operand, CurrentItem):
                words += ["CURRENTITEM", operand.column.upper()]
            else:
                words += [f'"{text}"' for text in operand] if isinstance(operand, tuple) else [operand]
    return words


@settings(deadline=None, max_examples=300)
@given(near_expressions() | st.lists(TOKENS, max_size=20).map(" ".join))
def test_the_parser_and_the_grammar_agree(text: str) -> None:
    try:
        words: list[str] | None = spoken(parse_filter(text)) if text else None
        faults = []
    except InvalidFilter as error:
        words, faults = None, error.faults
    expected = words_of(text)
    if expected is None:
        assert not text or faults[-1].position == position_of(text)
        return
    assert all("Expected:" not in fault.rule for fault in faults), "the order of words is right"
    if words is not None:
        known = ["ACTIONS" if word == "ACTION" else word for word in expected]
        assert words == [float(word) if isinstance(mine, float) else word for word, mine in zip(known, words, strict=True)]


def test_all_faults_are_told_at_once() -> None:
    text = 'INCLUDE ItemID WHERE Items.GENRE > 5 AND Items.COLOUR IN ("red") | EXCLUDE ItemID WHERE Items.IS_NEW IN ($NEW)'
    with pytest.raises(InvalidFilter) as refused:
        checked_filter(text, SCHEMAS)
    assert [fault.position for fault in refused.value.faults] == [
        text.index(f"Items.{name}") for name in ("GENRE", "COLOUR", "IS_NEW")
    ]
    text = "INCLUDE ItemID WHERE Items.GENRE NOT IN ($A) OR Users.AGE > 5 IF Items.PRICE > 5"
    with pytest.raises(InvalidFilter) as refused:
        parse_filter(text)
    assert [text[fault.position :][:9] for fault in refused.value.faults] == ["$A) OR Us", "Users.AGE", "Items.PRI"]
