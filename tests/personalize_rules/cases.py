"""What Amazon Personalize accepts and what it refuses, with the place: filters, schemas and CSVs of one small shop.

A case names the place of the first thing that is wrong, or nothing where all is well. The judge is the documentation; `reco` and the
emulator are both held against it.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

EVENT_TYPES = ("view", "buy")
FIELDS: dict[str, list[dict[str, Any]]] = {
    "interactions": [
        {"name": "USER_ID", "type": "string"},
        {"name": "ITEM_ID", "type": "string"},
        {"name": "TIMESTAMP", "type": "long"},
        {"name": "EVENT_TYPE", "type": "string"},
        {"name": "EVENT_VALUE", "type": ["null", "float"]},
        {"name": "DEVICE", "type": ["null", "string"], "categorical": True},
    ],
    "items": [
        {"name": "ITEM_ID", "type": "string"},
        {"name": "GENRES", "type": ["null", "string"], "categorical": True},
        {"name": "TITLE", "type": ["null", "string"]},
        {"name": "DESCRIPTION", "type": ["null", "string"], "textual": True},
        {"name": "PRICE", "type": ["float", "null"]},
        {"name": "STOCK", "type": "int"},
        {"name": "IS_NEW", "type": ["null", "boolean"]},
        {"name": "CREATION_TIMESTAMP", "type": ["null", "long"]},
    ],
    "users": [
        {"name": "USER_ID", "type": "string"},
        {"name": "AGE", "type": ["null", "int"]},
        {"name": "MEMBERSHIP", "type": ["null", "string"], "categorical": True},
    ],
}
NAMES = {"interactions": "Interactions", "items": "Items", "users": "Users"}


def schema_text(kind: str, fields: list[dict[str, Any]], **more: Any) -> str:
    head = {"type": "record", "name": NAMES[kind], "namespace": "com.amazonaws.personalize.schema"}
    return json.dumps(head | {"fields": fields, "version": "1.0"} | more)


SCHEMAS = {kind: schema_text(kind, fields) for kind, fields in FIELDS.items()}

# Filters: an expression, and the column at which it is wrong (0: it is none).

BUY = 'Interactions.EVENT_TYPE IN ("buy")'
FILTERS: list[tuple[str, int]] = [
    (f"EXCLUDE ItemID WHERE {BUY}", 0),
    ('EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("*")', 0),
    ('EXCLUDE ItemID WHERE Interactions.event_type IN ("view", "buy")', 0),
    ('EXCLUDE ItemID WHERE Interactions.EVENT_TYPE NOT IN ("buy")', 0),
    ("EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ($TYPES)", 0),
    ('INCLUDE ItemID WHERE Items.GENRES IN ("garden")', 0),
    ('INCLUDE ItemID WHERE Items.GENRES IN ("garden", "toys")', 0),
    ("INCLUDE ItemID WHERE Items.GENRES IN ($GENRES)", 0),
    ('include itemid where items.genres in ("garden")', 0),
    ('INCLUDE ItemID WHERE Items.GENRES NOT IN ("garden")', 0),
    ('INCLUDE ItemID WHERE Items.TITLE IN ("Spade")', 0),
    ("INCLUDE ItemID WHERE Items.PRICE > 5", 0),
    ("INCLUDE ItemID WHERE Items.PRICE >= $LEAST", 0),
    ("INCLUDE ItemID WHERE Items.PRICE < ($MOST)", 0),
    ("INCLUDE ItemID WHERE Items.STOCK != 0", 0),
    ("INCLUDE ItemID WHERE Items.STOCK > -1", 0),
    ('INCLUDE ItemID WHERE Items.STOCK IN ("1", "2")', 0),
    ("INCLUDE ItemID WHERE Items.PRICE < CurrentItem.PRICE", 0),
    ("EXCLUDE ItemID WHERE Items.GENRES IN CurrentItem.GENRES", 0),
    ("INCLUDE ItemID WHERE Items.PRICE > 1 AND Items.STOCK > 0", 0),
    ('INCLUDE ItemID WHERE Items.PRICE > 1 OR Items.GENRES IN ("garden")', 0),
    (f"INCLUDE ItemID WHERE Items.STOCK > 0 | EXCLUDE ItemID WHERE {BUY}", 0),
    ('INCLUDE ItemID WHERE Items.GENRES IN ("toys") IF CurrentUser.AGE < 18', 0),
    ('INCLUDE ItemID WHERE Items.GENRES IN ("toys") IF CurrentUser.MEMBERSHIP = "gold"', 0),
    ('INCLUDE ItemID WHERE Items.GENRES IN ("toys") IF CurrentUser.AGE < 18 AND CurrentUser.MEMBERSHIP IN ("gold")', 0),
    ("INCLUDE UserID WHERE Users.AGE > 20", 0),
    ('EXCLUDE UserID WHERE Interactions.EVENT_TYPE IN ("buy")', 0),
    ("INCLUDE ItemID WHERE Items.CREATION_TIMESTAMP > 1700000000", 0),
    ('INCLUDE ItemID WHERE Items.GENRES IN ("it\'s | (odd), $X = AND")', 0),
    ("INCLUDE ItemID WHERE Items.PRICE = 5", 0),
    # columns that the schemas lack, or that can't be filtered by
    ('INCLUDE ItemID WHERE Items.COLOUR IN ("red")', 22),
    ("INCLUDE ItemID WHERE Items.PRICE > 1 AND Items.WEIGHT > 2", 42),
    ('INCLUDE ItemID WHERE Items.GENRES IN ("toys") IF CurrentUser.INCOME > 1', 50),
    ("INCLUDE UserID WHERE Users.INCOME > 20", 22),
    ("INCLUDE ItemID WHERE Items.PRICE < CurrentItem.WEIGHT", 22),
    ('INCLUDE ItemID WHERE Items.DESCRIPTION IN ("wool")', 22),
    ('INCLUDE ItemID WHERE Items.IS_NEW IN ("true")', 22),
    ("INCLUDE ItemID WHERE Items.IS_NEW = 1", 22),
    # operators and operands that don't fit
    ('INCLUDE ItemID WHERE Items.GENRES = "garden"', 22),
    ("INCLUDE ItemID WHERE Items.GENRES = $GENRE", 22),
    ("INCLUDE ItemID WHERE Items.GENRES > 5", 22),
    ('INCLUDE ItemID WHERE Items.PRICE > "5"', 22),
    ('INCLUDE ItemID WHERE Items.PRICE IN ("cheap")', 22),
    ("INCLUDE ItemID WHERE Items.PRICE < CurrentItem.GENRES", 22),
    ('INCLUDE ItemID WHERE Items.GENRES IN ("*")', 22),
    ("INCLUDE ItemID WHERE Items.GENRES NOT IN ($GENRES)", 43),
    ("INCLUDE ItemID WHERE Items.GENRES IN ($A, $B)", 39),
    ('INCLUDE ItemID WHERE Items.GENRES IN ($A, "toys")', 39),
    ("INCLUDE ItemID WHERE Items.GENRES IN (garden)", 39),
    ("INCLUDE ItemID WHERE Items.GENRES IN ()", 39),
    ("INCLUDE ItemID WHERE Items.GENRES IN Items.TITLE", 38),
    ("INCLUDE ItemID WHERE Items.PRICE > Items.STOCK", 36),
    ('EXCLUDE ItemID WHERE Interactions.EVENT_TYPE = "buy"', 22),
    ("EXCLUDE ItemID WHERE Interactions.EVENT_VALUE > 3", 22),
    ('EXCLUDE ItemID WHERE Interactions.DEVICE IN ("tv")', 22),
    # datasets that don't go together
    (f'INCLUDE ItemID WHERE Items.GENRES IN ("toys") AND {BUY}', 51),
    (f'INCLUDE ItemID WHERE {BUY} OR Items.GENRES IN ("toys")', 60),
    ("INCLUDE ItemID WHERE Users.AGE > 20", 22),
    ('INCLUDE UserID WHERE Items.GENRES IN ("toys")', 22),
    ("INCLUDE ItemID WHERE CurrentUser.AGE > 20", 22),
    ("INCLUDE ItemID WHERE Items.PRICE > 1 IF Items.PRICE > 2", 41),
    ("INCLUDE ActionID WHERE Actions.VALUE > 1", 24),
    (f"INCLUDE ItemID WHERE Items.STOCK > 0 | EXCLUDE UserID WHERE {BUY}", 48),
    ("INCLUDE UserID WHERE Users.AGE > CurrentItem.PRICE", 22),
    # no expressions
    ("garbage", 1),
    ("INCLUDE ItemID", 15),
    ("INCLUDE ItemID WHERE", 21),
    ("INCLUDE Items WHERE Items.PRICE > 1", 9),
    ("SELECT ItemID WHERE Items.PRICE > 1", 1),
    ("INCLUDE ItemID WHERE PRICE > 1", 28),
    ("INCLUDE ItemID WHERE Items.PRICE >", 35),
    ("INCLUDE ItemID WHERE Items.PRICE ~ 1", 34),
    ("INCLUDE ItemID WHERE Items.PRICE > 1 AND", 41),
    ("INCLUDE ItemID WHERE Items.PRICE > 1 |", 39),
    ("INCLUDE ItemID WHERE Items.PRICE > 1 INCLUDE ItemID WHERE Items.STOCK > 1", 38),
    ("INCLUDE ItemID WHERE (Items.PRICE > 1)", 22),
    ('INCLUDE ItemID WHERE Items.GENRES IN ("toys"', 45),
    ("INCLUDE ItemID WHERE Items.GENRES IN ('toys')", 39),
    ("INCLUDE ItemID WHERE Items.GENRES LIKE ('toys')", 35),
    ("INCLUDE ItemID WHERE Items.PRICE > 1;", 37),
    ("INCLUDE ItemID WHERE Items.PRICE > 1 IF CurrentUser.AGE > 1 OR CurrentUser.AGE < 9", 61),
    ("INCLUDE ItemID WHERE Items.PRICE > 1 AND " * 70 + "Items.PRICE > 1", 1),
]

#: The shop's own rule: filters that Amazon Personalize takes and `reco validate` does not, and the column.
SHOP_FILTERS = [
    ('EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("purchase")', 22),
    ('EXCLUDE ItemID WHERE Interactions.EVENT_TYPE NOT IN ("buy", "purchase")', 22),
]

# Schemas: the dataset, the text, and where it is wrong (None: nowhere; "": as a whole).


class SchemaCase(NamedTuple):
    kind: str
    text: str
    where: str | None = None


USER, ITEM, TIME = FIELDS["interactions"][:3]
ID, GENRES = FIELDS["items"][:2]


def interactions(*more: dict[str, Any]) -> str:
    return schema_text("interactions", [USER, ITEM, TIME, *more])


def items(*more: dict[str, Any], **other: Any) -> str:
    return schema_text("items", [ID, GENRES, *more], **other)


def field(name: str, kind: Any = "string", **flags: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **flags}


SCHEMA_CASES = [
    *(SchemaCase(kind, text) for kind, text in SCHEMAS.items()),
    SchemaCase("interactions", interactions()),
    SchemaCase("interactions", interactions(field("EVENT_VALUE", ["float", "null"]), field("EVENT_TYPE"))),
    SchemaCase(
        "interactions", interactions(field("IMPRESSION", ["null", "string"]), field("RECOMMENDATION_ID", ["null", "string"]))
    ),
    SchemaCase("interactions", interactions().replace('"Interactions"', '"interactions"')),
    SchemaCase("interactions", interactions(*(field(f"C{n}", "int") for n in range(5)))),
    SchemaCase("items", items(field("TITLE", itemName=True), field("TEXT", textual=True))),
    SchemaCase("items", items(field("A", "double"), field("B", "long"), field("C", ["boolean", "null"]))),
    SchemaCase("items", items(field("A", ["string"], categorical=True))),
    SchemaCase("items", items(field("A", categorical=False, textual=False))),
    SchemaCase("items", json.dumps({"type": "record", "name": "Items", "fields": [ID, GENRES]})),
    SchemaCase("users", schema_text("users", [USER, field("A_NAME_1", categorical=True)])),
    SchemaCase("users", schema_text("users", [USER, *(field(f"C{n}", "int") for n in range(25))])),
    # reserved and required columns
    SchemaCase("interactions", schema_text("interactions", [USER, ITEM]), "fields"),
    SchemaCase("interactions", schema_text("interactions", [USER, ITEM, field("TIMESTAMP", "int")]), "fields[2].type"),
    SchemaCase("interactions", schema_text("interactions", [USER, ITEM, field("TIMESTAMP")]), "fields[2].type"),
    SchemaCase("interactions", schema_text("interactions", [field("USER_ID", ["null", "string"]), ITEM, TIME]), "fields[0].type"),
    SchemaCase(
        "interactions", schema_text("interactions", [field("USER_ID", categorical=True), ITEM, TIME]), "fields[0].categorical"
    ),
    SchemaCase("interactions", schema_text("interactions", [USER, field("ITEM_ID", "long"), TIME]), "fields[1].type"),
    SchemaCase("interactions", interactions(field("EVENT_VALUE", "int")), "fields[3].type"),
    SchemaCase("interactions", interactions(field("EVENT_VALUE", ["null", "double"])), "fields[3].type"),
    SchemaCase("interactions", interactions(field("EVENT_TYPE", ["null", "string"])), "fields[3].type"),
    SchemaCase("interactions", interactions(field("EVENT_TYPE", categorical=True)), "fields[3].categorical"),
    SchemaCase("interactions", interactions(field("IMPRESSION", "int")), "fields[3].type"),
    SchemaCase("interactions", interactions(field("NOTE", textual=True)), "fields[3].textual"),
    SchemaCase("interactions", interactions(*(field(f"C{n}", "int") for n in range(6))), "fields"),
    SchemaCase("items", schema_text("items", [ID]), "fields"),
    SchemaCase("items", schema_text("items", [ID, field("CREATION_TIMESTAMP", "long")]), "fields"),
    SchemaCase("items", schema_text("items", [GENRES]), "fields"),
    SchemaCase("items", items(field("CREATION_TIMESTAMP", "int")), "fields[2].type"),
    SchemaCase("items", items(field("CREATION_TIMESTAMP")), "fields[2].type"),
    SchemaCase("users", schema_text("users", [USER]), "fields"),
    SchemaCase("users", schema_text("users", [USER, field("BIO", textual=True)]), "fields[1].textual"),
    SchemaCase("users", schema_text("users", [USER, *(field(f"C{n}", "int") for n in range(26))]), "fields"),
    # types and flags
    SchemaCase("items", items(field("A", "float64")), "fields[2].type"),
    SchemaCase("items", items(field("A", "null")), "fields[2].type"),
    SchemaCase("items", items(field("A", ["int", "string"])), "fields[2].type"),
    SchemaCase("items", items(field("A", ["null", "int", "string"])), "fields[2].type"),
    SchemaCase("items", items(field("A", {"type": "array", "items": "string"})), "fields[2].type"),
    SchemaCase("items", items(field("A", "int", categorical=True)), "fields[2].categorical"),
    SchemaCase("items", items(field("A", categorical="true")), "fields[2].categorical"),
    SchemaCase("items", items(field("A", categorical=1)), "fields[2].categorical"),
    SchemaCase("items", items(field("A", categorical=True, textual=True)), "fields[2].textual"),
    SchemaCase("items", items(field("A", textual=True), field("B", textual=True)), "fields[3].textual"),
    SchemaCase("items", items(field("A", itemName=True), field("B", itemName=True)), "fields[3].itemName"),
    SchemaCase("items", items({"name": "A"}), "fields[2].type"),
    SchemaCase("items", items({"type": "int"}), "fields[2]"),
    SchemaCase("items", schema_text("items", [ID, GENRES, "PRICE"]), "fields[2]"),  # type: ignore[list-item]
    # names
    SchemaCase("items", items(field("A-B", "int")), "fields[2].name"),
    SchemaCase("items", items(field("1A", "int")), "fields[2].name"),
    SchemaCase("items", items(field("A_B", "int"), field("AB", "int")), "fields[3].name"),
    SchemaCase("items", items(field("GENRES", "int")), "fields[2].name"),
    SchemaCase("items", items(name="Products"), "name"),
    SchemaCase("items", items(type="array"), ""),
    SchemaCase("items", schema_text("items", []), "fields"),
    SchemaCase("items", items(namespace=5), "namespace"),
    SchemaCase("items", "[]", ""),
    SchemaCase("items", '{"type": "record"', ""),
    SchemaCase("items", items(*(field("C" * 140 + str(1000 + n), ["null", "string"], categorical=True) for n in range(99))), ""),
]

# CSVs: the dataset, its files, and the first place that an import refuses: line and column ("": all of the line; line 0: all files).


class CsvCase(NamedTuple):
    kind: str
    files: tuple[bytes, ...]
    line: int | None = None
    column: str = ""


HEADERS = {kind: ",".join(entry["name"] for entry in fields) for kind, fields in FIELDS.items()}
ROWS = {
    "interactions": [f"u{n % 40},i{n % 50},{1_700_000_000 + n},{EVENT_TYPES[n % 7 == 0]},,tv" for n in range(1200)],
    "items": [f"i{n},garden|toys,Title {n},,9.5,3,true,1700000000" for n in range(50)],
    "users": [f"u{n},{20 + n % 40},gold" for n in range(40)],
}
EVENT, GOOD, PERSON = ROWS["interactions"][0], ROWS["items"][0], ROWS["users"][0]


def csv_text(kind: str, rows: list[str] | None = None, header: str | None = None, end: str = "\n") -> bytes:
    lines = [HEADERS[kind] if header is None else header, *(ROWS[kind] if rows is None else rows)]
    return (end.join(lines) + end).encode()


def item(row: str, line: int | None = None, column: str = "") -> CsvCase:
    """Items of which the second, on line 3, is this row."""
    return CsvCase("items", (csv_text("items", [GOOD, row]),), line, column)


def event(row: str, line: int | None = None, column: str = "") -> CsvCase:
    return CsvCase("interactions", (csv_text("interactions", [EVENT, row, *ROWS["interactions"]]),), line, column)


def user(row: str, line: int | None = None, column: str = "") -> CsvCase:
    return CsvCase("users", (csv_text("users", [PERSON, row]),), line, column)


HALF = len(ROWS["users"]) // 2
CSV_CASES = [
    *(CsvCase(kind, (csv_text(kind),)) for kind in FIELDS),
    CsvCase("items", (csv_text("items", end="\r\n"),)),
    CsvCase("items", (csv_text("items").rstrip(b"\n"),)),
    CsvCase("items", (csv_text("items", [GOOD, "", GOOD.replace("i0", "i1"), ""]),)),
    CsvCase("users", (csv_text("users", ROWS["users"][:HALF]), csv_text("users", ROWS["users"][HALF:]))),
    # what the schema lacks is ignored; columns are found by their names
    CsvCase("items", (csv_text("items", [f"0,{GOOD},red"], header=f",{HEADERS['items']},colour"),)),
    CsvCase("users", (csv_text("users", ["20,gold,u0"], header="AGE,MEMBERSHIP,USER_ID"),)),
    CsvCase("users", (csv_text("users", header="user_id,age,Membership"),)),
    # the dialect
    item('i1,"a, ""b"" \\"c\\" \\\\",Title,,9.5,3,true,'),
    item("back\\\\slash,toys,Title,,9.5,3,true,"),
    item("back\\slash,toys,Title,,9.5,3,true,"),
    item('i1,toys,a "quoted" word,,9.5,3,true,'),
    item('"i1","toys","","text, with commas","9.5","3","true","1700000000"'),
    item("i한é,장난감,제목,,9.5,3,true,"),
    item("i1,toys,,,,3,,"),
    item("i1,toys,,,-9.5e1,-3,false,0"),
    item("i1,toys,,,.5,+3,,"),
    item(f"i1,toys,,{'long text ' * 3000},1.,3,,"),
    event("u1,i1,1700000000,buy,,"),
    event("u1,i1,0,buy,1e3,"),
    event("u1,i1,1700000000,anything,,tv|phone"),
    user("u1,,"),
    # quotes, lines and cells
    item('i1,toys,"two', 3),
    CsvCase("items", (csv_text("items", [GOOD, 'i1,toys,"two\nlines",,9.5,3,,']),), 3),
    item('i1,"toys" x,Title,,9.5,3,,', 3),
    item('i1,toys,"a"b",,9.5,3,,', 3),
    item("i1,toys,Title,,9.5,3", 3),
    item("i1,toys,Title,,9.5,3,,,more", 3),
    item("i1,toys,Title, with a comma,,9.5,3,,", 3),
    item("i1;toys;Title;;9.5;3;;", 3),
    item("i1,to\rys,Title,,9.5,3,,", 3),
    CsvCase("users", (csv_text("users").replace(b"gold", b"g\xf6ld", 1),), 2),
    CsvCase("users", (csv_text("users").decode().encode("utf-16"),), 1),
    CsvCase("users", (csv_text("users").replace(b"gold", b"go\0ld", 1),), 2),
    # headers
    CsvCase("users", (b"",), 1),
    CsvCase("users", (b"\n",), 1, "USER_ID"),
    CsvCase("users", (csv_text("users", header='"USER_ID","AGE","MEMBERSHIP"'),), 1),
    CsvCase("users", (csv_text("users").replace(b",", b";"),), 1),
    CsvCase("users", (csv_text("users").replace(b",", b"\t"),), 1),
    CsvCase("users", (csv_text("users", header="USER_ID,AGES,MEMBERSHIP"),), 1, "AGE"),
    CsvCase("users", (csv_text("users", header="USER_ID, AGE,MEMBERSHIP"),), 1, "AGE"),
    CsvCase("users", (csv_text("users", [f"{PERSON},1"], header="USER_ID,AGE,MEMBERSHIP,AGE"),), 1, "AGE"),
    CsvCase("users", (csv_text("users", header=PERSON),), 1, "USER_ID"),
    CsvCase("users", (csv_text("users"), csv_text("users", ["20,gold,u0"], header="AGE,MEMBERSHIP,USER_ID")), 1),
    CsvCase("users", (csv_text("users"), b""), 1),
    CsvCase("users", (csv_text("users"), csv_text("users", ["u1,x,gold"])), 2, "AGE"),
    # values
    item(",toys,Title,,9.5,3,,", 3, "ITEM_ID"),
    item(f"{'i' * 257},toys,Title,,9.5,3,,", 3, "ITEM_ID"),
    item(f"i1,{'toys|' * 201},Title,,9.5,3,,", 3, "GENRES"),
    item(f"i1,toys,{'x' * 1001},,9.5,3,,", 3, "TITLE"),
    item("i1,toys,Title,,nan,3,,", 3, "PRICE"),
    item("i1,toys,Title,,inf,3,,", 3, "PRICE"),
    item("i1,toys,Title,,1e400,3,,", 3, "PRICE"),
    item("i1,toys,Title,,3.5e38,3,,", 3, "PRICE"),
    item("i1,toys,Title,,1_000,3,,", 3, "PRICE"),
    item('i1,toys,Title,,"9,50",3,,', 3, "PRICE"),
    item("i1,toys,Title,,0x1p3,3,,", 3, "PRICE"),
    item("i1,toys,Title,,9.5,,,", 3, "STOCK"),
    item("i1,toys,Title,,9.5, 12,,", 3, "STOCK"),
    item("i1,toys,Title,,9.5,1.0,,", 3, "STOCK"),
    item("i1,toys,Title,,9.5,2147483648,,", 3, "STOCK"),
    item("i1,toys,Title,,9.5,\u0663,,", 3, "STOCK"),
    item("i1,toys,Title,,9.5,3,True,", 3, "IS_NEW"),
    item("i1,toys,Title,,9.5,3,1,", 3, "IS_NEW"),
    item("i1,toys,Title,,9.5,3,,-1", 3, "CREATION_TIMESTAMP"),
    item("i1,toys,Title,,9.5,3,,1700000000000", 3, "CREATION_TIMESTAMP"),
    event("u1,i1,2026-01-01,buy,,", 3, "TIMESTAMP"),
    event("u1,i1,1700000000.5,buy,,", 3, "TIMESTAMP"),
    event("u1,i1,9999999999999999999,buy,,", 3, "TIMESTAMP"),
    event("u1,i1,,buy,,", 3, "TIMESTAMP"),
    event("u1,i1,1700000000,,,", 3, "EVENT_TYPE"),
    event("u1,i1,1700000000,buy,much,", 3, "EVENT_VALUE"),
    event(",i1,1700000000,buy,,", 3, "USER_ID"),
    user(f"u1,{'9' * 30},gold", 3, "AGE"),
    # counts
    CsvCase("interactions", (csv_text("interactions", ROWS["interactions"][:999]),), 0),
    CsvCase(
        "interactions",
        (csv_text("interactions", [row.replace("view", f"type{n % 10}") for n, row in enumerate(ROWS["interactions"])]),),
        0,
    ),
]

#: What an import takes and the shop does not, by what its next training would say of it.
SHOP_CSVS = [
    CsvCase("interactions", (csv_text("interactions", [f"u1,i{n},{1_700_000_000 + n},view,," for n in range(1000)]),), 0),
    CsvCase("interactions", (csv_text("interactions", [EVENT] * 1000),), 0),
]
