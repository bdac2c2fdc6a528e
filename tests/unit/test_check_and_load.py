"""`reco check` and `reco load`: which files of a folder are taken, what is said of the others, and what reaches the bucket."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from reco.cli import app
from reco.commands.load import load_folder
from reco.errors import RecoError
from tests.harness.shop_csvs import csv_text, rows, write
from tests.unit.conftest import SHOP, Deployment

BOM = b"\xef\xbb\xbf"


def check(folder: Path, *options: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["check", str(folder), "-c", str(SHOP), *options])
    return done.exit_code, done.stdout


def findings(folder: Path) -> list[dict[str, Any]]:
    code, said = check(folder, "--json")
    found: list[dict[str, Any]] = json.loads(said)["findings"]
    assert code == int(any(finding["severity"] == "error" for finding in found))
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The CSVs of the shop."""
    return write(tmp_path / "csv")


def test_good_csvs(folder: Path) -> None:
    assert check(folder) == (0, f"{folder} can be loaded: interactions, items, users.\n")
    assert findings(folder) == []


def test_a_finding_names_file_line_column_rule_and_severity(folder: Path) -> None:
    lines = csv_text("items", rows()["items"]).splitlines()
    lines[4] = lines[4].replace(".50,3,", ".50,many,")
    lines[6] = lines[6].replace(".50,5,", ".50,none,")
    (folder / "items.csv").write_text("\n".join(lines))
    first, second = findings(folder)
    assert {key: first[key] for key in ("file", "line", "column", "severity")} == {
        "file": f"{folder}/items.csv",
        "line": 5,
        "column": "STOCK",
        "severity": "error",
    }
    assert first["rule"] == "is 'many', not a whole number"
    assert (second["line"], first["count"], second["count"]) == (7, 2, 2)
    code, said = check(folder)
    assert code == 1
    assert said == (
        f"error: {folder}/items.csv, line 5, column STOCK: is 'many', not a whole number (and 1 more like this, in line 7)\n"
    )


def test_names_are_taken_in_any_case(folder: Path) -> None:
    (folder / "items.csv").rename(folder / "Items.CSV")
    (folder / "INTERACTIONS").mkdir()
    (folder / "interactions.csv").rename(folder / "INTERACTIONS" / "NEW.CSV")
    assert findings(folder) == []


def test_what_is_left_out_is_named(folder: Path) -> None:
    (folder / "notes.txt").write_text("")
    (folder / "currencies.csv").write_text("")
    (folder / ".~lock.items.csv#").write_text("")
    (folder / "users.csv").rename(folder / "u")
    (folder / "users").mkdir()
    (folder / "u").rename(folder / "users" / "a.csv")
    (folder / "users" / "readme.md").write_text("")
    assert sorted((Path(f["file"]).name, f["rule"]) for f in findings(folder)) == [
        (".~lock.items.csv#", "is left out: its name is that of no dataset"),
        ("currencies.csv", "is left out: its name is that of no dataset"),
        ("notes.txt", "is left out: its name is that of no dataset"),
        ("readme.md", "is left out: it is no CSV"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("items.csv", "items.xlsx", "is no CSV: save the items as CSV, or take the file away"),
        ("items.csv", "items.csv.gz", "is no CSV: save the items as CSV, or take the file away"),
        ("items.csv", "items_today.csv", "its name is that of no dataset, and there is no items.csv: rename it, or take it away"),
    ],
)
def test_what_cannot_be_used_is_refused(folder: Path, old: str, new: str, rule: str) -> None:
    (folder / old).rename(folder / new)
    errors = {Path(f["file"]).name: f["rule"] for f in findings(folder) if f["severity"] == "error"}
    assert errors[new] == rule


@pytest.mark.parametrize(
    "new", ["interactions-2026-11-30.csv", "2026-11-30 Interactions.CSV", "interactions_new.csv.gz", "interactions2/a.csv"]
)
def test_a_name_that_is_almost_a_datasets_is_refused(folder: Path, bucket: Bucket, new: str) -> None:
    """Nobody trains on yesterday's file because today's has another name."""
    (folder / new).parent.mkdir(exist_ok=True)
    (folder / new).write_text(csv_text("interactions", rows()["interactions"]))
    (finding,) = findings(folder)
    assert (finding["file"], finding["severity"]) == (f"{folder}/{new.partition('/')[0]}", "error")
    assert finding["rule"] == (
        f"its name is almost that of the interactions, for which {folder}/interactions.csv is taken: "
        "keep the one you mean, as interactions.csv, or both in a folder interactions/"
    )
    with pytest.raises(RecoError, match="Nothing was uploaded"):
        load(bucket, folder)
    assert bucket.objects() == {}


def test_two_sources_of_one_dataset_are_refused(folder: Path) -> None:
    (folder / "items").mkdir()
    (folder / "items" / "a.csv").write_text(csv_text("items", rows()["items"]))
    (finding,) = findings(folder)
    assert (finding["severity"], finding["rule"].split(":")[0]) == (
        "error",
        "is for the items too, as " + f"{folder}/items/a.csv is",
    )


def test_an_empty_folder_of_a_dataset_is_refused(folder: Path) -> None:
    (folder / "items.csv").unlink()
    (folder / "items").mkdir()
    assert "holds no CSV of the items" in [f["rule"] for f in findings(folder)]


def test_a_folder_that_is_none(tmp_path: Path, bucket: Bucket) -> None:
    (tmp_path / "a.file").write_text("")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "interactions.csv").symlink_to(tmp_path / "none")
    for place, file, rule in (
        (tmp_path / "none", "", "is not a folder: give one that"),
        (tmp_path / "a.file", "", "is not a folder: give one that"),
        (tmp_path, "", "holds none of interactions.csv, items.csv, users.csv"),
        (tmp_path / "broken", "/interactions.csv", "can't be read: No such file or directory"),
    ):
        finding = findings(place)[-1]
        assert (finding["file"], finding["line"], finding["severity"]) == (f"{place}{file}", None, "error")
        assert finding["rule"].startswith(rule)
        code, said = check(place)
        assert code == 1
        assert f"error: {place}{file}: {rule}" in said
        with pytest.raises(RecoError, match="Nothing was uploaded"):
            load(bucket, place)


def test_a_config_that_cannot_be_used_is_a_finding(folder: Path, tmp_path: Path) -> None:
    """Whatever goes wrong, `--json` says it as JSON."""
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("name: Shop!\ncolour: red\n")
    for config, rules in ((wrong, ("name: ", "colour: there is no such setting")), (tmp_path, (f"{tmp_path} can't be read",))):
        done = CliRunner().invoke(app, ["check", str(folder), "-c", str(config), "--json"])
        found = json.loads(done.stdout)["findings"]
        assert done.exit_code == 1
        assert {(f["file"], f["line"], f["severity"]) for f in found} == {(str(config), None, "error")}
        for rule in rules:
            assert any(f["rule"].startswith(rule) for f in found)


def test_a_byte_order_mark_is_a_warning_here(folder: Path) -> None:
    (folder / "users.csv").write_bytes(BOM + (folder / "users.csv").read_bytes())
    (finding,) = findings(folder)
    assert (finding["severity"], finding["line"]) == ("warning", 1)
    assert "byte order mark, which an import refuses: reco load leaves it out" in finding["rule"]


# Loading


class Bucket:
    """A deployment as far as loading needs one."""

    def __init__(self, shop: Deployment) -> None:
        self.shop = shop

    def client(self, service: str) -> Any:
        return self.shop.client(service)

    def output(self, capability: str, name: str) -> str:
        assert (capability, name) == ("storage", "DataBucket")
        return self.shop.bucket

    def objects(self) -> dict[str, bytes]:
        s3 = self.shop.client("s3")
        keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=self.shop.bucket).get("Contents", [])]
        return {key: s3.get_object(Bucket=self.shop.bucket, Key=key)["Body"].read() for key in keys}


@pytest.fixture
def bucket(shop: Deployment) -> Bucket:
    return Bucket(shop)


def load(bucket: Bucket, folder: Path, unchecked: bool = False) -> None:
    load_folder(bucket, bucket.shop.config, folder, unchecked, False)  # type: ignore[arg-type]


def test_loading_replaces_what_was_there(bucket: Bucket, folder: Path, tmp_path: Path) -> None:
    load(bucket, folder)
    before = bucket.objects()
    assert set(before) == {f"datasets/{kind}/{kind}.csv" for kind in ("interactions", "items", "users")}
    assert before["datasets/users/users.csv"] == (folder / "users.csv").read_bytes()
    (folder / "interactions").mkdir()
    (folder / "interactions.csv").rename(folder / "interactions" / "NEW.CSV")
    load(bucket, folder)
    assert set(bucket.objects()) == set(before) - {"datasets/interactions/interactions.csv"} | {"datasets/interactions/NEW.CSV"}


def test_a_byte_order_mark_is_not_loaded(bucket: Bucket, folder: Path) -> None:
    plain = (folder / "users.csv").read_bytes()
    (folder / "users.csv").write_bytes(BOM + plain)
    load(bucket, folder)
    assert bucket.objects()["datasets/users/users.csv"] == plain


def test_what_training_would_refuse_is_not_loaded(bucket: Bucket, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "users.csv").write_text("USER_ID;AGE;GENDER;MEMBERSHIP\nu1;20;F;\n")
    with pytest.raises(RecoError, match="Nothing was uploaded"):
        load(bucket, folder)
    assert "users.csv, line 1: the delimiter seems to be ;" in " ".join(capsys.readouterr().err.split())
    assert bucket.objects() == {}
    load(bucket, folder, unchecked=True)
    assert len(bucket.objects()) == 3


def test_yesterday_s_file_is_not_trained_on_because_today_s_has_another_name(bucket: Bucket, folder: Path) -> None:
    load(bucket, folder)
    before = bucket.objects()
    (folder / "interactions.csv").rename(folder / "interactions-2026-11-30.csv")
    with pytest.raises(RecoError, match="Nothing was uploaded"):
        load(bucket, folder)
    assert bucket.objects() == before


def test_some_datasets_may_be_loaded_by_themselves(bucket: Bucket, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load(bucket, folder)
    (folder / "interactions.csv").unlink()
    load(bucket, folder)
    assert "has no interactions: the next run takes those that were loaded before" in " ".join(capsys.readouterr().err.split())
