"""Bulk import and export: what CSV files may look like, and what comes of them."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from personalize_emulator.datasets import DatasetStore, ImportFailed
from personalize_rules.schemas import Kind, parse_schema
from tests.personalize_emulator.shop_data import (
    HEADERS,
    ITEMS,
    SCHEMAS,
    avro,
    csv_file,
    event,
    field,
    interaction_rows,
    open_store,
    put_events,
)

GOOD = 'i1,Drama|Comedy,Acme,9.5,3,true,"Soft, \\"warm\\" boots",100'


def failure(store: DatasetStore, kind: Kind, data: bytes) -> str:
    with pytest.raises(ImportFailed) as failed:
        store.import_csv(kind, [("items.csv", io.BytesIO(data))], "FULL")
    return failed.value.reason


def items_csv(*rows: str) -> bytes:
    return "\n".join([HEADERS["ITEMS"], *rows]).encode()


def test_values_come_out_as_they_are_meant(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    data = items_csv(GOOD, "", "ö2,,,,0,,,1600000000").replace(b"\n", b"\r\n")
    counts = store.import_csv("ITEMS", [("a.csv", io.BytesIO(data))], "FULL")
    items = store.entities("ITEMS")
    assert items is not None
    assert (counts.read, counts.stored, list(items.ids)) == (2, 2, ["i1", "ö2"])
    values = {name: (column[0], column[1]) for name, column in items.columns.items()}
    assert values == {
        "GENRES": ("Drama|Comedy", None),
        "BRAND": ("Acme", None),
        "PRICE": (9.5, None),
        "STOCK": (3.0, 0.0),
        "IS_NEW": (1.0, None),
        "DESCRIPTION": ('Soft, "warm" boots', None),
        "CREATION_TIMESTAMP": (100.0, 1_600_000_000.0),
    }


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([GOOD, ",a,b,1,1,,,1"], "items.csv, line 3, column ITEM_ID: is empty, and the schema does not allow null."),
        ([GOOD, "", "i,a,b,1,,,,1"], "items.csv, line 4, column STOCK: is empty, and the schema does not allow null."),
        (["i,a,b,x,1,,,1"], "items.csv, line 2, column PRICE: is 'x', not a number."),
        (["i,a,b,nan,1,,,1"], "items.csv, line 2, column PRICE: is 'nan', not a number."),
        (["i,a,b,1,1.5,,,1"], "items.csv, line 2, column STOCK: is '1.5', not a whole number."),
        (["i,a,b,1,2147483648,,,1"], "items.csv, line 2, column STOCK: is '2147483648', which does not fit into type int."),
        (["i,a,b,1,1,True,,1"], "items.csv, line 2, column IS_NEW: is 'True', not true or false."),
        (
            ["i,a,b,1,1,,,2024-01-01"],
            "items.csv, line 2, column CREATION_TIMESTAMP: is '2024-01-01', not a whole number.",
        ),
        (
            ["i,a,b,1,1,,,1700000000000"],
            "items.csv, line 2, column CREATION_TIMESTAMP: is '1700000000000', which looks like milliseconds; "
            "times are in seconds since 1970.",
        ),
        (
            ["i" * 257 + ",a,b,1,1,,,1"],
            "items.csv, line 2, column ITEM_ID: Length cannot be more than 256 characters for ITEM_ID.",
        ),
        (
            ["i," + "a" * 1001 + ",b,1,1,,,1"],
            "items.csv, line 2, column GENRES: Length cannot be more than 1000 characters for GENRES.",
        ),
        ([GOOD, "i,a,b"], "items.csv, line 3: has 3 cells, the header 8."),
        (
            [GOOD, 'i,a,b,1,1,,"two\nlines",1'],
            "items.csv, line 3: has a quotation mark that is not closed: each record must be on a single line.",
        ),
        ([GOOD, 'i,a,b,1,1,,"open,1'], "items.csv, line 3: has a quotation mark that is not closed"),
        (
            [GOOD, 'i,a,b,1,1,,"open,1', *["i,a,b,1,1,,open,1"] * 9000],
            "items.csv, line 3: has a quotation mark that is not closed",
        ),
        ([GOOD, 'i,a,b,1,1,,"too" early,1'], "items.csv, line 3: has text behind a closing quotation mark"),
        (["i,a,b,1_000,1,,,1"], "items.csv, line 2, column PRICE: is '1_000', not a number."),
        (["i,a,b,1e400,1,,,1"], "items.csv, line 2, column PRICE: is '1e400', which does not fit into type float."),
        (["i,a,b,1, 12,,,1"], "items.csv, line 2, column STOCK: is ' 12', not a whole number."),
        (["i,a,b,1,١٢,,,1"], "items.csv, line 2, column STOCK: is '١٢', not a whole number."),
        (["i,a,b,1,1,,,-1"], "items.csv, line 2, column CREATION_TIMESTAMP: is '-1', which is no time;"),
    ],
)
def test_a_broken_rule_is_named_with_its_place(tmp_path: Path, rows: list[str], reason: str) -> None:
    assert failure(open_store(tmp_path), "ITEMS", items_csv(*rows)).startswith(reason)


def test_a_bad_header_is_named(tmp_path: Path) -> None:
    store, good = open_store(tmp_path), items_csv(GOOD)
    missing = "items.csv, line 1: Input CSV is missing the following columns:[GENRES, PRICE]."
    assert failure(store, "ITEMS", good.replace(b"GENRES", b"TAGS").replace(b"PRICE", b"COST")) == missing
    assert failure(store, "ITEMS", good.replace(b"ITEM_ID", b'"ITEM_ID"')).startswith("items.csv, line 1: column headers")
    assert failure(store, "ITEMS", b"").startswith("items.csv, line 1: the file is empty")
    assert "starts with a byte order mark" in failure(store, "ITEMS", b"\xef\xbb\xbf" + good)
    assert "delimiter seems to be ;" in failure(store, "ITEMS", good.replace(b",", b";"))
    assert "column GENRES: stands twice" in failure(store, "ITEMS", good.replace(b"BRAND", b"GENRES,BRAND"))


def test_a_column_that_the_schema_lacks_is_ignored(tmp_path: Path) -> None:
    """Recorded: an items file with pandas' unnamed index and a column more became ACTIVE."""
    store = open_store(tmp_path)
    rows = [f"{number},{line},red" for number, line in enumerate([GOOD, GOOD.replace("i1", "i2")])]
    data = "\n".join([f",{HEADERS['ITEMS']},COLOUR", *rows]).encode()
    store.import_csv("ITEMS", [("items.csv", io.BytesIO(data))], "FULL")
    items = store.entities("ITEMS")
    assert items is not None
    assert list(items.ids) == ["i1", "i2"]
    assert "COLOUR" not in items.columns


def test_headers_may_be_in_another_case(tmp_path: Path) -> None:
    """AWS publishes an items file whose header has creation_timestamp for the schema's CREATION_TIMESTAMP."""
    store = open_store(tmp_path)
    data = items_csv(GOOD).replace(b"CREATION_TIMESTAMP", b"creation_timestamp")
    store.import_csv("ITEMS", [("items.csv", io.BytesIO(data))], "FULL")
    items = store.entities("ITEMS")
    assert items is not None
    assert items.columns["CREATION_TIMESTAMP"][0] == 100


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (r'"say \"hi\", twice"', 'say "hi", twice'),
        ('"say ""hi"", twice"', 'say "hi", twice'),
        (r'"back\\slash"', "back\\slash"),
        (r"back\\slash", "back\\slash"),
        (r"back\slash", r"back\slash"),
        (r'"ends in \\"', "ends in \\"),
        ('""', None),
        (r'"\""', '"'),
    ],
)
def test_quotes_and_backslashes(tmp_path: Path, cell: str, text: str | None) -> None:
    store = open_store(tmp_path)
    store.import_csv("ITEMS", [csv_file("ITEMS", [f"i1,{cell},b,1,1,,{cell},1"])], "FULL")
    items = store.entities("ITEMS")
    assert items is not None
    assert (items.columns["GENRES"][0], items.columns["DESCRIPTION"][0]) == (text, text)


def test_text_must_be_utf_8(tmp_path: Path) -> None:
    data = items_csv(*[GOOD] * 3000, "i,\xe9,b,1,1,,,1").decode().encode("latin-1")
    assert (
        failure(open_store(tmp_path), "ITEMS", data)
        == "items.csv, line 3002: is not UTF-8 text: the file must be encoded in UTF-8."
    )


def test_a_failed_import_changes_nothing(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.import_csv("ITEMS", [("a.csv", io.BytesIO(items_csv(GOOD)))], "FULL")
    failure(store, "ITEMS", items_csv("i9,a,b,1,1,,,1", "bad"))
    items = store.entities("ITEMS")
    assert items is not None
    assert list(items.ids) == ["i1"]


def test_columns_may_have_another_order_and_files_are_read_as_one(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    first = ("a.csv", io.BytesIO(b"MEMBERSHIP,USER_ID,AGE\ngold,u1,20\nsilver,u2,30\n"))
    second = ("b.csv", io.BytesIO(b"MEMBERSHIP,USER_ID,AGE\nbasic,u3,\nbronze,u1,21\n"))
    assert store.import_csv("USERS", [first, second], "FULL").stored == 3
    users = store.entities("USERS")
    assert users is not None
    rows = [(users.ids[row], users.columns["AGE"][row], users.columns["MEMBERSHIP"][row]) for row in range(3)]
    assert rows == [("u2", 30.0, "silver"), ("u3", None, "basic"), ("u1", 21.0, "bronze")]
    with pytest.raises(ImportFailed, match=r"b\.csv, line 1: the column headers of all files must match"):
        store.import_csv("USERS", [csv_file("USERS", []), ("b.csv", io.BytesIO(second[1].getvalue()))], "FULL")


def test_long_textual_values_are_cut(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    rows = [f'a,,,,1,,"{"x" * 30_000}",1', f'b,,,,1,,"{"本" * 30_000}",1']
    store.import_csv("ITEMS", [csv_file("ITEMS", rows)], "FULL")
    items = store.entities("ITEMS")
    assert items is not None
    assert [len(items.columns["DESCRIPTION"][row]) for row in range(2)] == [20_000, 7_000]


def test_interactions_need_a_thousand_rows(tmp_path: Path) -> None:
    with pytest.raises(ImportFailed, match="999 interactions; an import needs at least 1000"):
        open_store(tmp_path).import_csv("INTERACTIONS", [csv_file("INTERACTIONS", interaction_rows(999))], "FULL")


def test_event_types_and_metadata_columns_are_ten_at_most(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    rows = [f"u{n},i,{n},type{n % 9},,,," for n in range(1000)]
    with pytest.raises(ImportFailed, match="9 distinct event types and the schema 2 metadata columns"):
        store.import_csv("INTERACTIONS", [csv_file("INTERACTIONS", rows)], "FULL")
    store.import_csv("INTERACTIONS", [csv_file("INTERACTIONS", [r.replace("type8", "type7") for r in rows])], "FULL")


def test_full_replaces_and_incremental_adds(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    rows = interaction_rows(2000)
    with pytest.raises(ImportFailed, match="must have the import mode FULL"):
        store.import_csv("INTERACTIONS", [csv_file("INTERACTIONS", rows)], "INCREMENTAL")
    store.import_csv("INTERACTIONS", [csv_file("INTERACTIONS", rows[:1000])], "FULL")
    put_events(store, event("streamed"), user="u1")
    assert store.import_csv("INTERACTIONS", [csv_file("INTERACTIONS", rows[500:])], "INCREMENTAL").stored == 2000
    assert len(store.training_data().interactions) == 2001
    store.import_csv("INTERACTIONS", [csv_file("INTERACTIONS", rows[:1000])], "FULL")
    interactions = store.training_data().interactions
    assert len(interactions) == 1001
    assert "streamed" in interactions.item_ids


def test_only_whole_duplicates_are_dropped(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    rows = ["u,i,5,View,1,,tv,", "u,i,5,View,1,,tv,", "u,i,5,View,,,tv,", "u,i,5,View,,,tv,", "u,j,5,View,1,,tv,"]
    assert store.import_csv("INTERACTIONS", [csv_file("INTERACTIONS", interaction_rows() + rows)], "FULL").stored == 1003
    assert store.history("u").item_ids == ["i", "i", "j"]


def test_the_newer_record_of_an_id_counts(tmp_path: Path) -> None:
    store = open_store(tmp_path)

    def ages() -> dict[str, float | None]:
        users = store.entities("USERS")
        assert users is not None
        return {user: users.columns["AGE"][row] for user, row in users.index.items()}

    store.import_csv("USERS", [csv_file("USERS", ["a,1,", "b,1,", "a,2,"])], "FULL")
    store.put_entities("USERS", [{"userId": "b", "properties": '{"age": 3}'}, {"userId": "c", "properties": '{"age": 3}'}])
    assert ages() == {"a": 2, "b": 3, "c": 3}
    store.import_csv("USERS", [csv_file("USERS", ["b,4,", "d,4,"])], "INCREMENTAL")
    assert ages() == {"a": 2, "b": 4, "c": 3, "d": 4}
    store.import_csv("USERS", [csv_file("USERS", ["a,5,"])], "FULL")
    assert ages() == {"a": 5, "c": 3}


def test_a_field_added_to_the_schema_is_null_until_the_next_import(tmp_path: Path) -> None:
    open_store(tmp_path).import_csv("ITEMS", [("a.csv", io.BytesIO(items_csv(GOOD)))], "FULL")
    schema = parse_schema(avro("Items", *ITEMS, field("COLOUR", ["null", "string"], categorical=True)))
    store = DatasetStore(tmp_path, {**SCHEMAS, "ITEMS": schema})
    store.put_entities("ITEMS", [{"itemId": "i2", "properties": '{"stock": 1, "colour": "red"}'}])
    items = store.entities("ITEMS")
    assert items is not None
    assert list(items.columns["COLOUR"].values) == [None, "red"]


def test_an_export_can_be_imported_again(tmp_path: Path) -> None:
    store = open_store(tmp_path / "a")
    rows = [GOOD, 'i2,,"a,b \\\\ \\"c\\"",0.1,-5,false,"text",1']
    store.import_csv("ITEMS", [csv_file("ITEMS", rows)], "FULL")
    store.put_entities("ITEMS", [{"itemId": "i3", "properties": '{"genres": "Drama", "stock": 7}'}])
    exports = {}
    for mode in ("BULK", "PUT", "ALL"):
        out = io.BytesIO()
        exports[mode] = (store.export_csv("ITEMS", mode, out), out.getvalue())
    assert [count for count, _ in exports.values()] == [2, 1, 3]
    assert exports["PUT"][1].decode() == HEADERS["ITEMS"] + "\ni3,Drama,,,7,,,\n"
    again = open_store(tmp_path / "b")
    again.import_csv("ITEMS", [("bulk.csv", io.BytesIO(exports["BULK"][1]))], "FULL")
    first, second = store.entities("ITEMS"), again.entities("ITEMS")
    assert first is not None
    assert second is not None
    for name, column in second.columns.items():
        assert [column[row] for row in range(2)] == [first.columns[name][row] for row in range(2)]
