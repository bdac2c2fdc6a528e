"""The Spark jobs on a seeded archive, against the same figures in plain Python."""

from __future__ import annotations

import gzip
import json
from collections import Counter, defaultdict
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from personalize_rules.schemas import parse_schema
from tests.glue import visits
from tests.glue.conftest import SCHEMA, Job, imported
from tests.glue.visits import NOW, Visit, days_ago

TODAY = NOW.date().isoformat()
ERASED = ("u3", "u7", visits.ODD_USER)
IMPORTED = f'USER_ID,ITEM_ID,TIMESTAMP\nc1,i1,{days_ago(2):.0f}\nc2,"c,item",{days_ago(80):.0f}\nu3,i1,{days_ago(1):.0f}\n'


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("with space") / "events"
    visits.write(folder)
    return folder


@pytest.fixture(scope="module")
def shop(archive: Path) -> dict[str, Any]:
    """The arguments that all jobs take."""
    erased = archive.parent / "erased.jsonl"
    erased.write_text("".join(json.dumps({"user_id": user}) + "\n" for user in ERASED))
    return {"archive": archive, "erased": erased}


@pytest.fixture(scope="module")
def interactions(archive: Path) -> Path:
    folder = archive.parent / "datasets" / "interactions"
    (folder / "below").mkdir(parents=True)
    (folder / "export.csv").write_text(IMPORTED)
    (folder / "below" / "not-imported.csv").write_text(f"USER_ID,ITEM_ID,TIMESTAMP\nhidden,i1,{days_ago(1):.0f}\n")
    return folder


def json_lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for file in sorted(folder.glob("*.json")) for line in file.read_text().splitlines()]


def active(days: int) -> list[Visit]:
    return [visit for visit in visits.visits() if visit.time >= days_ago(days)]


def test_input_of_active_users(run_job: Job, shop: dict[str, Any], interactions: Path, tmp_path: Path) -> None:
    told = run_job(
        "batch_input", **shop, interactions=interactions, output=tmp_path / "out", kind="users", active_days=10, users_per_file=7,
        now=NOW.isoformat(),
    )  # fmt: skip
    wanted = {visit.user for visit in active(10) if visit.user} | {"c1", "u1"}
    found = json_lines(tmp_path / "out")
    assert sorted(line["userId"] for line in found) == sorted(wanted - set(ERASED))
    files = list((tmp_path / "out").iterdir())
    assert all(file.suffix == ".json" for file in files)
    assert (told["lines"], told["files"]) == (len(found), len(files))
    assert max(len(file.read_text().splitlines()) for file in files) <= 8
    assert sum(told["rejected"].values()) == 2  # of the days that are read
    assert 0 < told["exposures"] < len(list(visits.exposures()))


def test_input_of_items(run_job: Job, shop: dict[str, Any], interactions: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    run_job("batch_input", **shop, interactions=interactions, output=output, kind="items", active_days=90, now=NOW.isoformat())
    wanted = {visit.item for visit in visits.visits() if visit.item} | {"i1", "c,item", visits.BROKEN_ITEM}
    assert sorted(line["itemId"] for line in json_lines(output)) == sorted(wanted)


def test_input_of_rankings(run_job: Job, shop: dict[str, Any], interactions: Path, tmp_path: Path) -> None:
    candidates = tmp_path / "candidates.txt"
    given = {**shop, "interactions": interactions, "kind": "rankings", "active_days": 5, "now": NOW.isoformat()}
    candidates.write_text(f"i2\n\ni1\n{'x' * 30}\n")
    run_job("batch_input", **given, output=tmp_path / "out", candidates=candidates)
    lines = json_lines(tmp_path / "out")
    assert {line["userId"] for line in lines} >= {visit.user for visit in active(5) if visit.user} - set(ERASED)
    assert all(line["itemList"] == ["i1", "i2", "x" * 30] for line in lines)
    candidates.write_text("\n".join(f"i{number}" for number in range(501)))
    with pytest.raises(SystemExit, match="names 501 items; a ranking takes 1 to 500"):
        run_job("batch_input", **given, output=tmp_path / "none", candidates=candidates)
    assert not (tmp_path / "none").exists()


def test_input_that_a_job_would_refuse(
    run_job: Job, shop: dict[str, Any], interactions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import batch_input

    monkeypatch.setattr(batch_input, "MAX_BATCH_BYTES", 100)
    with pytest.raises(SystemExit, match="a batch job takes 1 GB"):
        run_job("batch_input", **shop, interactions=interactions, output=tmp_path / "out", kind="users", active_days=90)
    assert not (tmp_path / "out").exists()


def csv_rows(folder: Path) -> list[dict[str, str]]:
    """As an import reads them; nothing of them may be refused or odd."""
    found, notes = imported(
        parse_schema(json.dumps(SCHEMA)), {file.name: file.read_bytes() for file in sorted(folder.glob("*.csv"))}
    )
    assert notes == []
    return found


def test_interactions_are_rebuilt(run_job: Job, shop: dict[str, Any], tmp_path: Path) -> None:
    told = run_job(
        "interactions", **shop, output=tmp_path / "out", schema=json.dumps(SCHEMA), event_types="view,cart,buy", archive_only="visit"
    )  # fmt: skip
    known = [visit for visit in visits.visits() if visit.user and visit.kind != "visit"]
    kept = [visit for visit in known if visit.user not in ERASED]
    found = csv_rows(tmp_path / "out")
    assert list(found[0]) == [field["name"] for field in SCHEMA["fields"]]
    columns = ("USER_ID", "ITEM_ID", "TIMESTAMP", "EVENT_TYPE", "DEVICE")
    wanted = [(visit.user, visit.item, str(int(visit.time)), visit.kind, visit.body["properties"]["device"]) for visit in kept]
    assert Counter(tuple(row[name] for name in columns) for row in found) == Counter(wanted)
    values = Counter(float(row["EVENT_VALUE"]) for row in found if row["EVENT_VALUE"])
    assert values == Counter(float(visit.body["event_value"]) for visit in kept if "event_value" in visit.body)
    lines, exposures = list(visits.records()), list(visits.exposures())
    rejected = json_lines(tmp_path / "out" / "rejected")
    assert told == {
        "records": len(lines) + len(exposures) + len(list(visits.unusable())) + sum(bool(line) for line in visits.MALFORMED),
        "duplicates": len(lines) - len(visits.visits()),
        "written": len(found),
        "archive_only": sum(visit.kind == "visit" for visit in visits.visits()),
        "anonymous": sum(visit.user is None and visit.kind != "visit" for visit in visits.visits()),
        "erased": len(known) - len(kept),
        "exposures": len(exposures),
        "rejected": len(rejected),
    }
    reasons = Counter(line["reason"] for line in rejected)
    assert reasons == {
        "the line is not a record of an event": 4,  # an event value that is no number among them
        "kind: is not 'event'": 1,
        "event_type: there is no event type 'like'": 1,
        "ITEM_ID: is missing": 1,
        "ITEM_ID: has a line break or a NUL character": 1,
        "timestamp: looks like milliseconds; it is in seconds since 1970": 1,
        "PRICE_PAID: 'much' is not a value of type float": 1,
    }


def went_through(events: list[Visit]) -> bool:
    done = 0
    for visit in sorted(events, key=lambda visit: visit.time):
        done += done < 3 and visit.kind == ("view", "cart", "buy")[done]
    return done == 3


def later(day: str, days: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()


def test_retention_conversion_and_churn(run_job: Job, shop: dict[str, Any], tmp_path: Path) -> None:
    told = run_job("retention", **shop, output=tmp_path / "out", now=NOW.isoformat(), funnel="view,cart,buy", churn_days=14)
    assert sum(told["rejected"].values()) == 6
    assert told["exposures"] == len(list(visits.exposures()))
    table = duckdb.read_parquet(f"{tmp_path}/out/*/*.parquet", hive_partitioning=True)
    found = {(str(row[0]), row[1]): dict(zip(table.columns, row, strict=True)) for row in table.fetchall()}
    assert len(found) == told["rows"]
    # The record of an unknown type counts here: it is an event of that type.
    like = Visit("w0", 0, NOW.timestamp() - 5, "w", "u1", "like", "i1", {})
    more = [Visit(f"w{n}", 0, NOW.timestamp() - 5, "w", "u1", "view", "i1", {}) for n in (1, 3, 5)]
    everything = [visit for visit in [*visits.visits(), like, *more] if visit.user not in ERASED]
    for kind in ("all", "view", "buy", "visit"):
        events = [visit for visit in everything if kind in ("all", visit.kind)]
        days: dict[str, dict[str, list[Visit]]] = defaultdict(lambda: defaultdict(list))
        for visit in events:
            if visit.user:
                days[visit.day][visit.user].append(visit)
        first = {user: min(day for day in days if user in days[day]) for user in {visit.user for visit in events if visit.user}}
        last = {user: max(day for day in days if user in days[day]) for user in first}
        for day in {visit.day for visit in events}:
            row, users = found[day, kind], set(days[day])
            new = {user for user in users if first[user] == day}
            assert row["events"] == sum(visit.day == day for visit in events), (day, kind)
            assert (row["users"], row["new_users"]) == (len(users), len(new))
            assert row["returning_users"] == len(users) - len(new)
            if kind == "all":
                converted = sum(went_through(days[day][user]) for user in users)
                assert row["converted_users"] == converted
                assert row["conversion"] == (converted / len(users) if users else None)
            for after in (1, 7, 30):
                again = later(day, after)
                share = len(new & set(days[again])) / len(new) if new and again < TODAY else None
                assert row[f"retention_{after}"] == share, (day, kind, after)
            churned = sum(last[user] == day for user in users) if later(day, 14) < TODAY else None
            assert row["churned_users"] == churned


def lines_of(archive: Path) -> dict[Path, list[str]]:
    return {file: gzip.decompress(file.read_bytes()).decode().split("\n")[:-1] for file in sorted(archive.rglob("*.gz"))}


FEW_DAYS = (6, 120)
#: How the lines begin that are no malformed ones.
RECORDS = ('{"kind": "event", "received_at": 1', '{"kind": "exposure", "received_at": 1')


@pytest.fixture
def short(tmp_path: Path) -> Path:
    """An archive of few days, for a test to change."""
    visits.write(tmp_path / "events", *FEW_DAYS)
    return tmp_path / "events"


def kept_lines(before: dict[Path, list[str]]) -> dict[Path, list[str]]:
    """Every line but those of erased users, in order."""
    events = visits.visits(*FEW_DAYS)
    gone = {visit.identity for visit in events if visit.user in ERASED}
    owner = {visit.session: visit.user for visit in events if visit.user}

    def stays(line: str) -> bool:
        if not line.startswith(RECORDS):
            return True
        record = json.loads(line)
        body = record["body"]
        if record["kind"] == "exposure":
            return (body.get("user_id") or owner.get(body["session_id"])) not in ERASED
        return body.get("event_id", record["id"]) not in gone

    return {file: [line for line in lines if stays(line)] for file, lines in before.items()}


def test_erased_users_leave_the_archive(run_job: Job, shop: dict[str, Any], short: Path) -> None:
    before, stats = lines_of(short), {file: file.stat() for file in short.rglob("*.gz")}
    told = run_job("erasure", archive=short, erased=shop["erased"], staging=short.parent / "staging")
    wanted = {file: lines for file, lines in kept_lines(before).items() if lines}
    assert lines_of(short) == wanted
    changed = {file for file in before if wanted.get(file) != before[file]}
    assert told["files"] == len(changed)
    assert told["lines"] == sum(len(before[file]) for file in changed) == told["kept"] + told["erased"]
    kept = [json.loads(line) for line in _records(wanted)]
    exposures = [record["body"] for record in kept if record["kind"] == "exposure"]
    assert all(any(who in body for body in exposures) for who in ("user_id", "session_id"))
    assert told["malformed"] <= len(visits.MALFORMED) + 2 < len(exposures), "an exposure is no malformed line"
    untouched = set(before) - changed
    assert untouched
    assert all(file.stat().st_mtime_ns == stats[file].st_mtime_ns for file in untouched)
    assert [path.name for path in short.parent.iterdir()] == ["events"]
    assert run_job("erasure", archive=short, erased=shop["erased"], staging=short.parent / "staging")["files"] == 0


def test_an_erasure_that_is_interrupted_loses_nothing_and_is_done_by_the_next(
    run_job: Job, shop: dict[str, Any], short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import erasure

    before, replace = lines_of(short), erasure.replace
    done: list[None] = []

    def fails_later(*arguments: Any) -> None:
        if len(done) == 2:
            raise OSError("killed")
        done.append(replace(*arguments))

    with monkeypatch.context() as patch:
        patch.setattr(erasure, "replace", fails_later)
        with pytest.raises(OSError, match="killed"):
            run_job("erasure", archive=short, erased=shop["erased"], staging=short.parent / "staging")
    half = lines_of(short)
    wanted = kept_lines(before)
    assert all(set(lines) <= set(half.get(file, [])) for file, lines in wanted.items())
    run_job("erasure", archive=short, erased=shop["erased"], staging=short.parent / "staging")
    assert all(not line or json.loads(line)["body"].get("user_id") not in ERASED for line in _records(lines_of(short)))


def test_what_a_job_that_died_had_staged_is_gone_after_the_next_run_even_with_nothing_to_erase(
    run_job: Job, shop: dict[str, Any], short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Staged are the events of users: the next run need not wait for the lifecycle rule that deletes them in the end."""
    import erasure

    def dies(*_: Any) -> None:
        raise OSError("killed")

    staging = short.parent / "events-staging"
    with monkeypatch.context() as patch:
        patch.setattr(erasure, "replace", dies)
        with pytest.raises(OSError, match="killed"):
            run_job("erasure", archive=short, erased=shop["erased"], staging=staging)
    assert list(staging.rglob("*.gz"))
    before = lines_of(short)
    nobody = short.parent / "nobody.jsonl"
    nobody.touch()
    assert run_job("erasure", archive=short, erased=nobody, staging=staging)["files"] == 0
    assert not staging.exists()
    assert lines_of(short) == before


def _records(files: dict[Path, list[str]]) -> list[str]:
    return [line for lines in files.values() for line in lines if line.startswith(RECORDS)]


@pytest.mark.parametrize("made", [False, True])
def test_an_empty_archive(run_job: Job, tmp_path: Path, made: bool) -> None:
    archive, output = tmp_path / "events", tmp_path / "out"
    if made:
        archive.mkdir()
    nothing = {"archive": archive, "erased": tmp_path / "none.jsonl"}
    told = run_job("batch_input", **nothing, interactions=tmp_path / "none", output=output, kind="users", active_days=9)
    nothing_read = {"rows_read": 0, "rows_used": 0, "rows_dropped": {}}
    assert told == {"lines": 0, "files": 0, "exposures": 0, "rejected": {}, **nothing_read}
    told = run_job("interactions", **nothing, output=output / "csv", schema=json.dumps(SCHEMA))
    assert set(told.values()) == {0}
    assert [file.read_text() for file in (output / "csv").glob("*.csv")] == [
        "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE,EVENT_VALUE,DEVICE,PRICE_PAID\n"
    ]
    assert run_job("retention", **nothing, output=output / "table", now=NOW.isoformat()) == {
        "rows": 0,
        "exposures": 0,
        "rejected": {},
    }
    assert run_job("erasure", **nothing, staging=tmp_path / "staging")["files"] == 0


def test_lines_that_spark_cannot_read_are_erased_by_the_strings_in_them(
    run_job: Job, shop: dict[str, Any], tmp_path: Path
) -> None:
    """The API takes any depth and any number; put_events makes dead letters of them, and the archive has them all the same."""
    deep, long = "[" * 3000 + "]" * 3000, "1" * 2000

    def line(user: str, more: str) -> str:
        return f'{{"kind":"event","received_at":1,"id":"x","body":{{"user_id":{user},"more":{more},"session_id":"s"}}}}'

    kept = [line('"u1"', deep), line('"u1"', long), line('"u33"', deep), '{"kind": "ev', "[1, 2]", line('"a \\" u3 \\\\"', deep)]
    kept[3] = "[3"
    gone = [line('"u3"', deep), line('"\\u0075\\u0033"', long), line(json.dumps(visits.ODD_USER), deep)]
    gone += [line(json.dumps("가" * 5000), '["u7", 1e5, ' + deep + "]")]
    file = tmp_path / "events" / "a.gz"
    file.parent.mkdir()
    file.write_bytes(gzip.compress("\n".join([*kept, *gone, ""]).encode()))
    told = run_job("erasure", archive=file.parent, erased=shop["erased"], staging=tmp_path / "staging")
    assert gzip.decompress(file.read_bytes()).decode().splitlines() == kept
    assert (told["erased"], told["undecided"]) == (len(gone), 0)
    cut = line('"u3"', "1")[:-40]
    file.write_bytes(gzip.compress("\n".join([cut, *gone, ""]).encode()))
    with pytest.raises(SystemExit, match="1 lines of the archive can't be read, and may name an erased user"):
        run_job("erasure", archive=file.parent, erased=shop["erased"], staging=tmp_path / "staging")
    assert gzip.decompress(file.read_bytes()).decode().splitlines() == [cut]


def test_rows_of_no_use_are_counted_and_too_many_end_the_job(run_job: Job, shop: dict[str, Any], tmp_path: Path) -> None:
    csvs = tmp_path / "interactions"
    csvs.mkdir()
    good = "".join(f"c{n},i1,{days_ago(2):.0f}\n" for n in range(200))
    given: dict[str, Any] = {**shop, "interactions": csvs, "kind": "users", "active_days": 90, "now": NOW.isoformat()}
    (csvs / "a.csv").write_text(f"USER_ID,ITEM_ID,TIMESTAMP\n{good},i1,{days_ago(2):.0f}\nc1,i1,yesterday\n")
    told = run_job("batch_input", **given, output=tmp_path / "out")
    assert {reason: count for reason, count in told["rows_dropped"].items() if "CSV" in reason} == {
        "CSV: the USER_ID is empty": 1,
        "CSV: the TIMESTAMP is no number": 1,
    }
    assert told["rows_read"] == told["rows_used"] + sum(told["rows_dropped"].values())
    assert told["rows_dropped"].items() >= told["rejected"].items()
    (csvs / "a.csv").write_text(f"USER_ID,ITEM_ID,TIMESTAMP\n{good}" + f",i1,{days_ago(2):.0f}\n" * 3)
    with pytest.raises(SystemExit, match="of 3 the USER_ID is empty, of 203 rows of the CSVs of interactions: correct them"):
        run_job("batch_input", **given, output=tmp_path / "none")
    assert not (tmp_path / "none").exists()
