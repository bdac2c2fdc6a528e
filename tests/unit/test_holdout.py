"""Splitting interactions by time, and the formulas beyond accuracy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from personalize_emulator.metrics import Answer
from personalize_rules.schemas import parse_schema
from reco.errors import RecoError
from reco.evaluation.beyond_accuracy import Reference, qualities, unit_rows
from reco.evaluation.holdout import Catalogue, split

HEADER = "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE"


def write(path: Path, lines: list[str], header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def events(user: str, count: int) -> list[str]:
    """Events of a user on items 0, 1, 2 ... in the order of time."""
    return [f"{user},i{n},{1000 + n},view" for n in range(count)]


def test_the_newest_tenth_of_the_events_of_each_user_is_held_out(tmp_path: Path) -> None:
    lines = [*events("ann", 25), *events("bob", 9), *events("cid", 10)]
    files = [write(tmp_path / "a.csv", lines[::2][::-1]), write(tmp_path / "b.csv", lines[1::2])]
    training, catalogue = tmp_path / "training.csv", Catalogue()
    made = split(files, training, catalogue, users=10)
    hidden = {"ann,i24,1024,view", "ann,i23,1023,view", "cid,i9,1009,view"}
    assert set(training.read_text().splitlines()) == {HEADER, *lines} - hidden
    items = list(catalogue.index)
    assert {case.user_id: {items[n] for n in case.relevant} for case in made.cases} == {"ann": {"i23", "i24"}, "cid": {"i9"}}
    (ann,) = (case for case in made.cases if case.user_id == "ann")
    assert [items[n] for n in ann.history] == [f"i{n}" for n in range(23)]
    assert (made.training_events, made.held_events) == (41, 3)
    assert made.share[catalogue.index["i0"]] == 1
    assert made.share[catalogue.index["i9"]] == pytest.approx(1 / 3)
    assert made.share[catalogue.index["i24"]] == 0


def test_no_more_users_than_wanted_are_drawn_and_always_the_same(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", [line for n in range(30) for line in events(f"u{n}", 12)])
    draws = [split([file], tmp_path / "t.csv", Catalogue(), users=7) for _ in range(2)]
    assert [case.user_id for case in draws[0].cases] == [case.user_id for case in draws[1].cases]
    assert len(draws[0].cases) == 7
    assert draws[0].held_events == 30


@pytest.mark.parametrize(
    ("lines", "header", "said"),
    [
        (["u,i,soon,view"], HEADER, "a.csv, line 2, column TIMESTAMP: is 'soon', not a whole number"),
        (["u,i,1"], HEADER, "a.csv, line 2: has 3 cells, the header 4"),
        (["u,i"], "USER_ID,ITEM_ID", "a.csv: there is no column TIMESTAMP in the header"),
        (events("u", 9), HEADER, "No user has 10 events or more"),
    ],
)
def test_what_cannot_be_split_is_named(tmp_path: Path, lines: list[str], header: str, said: str) -> None:
    with pytest.raises(RecoError, match=said):
        split([write(tmp_path / "a.csv", lines, header)], tmp_path / "t.csv", Catalogue(), users=1)


def test_a_csv_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(f"{HEADER}\nAndr\xe9,i1,1000,view\n".encode("latin-1"))
    with pytest.raises(RecoError, match=r"a\.csv, line 2: is not UTF-8 text"):
        split([tmp_path / "a.csv"], tmp_path / "t.csv", Catalogue(), users=1)


def test_categories_of_items_become_features(tmp_path: Path) -> None:
    schema = parse_schema(Path("config/schemas/movielens/items.json").read_text())
    columns = [field.name for field in schema.fields]
    row = {"ITEM_ID": "a", "GENRES": "Drama|Crime"}
    other = {"ITEM_ID": "b", "GENRES": "Drama"}
    lines = [",".join(item.get(column, "1") for column in columns) for item in (row, other)]
    catalogue = Catalogue()
    catalogue.read_items([write(tmp_path / "items.csv", lines, ",".join(columns))], schema)
    catalogue.position("c")
    features = catalogue.features()
    assert features is not None
    near = (unit_rows(features) @ unit_rows(features).T).toarray()
    assert near[0, 1] == pytest.approx(1 / np.sqrt(2))
    assert near[2].tolist() == [0, 0, 0]


def test_qualities_by_hand() -> None:
    """Two lists of two: items 0 and 1 share their only category, item 2 has another; half the users have 0, a quarter 1, 2, 3."""
    alike = unit_rows(sparse.csr_array(np.array([[1.0, 0], [1, 0], [0, 1], [0, 0]])))
    share = np.array([0.5, 0.25, 0.25, 0.25])
    answers = [Answer(np.array([0, 1]), {0: 1.0, 1: 1.0}), Answer(np.array([1, 2]), {3: 1.0})]
    reference = Reference(share, alike, [np.array([0]), np.array([0])])
    found = qualities(answers, reference, 2)
    assert found["novelty_at_2"] == pytest.approx((1.5 + 2) / 2)
    assert found["diversity_at_2"] == pytest.approx((0 + 1) / 2)
    assert found["serendipity_at_2"] == pytest.approx((1 / 2 + 0) / 2)
    assert found["gini_at_2"] == pytest.approx((-3 * 0 + -1 * 1 + 1 * 1 + 3 * 2) / (4 * 4))
    assert "diversity_at_2" not in qualities(answers, Reference(share, None, reference.expected), 2)
