"""Spark reads CSVs to the same cells as an import, and writes what an import takes, whatever stands in them."""

from __future__ import annotations

import gzip
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from personalize_rules.schemas import parse_schema
from tests.glue.conftest import SCHEMA, Job, imported
from tests.personalize_rules import cases

COUNT = {"name": "COUNT", "type": ["null", "int"]}
SCHEMA_TEXT = json.dumps({**SCHEMA, "fields": [*SCHEMA["fields"], COUNT]})
#: A run of Spark takes seconds: few examples with many lines each, and none made smaller.
FEW = settings(max_examples=3, phases=[Phase.generate], deadline=None, suppress_health_check=list(HealthCheck), database=None)
odd = st.text(st.sampled_from('ab,"\\ é한|\t\u2028\x85'), min_size=1, max_size=8)
raw = st.one_of(
    odd, st.just(""), odd.map(lambda text: f'"{text}"'), st.sampled_from(['""', '"a""b"', '"a\\"b"', "back\\slash", "a\\\\b"])
)


@FEW
@given(lines=st.lists(st.tuples(raw, raw, raw), min_size=150, max_size=200), ending=st.sampled_from(["\n", "\r\n"]))
def test_spark_reads_what_an_import_reads(
    run_job: Job, tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[str, str, str]], ending: str
) -> None:
    import archive

    schema = parse_schema(SCHEMA_TEXT)
    header = "user_id,ITEM_ID,TIMESTAMP,EVENT_TYPE,EVENT_VALUE,more,DEVICE,PRICE_PAID,COUNT"
    records = [f"{user},{item},1700000000,view,,{more},{user},1.5," for user, item, more in lines]
    accepted = [
        line
        for line in records
        if not [n for n in imported(schema, {"a": f"{header}\n{line}".encode()})[1] if n.severity == "error"]
    ]
    folder = tmp_path_factory.mktemp("csv")
    (folder / "below").mkdir()
    halves = {"a.CSV": accepted[::2], "b": ["", *accepted[1::2], ""], "below/c.csv": accepted, "empty.csv": []}
    for name, half in halves.items():
        (folder / name).write_bytes(ending.join([header, *half]).encode() if half else b"")
    files = {name: (folder / name).read_bytes() for name in ("a.CSV", "b")}
    wanted, _ = imported(schema, files)
    assert len(wanted) == len(accepted)
    read = archive.read_csv(archive.session("test"), f"file://{folder}")
    found = [{field.name: row[field.name] or "" for field in schema.fields} for row in read.collect()] if read else []
    assert sorted(map(sorted_cells, found)) == sorted(map(sorted_cells, wanted))


def test_spark_reads_every_accepted_csv_of_the_table(run_job: Job, tmp_path: Path) -> None:
    """Files with one header are read together: Spark takes a second for each read."""
    import archive

    together: dict[tuple[str, bytes], list[bytes]] = {}
    for case in cases.CSV_CASES:
        for content in case.files if case.line is None else ():
            together.setdefault((case.kind, content.split(b"\n")[0].rstrip(b"\r")), []).append(content)
    assert sum(map(len, together.values())) >= 20
    spark = archive.session("test")
    for number, ((kind, _), contents) in enumerate(together.items()):
        schema, files = parse_schema(cases.SCHEMAS[kind]), {f"{place}.csv": content for place, content in enumerate(contents)}
        wanted, notes = imported(schema, files)
        assert [note for note in notes if note.severity == "error"] == []
        folder = tmp_path / str(number)
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        read = archive.read_csv(spark, f"file://{folder}")
        assert read is not None
        found = [{field.name: row[field.name] or "" for field in schema.fields} for row in read.collect()]
        assert sorted(map(sorted_cells, found)) == sorted(map(sorted_cells, wanted))


def sorted_cells(row: dict[str, str]) -> list[tuple[str, str]]:
    return sorted(row.items())


values = st.one_of(
    st.text(st.characters(blacklist_categories=["Cs"]), max_size=12),
    st.sampled_from(
        ["nan", "Infinity", "1e400", "-1", "2147483648", " 7", "true", "x" * 1001, '"', "\\", "a\r\nb", "back\\slash"]
    ),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
)
ids = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=12) | st.sampled_from(
    ["x" * 257, "u1", "#u", "u,2", 'u"3', "u\\4"]
)
bodies = st.fixed_dictionaries(
    {"event_type": st.just("view"), "session_id": st.sampled_from(["s1", "s2", "s3"]), "item_id": ids},
    optional={
        "user_id": ids,
        "event_value": st.floats(allow_nan=False, allow_infinity=False),
        "properties": st.dictionaries(st.sampled_from(["device", "count", "other"]), values, max_size=3),
    },
)


@FEW
@given(events=st.lists(bodies, min_size=100, max_size=150))
def test_an_import_takes_what_spark_writes(
    run_job: Job, tmp_path_factory: pytest.TempPathFactory, events: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("rebuilt")
    day = folder / "events" / "year=2026" / "month=10" / "day=05" / "hour=00"
    day.mkdir(parents=True)
    at = 1_791_000_000_000
    records = [{"kind": "event", "received_at": at + n, "id": f"r{n}", "body": body} for n, body in enumerate(events)]
    (day / "a.gz").write_bytes(gzip.compress("".join(f"{json.dumps(record)}\n" for record in records).encode()))
    told = run_job("interactions", archive=folder / "events", output=folder / "out", schema=SCHEMA_TEXT)
    files = {file.name: file.read_bytes() for file in sorted((folder / "out").glob("*.csv"))}
    found, notes = imported(parse_schema(SCHEMA_TEXT), files)
    assert [note for note in notes if note.severity == "error"] == []
    assert [note for note in notes if "reserved keyword" not in note.rule] == []
    assert len(found) == told["written"]
    assert told["records"] == len(events) == sum(told[name] for name in told) - told["records"]
    sent = {(body["item_id"], body.get("user_id")) for body in events}
    users = {user for _, user in sent if user}
    assert {row["USER_ID"] for row in found} <= users
    assert {row["ITEM_ID"] for row in found} <= {item for item, _ in sent}
    assert all(any(ok in text for ok in itertools.chain("\n\r\0")) is False for row in found for text in row.values())
