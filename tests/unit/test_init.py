"""`reco init` and `reco convert`: what they make of the exports of shops, what they say of rows and files that can't be used."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any, get_args

import pytest
from click.testing import Result
from typer.testing import CliRunner

from personalize_rules.csv import cells_of
from reco.cli import app
from reco.errors import RecoError
from reco.exports.cells import As
from reco.exports.language import SAID
from tests.harness.exports import ITEMS, OPENED, SHOPS, USERS, events, json_lines, price, quoted, semicolon, table, title


@pytest.fixture(autouse=True)
def a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands remember the config in the directory where they are called."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RECOSTACK_CONFIG")


def reco(*arguments: str | Path, answers: str = "", language: str = "C") -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments], input=answers, env={"LANG": language, "LC_ALL": ""})


def init(exports: Path, *flags: str, answers: str = "", language: str = "C") -> Result:
    return reco("init", exports, "--out", exports.parent / "mine", *flags, answers=answers, language=language)


def rows(path: Path) -> list[dict[str, str]]:
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    return [dict(zip(cells_of(header), cells_of(line), strict=True)) for line in lines]


def made(exports: Path, kind: str) -> list[dict[str, str]]:
    return rows(exports.parent / "mine" / "data" / f"{kind}.csv")


def error(result: Result) -> str:
    assert isinstance(result.exception, RecoError), result.output
    return str(result.exception)


@pytest.fixture(params=list(SHOPS))
def shop(request: pytest.FixtureRequest) -> str:
    return str(request.param)


#: What each export calls the users, the items and the event types of the shop underneath.
IDS: dict[str, tuple[Any, Any, dict[str, str]]] = {
    "semicolon": (lambda n: f"K{n}", lambda n: f"A-{n}", {"view": "Ansicht", "cart": "Warenkorb", "buy": "Kauf"}),
    "tabs": (lambda n: f"v{n}", lambda n: f"s{n}", {}),
    "quoted": (lambda n: f"{n}", lambda n: f"P{n:04}", dict.fromkeys(("view", "cart", "buy"), "buy")),
    "spreadsheet": (lambda n: f"{100_000 * (n + 1)}", lambda n: f"{n:04}", {}),
    "json_lines": (lambda n: f"u{n}", lambda n: f"i{n}", {}),
    "retail": (
        lambda n: f"{17850 + n}",
        lambda n: f"{85000 + n}{'A' if n % 3 == 0 else ''}",
        dict.fromkeys(("view", "cart", "buy"), "buy"),
    ),
}


def test_each_shop(shop: str, tmp_path: Path) -> None:
    """Every event arrives with its user, its item, the second in which it was, and its type; check and validate are content."""
    make, flags = SHOPS[shop]
    make(tmp_path / "exports")
    result = init(tmp_path / "exports", "--yes", *flags)
    assert result.exit_code == 0, result.output
    user, item, kinds = IDS[shop]
    exact = 60 if shop in ("spreadsheet", "retail") else 1  # these write no seconds
    expected = [
        (user(e.user), item(e.item), int(e.time.timestamp()) // exact * exact, kinds.get(e.kind, e.kind))
        for n, e in enumerate(events())
        if shop != "retail" or (n % 10 != 5 and n % 50 != 0)
    ]
    found = [
        (r["USER_ID"], r["ITEM_ID"], int(r["TIMESTAMP"]), r["EVENT_TYPE"]) for r in made(tmp_path / "exports", "interactions")
    ]
    assert Counter(found) == Counter(expected)
    assert sorted(row["ITEM_ID"] for row in made(tmp_path / "exports", "items")) == sorted(item(n) for n in range(ITEMS))
    mine = tmp_path / "mine"
    assert reco("validate", mine / "config.yaml").exit_code == 0
    assert reco("check", mine / "data", "-c", mine / "config.yaml").exit_code == 0
    assert not (mine / "rejected.csv").exists()


def test_cells_of_a_german_shop(tmp_path: Path) -> None:
    """Decimal commas, HTML, dates of birth before 1970, and no e-mail addresses."""
    semicolon(tmp_path / "exports")
    init(tmp_path / "exports", "--yes", "--timezone", "Europe/Berlin")
    item = made(tmp_path / "exports", "items")[5]
    assert item == {
        "ITEM_ID": "A-5",
        "BEZEICHNUNG": title(5),
        "WARENGRUPPE": "Hiking",
        "MARKE": "Bergfex",
        "PREIS": price(5),
        "BESTAND": "5",
        "BESCHREIBUNG": "Für Hiking ; gut & günstig. Nr. 5",
        "CREATION_TIMESTAMP": str(int(OPENED.timestamp()) - 5 * 86_400 - 3_600),
    }
    users = made(tmp_path / "exports", "users")
    assert len(users) == USERS
    assert set(users[0]) == {"USER_ID", "AGE", "ORT", "NEWSLETTER"}
    assert all(20 < int(user["AGE"]) < 90 for user in users)
    prices = {row["ITEM_ID"]: row["PREIS"] for row in made(tmp_path / "exports", "items")}
    assert prices == {f"A-{n}": price(n) for n in range(ITEMS)}


def test_converting_again_makes_the_same(tmp_path: Path) -> None:
    make, flags = SHOPS["semicolon"]
    make(tmp_path / "exports")
    init(tmp_path / "exports", "--yes", *flags)
    first = {path.name: path.read_bytes() for path in (tmp_path / "mine" / "data").iterdir()}
    result = reco("convert", tmp_path / "exports")  # with the mapping beside the config that `init` has chosen here
    assert result.exit_code == 0, result.output
    assert {path.name: path.read_bytes() for path in (tmp_path / "mine" / "data").iterdir()} == first


def test_rows_that_can_not_be_used_are_kept_with_their_reason(tmp_path: Path) -> None:
    quoted(tmp_path / "exports")
    orders = tmp_path / "exports" / "orders.csv"
    lines = orders.read_text(encoding="utf-8-sig").splitlines()
    lines[3] = lines[3].replace("2026-03", "2026-13")
    lines[8] += ',"more"'
    orders.write_text("\n".join(lines), encoding="utf-8")
    result = init(tmp_path / "exports", "--yes")
    assert result.exit_code == 0
    assert "2,998 rows" in result.output
    rejected = rows(tmp_path / "mine" / "rejected.csv")
    assert [(row["FILE"], row["LINE"]) for row in rejected] == [("orders.csv", "4"), ("orders.csv", "9")]
    assert rejected[0]["REASON"].startswith("column ordered_at: is '2026-13")
    assert "6 cells, the header 5" in rejected[1]["REASON"]


def test_a_conversion_that_rejects_much_fails(tmp_path: Path) -> None:
    quoted(tmp_path / "exports")
    init(tmp_path / "exports", "--yes")
    orders = tmp_path / "exports" / "orders.csv"
    orders.write_text(orders.read_text().replace("2026-03", "March "))
    result = reco("convert", tmp_path / "exports", "--mapping", tmp_path / "mine" / "mapping.yaml")
    assert "reject_at_most: 1% in the mapping" in error(result)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("file: orders.csv", "file: gone.csv"), "holds no gone.csv, which the mapping names"),
        (("from: ordered_at", "from: when"), "orders.csv: the header lacks when; it has order_id, customer_id"),
        (("as: time", "as: tyme"), "mapping.yaml: interactions[0].columns.TIMESTAMP.as: Input should be 'text'"),
        (("form: iso", "form: isso"), "'isso' is no form of a time: iso, seconds"),
        (("timezone: UTC", "timezone: Mars"), "timezone: 'Mars' is no time zone. Name one as Europe/Berlin"),
        (("encoding: utf-8-sig", "encoding: utf-9"), "there is no encoding 'utf-9'"),
        (("file: orders.csv", "file: ../orders.csv"), "must be the name of a file in the folder of exports"),
        (("interactions:", "interaction:"), "mapping.yaml: interactions: Field required"),
        (("timezone: UTC", "timezone: [UTC"), "can't be read as YAML"),
    ],
)
def test_a_wrong_mapping(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    quoted(tmp_path / "exports")
    init(tmp_path / "exports", "--yes")
    mapping = tmp_path / "mine" / "mapping.yaml"
    assert change[0] in mapping.read_text()
    mapping.write_text(mapping.read_text().replace(*change))
    assert said in error(reco("convert", tmp_path / "exports", "--mapping", mapping))


def test_it_asks_what_the_files_can_not_tell(tmp_path: Path) -> None:
    """The zone of times without one, until the answer is one; and whether all is right."""
    semicolon(tmp_path / "exports")
    result = init(tmp_path / "exports", answers="Mars\nEurope/Berlin\ny\n")
    assert result.exit_code == 0, result.output
    assert "'Mars' is no time zone" in result.output
    expected = sorted(int(e.time.timestamp()) for e in events())
    assert sorted(int(row["TIMESTAMP"]) for row in made(tmp_path / "exports", "interactions")) == expected


def test_a_no_writes_nothing(tmp_path: Path) -> None:
    json_lines(tmp_path / "exports")
    assert "Nothing was written" in error(init(tmp_path / "exports", answers="n\n"))
    assert not (tmp_path / "mine").exists()


def test_it_asks_in_korean(tmp_path: Path) -> None:
    semicolon(tmp_path / "exports")
    result = init(tmp_path / "exports", answers="Asia/Seoul\ny\n", language="ko_KR.UTF-8")
    assert result.exit_code == 0
    assert "어느 시간대입니까?" in result.output
    assert "준비가 끝났습니다" in result.output


def test_all_that_it_says_is_korean(tmp_path: Path) -> None:
    """What was understood, assumed and left out; names, options and what other programs call things stay as they are."""
    exports = tmp_path / "exports"
    semicolon(exports)
    (exports / "notes.xlsx").write_text("x")
    (exports / "more").mkdir()
    strangers = "".join(f"{n},u{n}@shop.example\n" for n in range(10))
    (exports / "newsletter.csv").write_text(f"number,email\n{strangers}")
    said = init(exports, "--yes", language="ko_KR.UTF-8").output
    assert said.count("가정:") >= 1
    assert said.count("제외:") >= 3
    for key, words in SAID["en"].items():
        for part in re.split(r"\{[a-z]+\}", words) if isinstance(words, str) else []:
            assert len(part.split()) < 3 or "reco " in part or part.strip() not in said, f"{key}: {part}"


def test_both_languages_say_the_same_things() -> None:
    assert SAID["en"].keys() == SAID["ko"].keys()
    for key, words in SAID["en"].items():
        other = SAID["ko"][key]
        if isinstance(words, str):
            assert sorted(re.findall(r"\{(\w+)\}", words)) == sorted(re.findall(r"\{(\w+)\}", other)), key
        else:
            assert len(words) == len(other), key
    assert SAID["en"]["kinds"].keys() == SAID["ko"]["kinds"].keys() == set(get_args(As))


def test_a_korean_export(tmp_path: Path) -> None:
    """In the encoding of Korean Windows, with Korean words; columns of other letters get names that a schema takes."""
    exports = tmp_path / "exports"
    kinds = {"view": "조회", "cart": "장바구니", "buy": "구매"}
    table(
        exports / "이벤트.csv",
        ["일시", "회원번호", "상품코드", "행동"],
        [[f"{e.time:%Y-%m-%d %H:%M:%S}", f"m{e.user}", f"g{e.item}", kinds[e.kind]] for e in events()],
        encoding="cp949",
    )
    table(
        exports / "상품.csv",
        ["상품코드", "상품명", "가격", "카테고리"],
        [[f"g{n}", f"텐트 {n}", f"{n + 1},900원", "캠핑"] for n in range(ITEMS)],
        encoding="cp949",
    )
    assert init(exports, "--yes", "--timezone", "Asia/Seoul").exit_code == 0
    first = made(exports, "interactions")[0]
    assert (first["TIMESTAMP"], first["EVENT_TYPE"]) == (
        str(int(events()[0].time.timestamp()) - 9 * 3_600),
        kinds[events()[0].kind],
    )
    assert made(exports, "items")[3] == {"ITEM_ID": "g3", "TITLE": "텐트 3", "PRICE": "4900", "CATEGORY": "캠핑"}
    assert "best-sellers" in (tmp_path / "mine" / "config.yaml").read_text()


def test_columns_and_files_can_be_named(tmp_path: Path) -> None:
    """Where names tell nothing, flags do; without them the message lists the columns."""
    exports = tmp_path / "exports"
    table(exports / "a.csv", ["c1", "c2", "c3"], [[f"x{e.user}", f"y{e.item}", int(e.time.timestamp())] for e in events()])
    said = error(init(exports, "--yes"))
    assert "--user-column" in said
    assert "a.csv: c1, c2, c3" in said
    result = init(exports, "--yes", "--user-column", "c1", "--item-column", "c2", "--time-column", "c3", "--event-type", "play")
    assert result.exit_code == 0, result.output
    assert made(exports, "interactions")[0]["EVENT_TYPE"] == "play"
    assert "no file has it" in error(init(exports, "--yes", "--overwrite", "--user-column", "c9"))
    assert "there is no such file" in error(init(exports, "--yes", "--overwrite", "--items", "z.csv"))


def test_day_and_month(tmp_path: Path) -> None:
    """Both fit: a flag decides; without it the reading in which the times lie close together, and it is said."""
    exports = tmp_path / "exports"
    found = [event for event in events() if event.time.day < 13]
    table(exports / "events.csv", ["user_id", "item_id", "date"], [[e.user, e.item, f"{e.time:%d/%m/%Y %H:%M}"] for e in found])
    result = init(exports, "--yes")
    assert "was read day first" in " ".join(result.output.split())
    assert made(exports, "interactions")[0]["TIMESTAMP"] == str(int(found[0].time.timestamp()))
    init(exports, "--yes", "--month-first", "--overwrite")
    assert made(exports, "interactions")[0]["TIMESTAMP"] == "1767411300"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty. Export it again"),
        (b"user_id,item_id,time\n", "has a header and no rows"),
        (b"\x1f\x8b\x08\x00broken", "can't be read"),
        (b"{not json}\n", "has a header and no rows"),
    ],
)
def test_files_that_hold_nothing(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / "events.csv").write_bytes(content)
    assert said in error(init(tmp_path / "exports", "--yes"))


def test_folders_that_hold_nothing(tmp_path: Path) -> None:
    assert "is not a folder" in error(init(tmp_path / "exports", "--yes"))
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / "items.xlsx").write_bytes(b"PK")
    assert 'save it as "CSV UTF-8"' in error(init(tmp_path / "exports", "--yes"))


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    json_lines(tmp_path / "exports")
    assert init(tmp_path / "exports", "--yes").exit_code == 0
    assert "--overwrite" in error(init(tmp_path / "exports", "--yes"))


def test_json(tmp_path: Path) -> None:
    json_lines(tmp_path / "exports")
    told = json.loads(init(tmp_path / "exports", "--json").stdout)
    assert told["datasets"]["interactions"]["rows"] == len(events())
    assert {"column": "TIMESTAMP", "from": "at", "as": "time"} in told["columns"]["interactions"]
    assert told["findings"] == []
