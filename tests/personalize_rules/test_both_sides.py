"""Texts that nobody thought of: what `reco` refuses the emulator refuses, at the same place, and what it accepts is accepted."""

from __future__ import annotations

import io
import itertools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambdas.config import Config, ConfigError
from lambdas.config.file import load_config
from lambdas.config.validation import parse_config
from personalize_emulator.datasets import DatasetStore, ImportFailed
from personalize_rules.schemas import parse_schema
from reco.data import csv_folder
from tests.personalize_emulator.journey import Client
from tests.personalize_rules import cases
from tests.personalize_rules.test_same_verdicts import (
    SHOP,
    Place,
    client,
    columns,
    group,
    place_in,
    place_of,
    position_of,
    s3_endpoint,
)

__all__ = ["client", "group", "s3_endpoint"]
MANY = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
_numbers = itertools.count()


class Verdicts(Counter[bool]):
    """How often was accepted, and how often refused: a test of one kind alone shows little."""

    def both(self) -> None:
        assert min(self[True], self[False]) >= 10, self


@pytest.fixture(scope="module")
def raw() -> dict[str, Any]:
    """The config of the shop as plain data."""
    return SHOP | {"datasets": {kind: {"schema": json.loads(text)} for kind, text in cases.SCHEMAS.items()}}


def first_problem(raw: dict[str, Any], at: str) -> str | None:
    """The first thing that is wrong at a path or below it, without that path."""
    try:
        parse_config(raw)
    except ConfigError as error:
        found = [problem.removeprefix(at) for problem in error.problems if problem.startswith((f"{at}:", f"{at}."))]
        return found[0].removeprefix(": ").removeprefix(".") if found else None
    return None


# Filters

values = st.sampled_from(
    ['"garden"', '"toys"', '"*"', "$A", "$B", "5", "-1.5", "CurrentItem.PRICE", "CurrentItem.GENRES", '"', "garden"]
)
fields = st.sampled_from(
    [
        "Items.GENRES",
        "Items.PRICE",
        "Items.STOCK",
        "Items.COLOUR",
        "Items.IS_NEW",
        "Interactions.EVENT_TYPE",
        "Users.AGE",
        "CurrentUser.AGE",
    ]
)
tests = st.one_of(
    st.builds("IN ({})".format, values),
    st.builds("NOT IN ({}, {})".format, values, values),
    st.builds("{} {}".format, st.sampled_from(["=", "!=", "<", ">=", "LIKE", "IN"]), values),
)
conditions = st.builds("{} {}".format, fields, tests)
expressions = st.builds(
    "{} {} WHERE {}{}{}".format,
    st.sampled_from(["INCLUDE", "EXCLUDE", "include", "SELECT"]),
    st.sampled_from(["ItemID", "ItemID", "ItemID", "UserID", "Item"]),
    conditions,
    st.one_of(st.just(""), st.builds(" {} {}".format, st.sampled_from(["AND", "OR"]), conditions)),
    st.one_of(st.just(""), st.just(""), st.builds(" IF {}".format, conditions)),
)
likely = st.builds(
    "{} ItemID WHERE {}".format,
    st.sampled_from(["INCLUDE", "EXCLUDE"]),
    st.sampled_from(
        [
            'Items.GENRES IN ("garden")',
            "Items.GENRES IN ($A)",
            "Items.PRICE > 5",
            "Items.STOCK <= $B",
            'Interactions.EVENT_TYPE IN ("buy")',
        ]
    ),
)
filters = st.one_of(
    likely, expressions, st.builds("{} | {}".format, likely, likely | expressions), st.text(min_size=1, max_size=40)
)


def test_any_filter(client: Client, group: str, raw: dict[str, Any]) -> None:
    verdicts = Verdicts()

    @MANY
    @given(filters)
    def same(expression: str) -> None:
        found = first_problem(raw | {"filters": {"x": expression}}, "filters.x") or ""
        if "there is no event type" in found:
            return  # the shop's own rule
        theirs = ""
        try:
            client.personalize.create_filter(name=f"any-{next(_numbers)}", datasetGroupArn=group, filterExpression=expression)
        except client.personalize.exceptions.InvalidInputException as error:
            theirs = error.response["Error"]["Message"]
        verdicts[not theirs] += 1
        assert bool(found) == bool(theirs)
        assert columns([found]) == columns([theirs])

    same()
    verdicts.both()


# Schemas

types = st.sampled_from(
    ["string", "int", "long", "float", "double", "boolean", ["null", "string"], ["float", "null"], "null", ["int", "string"], 5]
)
flags = st.sampled_from([True, True, False, "true", None, 1])
names = st.sampled_from(
    ["GENRES", "PRICE", "CREATION_TIMESTAMP", "creationTimestamp", "ITEM_ID", "A", "B_1", "B1", "a-b", "", "1A"]
)
entries = st.fixed_dictionaries(
    {"name": names, "type": types}, optional={"categorical": flags, "textual": flags, "itemName": st.booleans()}
) | st.fixed_dictionaries({"name": st.sampled_from("PQRSTUV"), "type": st.sampled_from(["int", "string", ["null", "float"]])})


def test_any_schema(client: Client, raw: dict[str, Any]) -> None:
    verdicts = Verdicts()

    @MANY
    @given(st.lists(entries, max_size=4), st.sampled_from(["Items", "Items", "Items", "items", "Item"]))
    def same(more: list[dict[str, Any]], name: str) -> None:
        document = json.loads(cases.items(*more)) | {"name": name}
        datasets = {**raw["datasets"], "items": {"schema": document}}
        ours = first_problem(raw | {"datasets": datasets}, "datasets.items.schema")
        try:
            client.personalize.create_schema(name=f"any-{next(_numbers)}", schema=json.dumps(document))
            theirs = None
        except client.personalize.exceptions.InvalidInputException as error:
            theirs = error.response["Error"]["Message"]
        verdicts[theirs is None] += 1
        assert (ours is None) == (theirs is None)
        assert place_of(ours or "") == place_of(theirs or "")

    same()
    verdicts.both()


# CSVs

text = st.sampled_from(
    ["toys", "garden|toys", "", '"a, b"', '"a ""b"""', '"a \\"b\\" \\\\"', "back\\slash", '"open', 'a "b"', '"a"b', "한", " x "]
)
number = st.sampled_from(["1", "9.5", "", "-3", "1e3", "nan", "1_000", " 12", "1e400", "x", "2147483648", '"7"', "+1", "٣"])
good_row = st.builds("i{},toys,Title,,9.5,3,true,1700000000".format, st.integers(0, 9))
odd_row = st.builds(
    "{},{},{},{},{},{},{},{}".format,
    text, text, text, text, number, number, st.sampled_from(["true", "false", "", "True", "1"]), number,
)  # fmt: skip
rows = st.one_of(good_row, good_row, good_row, odd_row, st.text('a,"\\\r; ', max_size=12))
headers = st.sampled_from(
    [cases.HEADERS["items"]] * 6 + [cases.HEADERS["items"].lower(), cases.HEADERS["items"].replace("GENRES,", ""), ""]
)
files = st.builds(
    lambda header, lines, end: (end.join([header, *lines])).encode(),
    headers,
    st.lists(rows, max_size=4),
    st.sampled_from(["\n", "\r\n"]),
)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, raw: dict[str, Any]) -> Config:
    file = tmp_path_factory.mktemp("config") / "shop.yaml"
    file.write_text(yaml.safe_dump(raw))
    return load_config(file)


def test_any_csv(config: Config, tmp_path: Path) -> None:
    verdicts = Verdicts()
    schemas = {"ITEMS": parse_schema(cases.SCHEMAS["items"])}

    @MANY
    @given(st.lists(files, min_size=1, max_size=2))
    def same(contents: list[bytes]) -> None:
        folder = tmp_path / str(next(_numbers))
        (folder / "items").mkdir(parents=True)
        for position, content in enumerate(contents):
            (folder / "items" / f"{position}.csv").write_bytes(content)
        found = csv_folder.check(csv_folder.look_into(folder, config), config, whole=True, kinds=["items"])
        errors = [f for f in found if f.severity == "error"]
        ours = min(
            (Place(position_of(f.file), f.line, f.column) for f in errors),
            key=lambda place: (place.file, place.line),
            default=None,
        )
        store = DatasetStore(folder / "store", schemas)  # type: ignore[arg-type]
        theirs = None
        try:
            store.import_csv("ITEMS", [(f"{n}.csv", io.BytesIO(content)) for n, content in enumerate(contents)], "FULL")
        except ImportFailed as error:
            theirs = place_in(error.reason)
        finally:
            store.close()
        verdicts[theirs is None] += 1
        assert ours == theirs

    same()
    verdicts.both()
