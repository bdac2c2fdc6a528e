"""100 mutated configs and exports: `validate`, `check` and `init` never end with a traceback, and say place, rule and remedy.

Mutations are seeded: the same come out each time.
"""

from __future__ import annotations

import copy
import random
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from reco.cli import app
from reco.errors import RecoError
from tests.harness.exports import json_lines, quoted, semicolon
from tests.harness.shop_csvs import write
from tests.unit.conftest import SHOP as _SHOP

SHOP = _SHOP.resolve()
CONFIGS, CSVS, EXPORTS = 40, 30, 30
#: Values that are wrong nearly everywhere.
ODD: list[Any] = [
    None,
    -1,
    0,
    "",
    " ",
    [],
    {},
    True,
    "x" * 300,
    "ÄÖ",
    [None],
    {"a": 1},
    float("nan"),
    10**30,
    "$X",
    "NOT a filter",
]
RAW: dict[str, Any] = yaml.safe_load(SHOP.read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything in plain data."""
    entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in entries:
        yield (*path, key)
        yield from places(value, (*path, key))


def mutated(dice: random.Random) -> tuple[dict[str, Any], tuple[Any, ...]]:
    """The shop's config with one or two places taken away, renamed or given an odd value; and the last of them."""
    raw, path = copy.deepcopy(RAW), ()
    for _ in range(dice.choice((1, 1, 2))):
        path = dice.choice([*places(raw)])
        at = raw
        for part in path[:-1]:
            at = at[part]
        change = dice.choice(("take away", "rename", "replace", "replace"))
        if change == "take away":
            del at[path[-1]]
        elif change == "rename" and isinstance(at, dict):
            at[f"{path[-1]}x"] = at.pop(path[-1])
        else:
            at[path[-1]] = copy.deepcopy(dice.choice(ODD))
    return raw, path


def told(result: Result) -> str:
    """What somebody reads; an exception that is no sentence fails the test."""
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        assert isinstance(result.exception, RecoError), repr(result.exception)
        return f"{result.output}\n{result.exception}"
    return result.output


@pytest.mark.parametrize("seed", range(CONFIGS))
def test_a_mutated_config(seed: int, tmp_path: Path) -> None:
    """Valid, or each problem has a path of the config and more than a few words."""
    raw, _ = mutated(random.Random(seed))
    shutil.copytree(SHOP.parent / "schemas", tmp_path / "schemas")
    (tmp_path / "shop.yaml").write_text(yaml.safe_dump(raw, allow_unicode=True), encoding="utf-8")
    result = CliRunner().invoke(app, ["validate", "shop.yaml"])
    said = told(result)
    if "is valid" in said:
        return
    problems = [line for line in said.splitlines() if line.strip() and not line.startswith("    ")]
    assert problems, said
    for problem in problems:
        found = re.match(r"shop\.yaml: ([^:]+): (.+)", problem)
        assert found, problem
        assert found[1].split(".")[0].split("[")[0].removesuffix("x") in {"name", *RAW, "line"} or found[1] in raw, problem
        assert len(found[2].split()) >= 2, problem  # such as `is required`
        assert "dictionary" not in problem, problem
        if "there is no" in problem:
            assert re.search(r"did you mean '|\(there are: \S|correct its name, or take it out$", problem), problem


def break_text(dice: random.Random, text: bytes) -> bytes:
    """What happens to files: bytes lost, lines cut, cells moved, encodings mixed, marks forgotten."""
    lines = text.split(b"\n")
    at = dice.randrange(len(lines))
    change: Callable[[], bytes] = dice.choice(
        (
            lambda: text[: dice.randrange(len(text))],
            lambda: text.replace(b",", b";"),
            lambda: text.replace(b"\n", b"\r"),
            lambda: text + b"\xff\xfe\xe4",
            lambda: b"\n".join([*lines[:at], b'"' + lines[at], *lines[at + 1 :]]),
            lambda: b"\n".join([*lines[:at], lines[at] + b",more", *lines[at + 1 :]]),
            lambda: b"\n".join(lines[1:]),
            lambda: b"\n".join([lines[0], lines[0], *lines[1:]]),
            lambda: text.decode("utf-8", "replace").encode("utf-16"),
            lambda: b"\n".join([lines[0].replace(b"_", b" ").lower(), *lines[1:]]),
            lambda: text.replace(b"0", b"\0", 3),
            lambda: b"",
            lambda: lines[0],
            lambda: b"\n".join([lines[0], *(b"," * lines[0].count(b",") for _ in lines[1:])]),
        )
    )
    return change()


@pytest.mark.parametrize("seed", range(CSVS))
def test_mutated_csvs(seed: int, tmp_path: Path) -> None:
    """Accepted, or each error names the file and the rule; the line too, but for what all of a file lacks. One is of the file."""
    dice = random.Random(1000 + seed)
    write(tmp_path / "csv", **{} if seed % 2 else {"interactions": []})
    file = dice.choice(sorted((tmp_path / "csv").iterdir()))
    file.write_bytes(break_text(dice, file.read_bytes()))
    result = CliRunner().invoke(app, ["check", "csv", "-c", str(SHOP)])
    said = told(result)
    errors = [line for line in said.splitlines() if line.startswith("error: ") and "error: and findings of" not in line]
    assert (result.exit_code == 0) is not bool(errors), said
    for error in errors:
        found = re.match(r"error: csv/\w+\.csv(?P<line>, line \d+(, column [^:]+)?)?: (?P<rule>.+)", error)
        assert found, error
        assert found["line"] or "needs at least" in found["rule"], error
        assert len(found["rule"].split()) >= 4, error
    assert (
        not errors or any(error.startswith(f"error: csv/{file.name}") for error in errors) or file.name != "interactions.csv"
    ), said


@pytest.mark.parametrize("seed", range(EXPORTS))
def test_mutated_exports(seed: int, tmp_path: Path) -> None:
    """A deployment that validates, or a sentence that names the file and what to do; never half of a folder."""
    dice = random.Random(2000 + seed)
    make = dice.choice((semicolon, quoted, json_lines))
    make(tmp_path / "exports")
    file = dice.choice(sorted((tmp_path / "exports").iterdir()))
    file.write_bytes(break_text(dice, file.read_bytes()))
    result = CliRunner().invoke(app, ["init", "exports", "--yes", "--out", "mine"])
    said = told(result)
    if isinstance(result.exception, RecoError):
        assert not (tmp_path / "mine").exists()
        assert re.search(r"[Ee]xport|--|[Nn]ame|take it out|[Pp]ut", str(result.exception)), said
        assert file.name in str(result.exception), said
    else:
        assert CliRunner().invoke(app, ["validate", "mine/config.yaml"]).exit_code == 0
        assert {"config.yaml", "mapping.yaml", "schemas", "data"} <= {path.name for path in (tmp_path / "mine").iterdir()}
